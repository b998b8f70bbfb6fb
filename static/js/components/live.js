// @ts-check
// How fresh the page is. The seconds are for the eye; a screen reader is told when it changes
// whether the page follows by itself.
satmComponent('satm-live', {
  props: {
    at: {type: Number, default: 0},
    up: {type: Boolean, default: false},
    failed: {type: Boolean, default: false}
  },
  data() {
    return {now: Date.now(), timer: 0}
  },
  computed: {
    ago() {
      const s = Math.max(0, Math.round((this.now - this.at) / 1000))
      return satmText.t('live.ago', {ago: satmFormat.duration(s)})
    },
    mode() {
      const key = this.failed ? 'failed' : this.up ? 'up' : 'down'
      return satmText.t(`live.${key}`)
    },
    look() {
      if (this.failed) return {icon: 'error', color: 'negative'}
      return this.up
        ? {icon: 'bolt', color: 'positive'}
        : {icon: 'autorenew', color: 'info'}
    }
  },
  created() {
    this.timer = setInterval(() => (this.now = Date.now()), 1000)
  },
  beforeUnmount() {
    clearInterval(this.timer)
  }
})
