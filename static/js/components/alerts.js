// @ts-check
// What needs a person, worst first: three, and the rest on request.
satmComponent('satm-alerts', {
  props: {
    status: {type: Object, default: null},
    problem: {type: Object, default: null}
  },
  emits: ['open', 'retry'],
  data() {
    return {all: false, few: 3}
  },
  computed: {
    /** @returns {Alert[]} */
    alerts() {
      return this.status?.alerts ?? []
    },
    shown() {
      return this.all ? this.alerts : this.alerts.slice(0, this.few)
    }
  },
  methods: {
    look(alert) {
      return satmWords.severity[alert.severity] ?? satmWords.severity.info
    }
  }
})
