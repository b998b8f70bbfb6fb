// @ts-check
// The connection test, step by step; its result stays until the next one.
const SATM_STEP_PAUSE_MS = 120

satmComponent('satm-test-steps', {
  props: {
    testing: {type: Boolean, default: false},
    result: {type: Object, default: null},
    last: {type: String, default: null},
    lastSuccess: {type: Boolean, default: null}
  },
  emits: ['test', 'host-key'],
  data() {
    return {count: 0, timer: 0}
  },
  computed: {
    /** @returns {TestStep[]} */
    shown() {
      return (this.result?.steps ?? []).slice(0, this.count)
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
  watch: {
    result() {
      this.count = 0
      clearTimeout(this.timer)
      if (this.result) this.showNext()
    }
  },
  beforeUnmount() {
    clearTimeout(this.timer)
  },
  methods: {
    showNext() {
      this.count++
      if (this.count < this.result.steps.length) {
        this.timer = setTimeout(this.showNext, SATM_STEP_PAUSE_MS)
      }
    },
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
