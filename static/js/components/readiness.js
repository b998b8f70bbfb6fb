// @ts-check
// The start-up checks: may this LNbits move money at all. Open when something is not well.
satmComponent('satm-readiness', {
  props: {
    status: {type: Object, default: null},
    problem: {type: Object, default: null}
  },
  emits: ['checked'],
  data() {
    return {open: false, busy: false}
  },
  computed: {
    /** @returns {Check[]} */
    lines() {
      return this.status?.readiness ?? []
    },
    bad() {
      return this.lines.filter(line => !line.ok)
    },
    look() {
      if (!this.lines.length) return satmWords.check.null
      return satmWords.check[this.bad.length ? 'false' : 'true']
    },
    summary() {
      const {t} = satmText
      if (!this.status) return this.problem?.detail ?? t('loading')
      if (!this.lines.length) return t('readiness.notYet')
      if (!this.bad.length) return t('readiness.ok', {n: this.lines.length})
      return t('readiness.bad', {n: this.bad.length})
    }
  },
  watch: {
    'bad.length'(count) {
      if (count) this.open = true
    }
  },
  methods: {
    lookOf(line) {
      return satmWords.check[String(line.ok)]
    },
    async check() {
      this.busy = true
      try {
        await satmApi.send('POST', 'readiness')
      } catch (error) {
        satmApi.complain(error)
      }
      this.busy = false
      this.$emit('checked')
    }
  }
})
