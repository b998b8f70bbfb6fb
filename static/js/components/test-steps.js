// @ts-check
// The connection test: its steps as they end; its result stays until the next one.
satmComponent('satm-test-steps', {
  props: {
    testing: {type: Boolean, default: false},
    result: {type: Object, default: null},
    last: {type: String, default: null},
    lastSuccess: {type: Boolean, default: null}
  },
  emits: ['test', 'host-key'],
  computed: {
    /** @returns {TestStep[]} */
    shown() {
      return this.result?.steps ?? []
    },
    headline() {
      const {t} = satmText
      if (this.testing) return t('test.running')
      if (this.result) {
        return this.result.success ? t('test.ok') : this.failure
      }
      if (!this.last) return t('test.never')
      return t(this.lastSuccess ? 'test.lastOk' : 'test.lastFailed')
    },
    /** Which step failed; its own line says why. Without steps, what came instead of them. */
    failure() {
      const failed = this.result.steps.find(step => step.ok === false)
      if (!failed) return this.result.message
      const step = satmText.told(`step.name.${failed.name}`, failed.name)
      return satmText.t('test.failedAt', {step})
    }
  },
  methods: {
    /** An ok step with a code went well and has something to say. */
    mark(step) {
      return step.ok && step.code ? 'warned' : String(step.ok)
    },
    look(step) {
      return satmWords.check[this.mark(step)]
    },
    aboutHostKey(step) {
      return ['HOST_KEY_UNKNOWN', 'HOST_KEY_CHANGED'].includes(step.code)
    }
  }
})
