// @ts-check
// The books: one of five parts, chosen by the address, `?view=reports#books`.
satmComponent('satm-books', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed', 'open', 'act'],
  data() {
    return {views: ['reconciliation', 'reports', 'audit', 'alerts', 'runbook']}
  },
  computed: {
    view: {
      get() {
        const named = String(this.$route.query.view ?? '')
        return this.views.includes(named) ? named : this.views[0]
      },
      set(view) {
        if (view !== this.view)
          this.$router.push(satmAddress.to('books', {view}))
      }
    }
  }
})
