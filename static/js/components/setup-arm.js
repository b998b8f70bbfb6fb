// @ts-check
// What the first poll would pay, and the button that lets it.
satmComponent('satm-setup-arm', {
  mixins: [SATM_STEP],
  data() {
    return {preview: null, previewProblem: null, looking: false}
  },
  computed: {
    ready() {
      return this.step.state === 'todo'
    },
    /** Sales count from the arming on: there is nothing to look at beforehand. */
    fromNow() {
      return this.setup.start_at_arming
    },
    missing() {
      return (this.step.facts.missing ?? []).map(name =>
        satmText.t(`setup.step.${name}`)
      )
    },
    action() {
      if (this.fromNow || !this.preview) return satmText.t('setup.arm.action')
      const sats = satmFormat.sats(this.preview.totals.shares_sats)
      return satmText.t('setup.arm.actionSats', {sats})
    }
  },
  created() {
    if (this.ready && !this.fromNow) this.look()
  },
  methods: {
    async look() {
      this.looking = true
      this.previewProblem = null
      const {start_at} = this.setup
      try {
        const body = {action: 'poll', start_at}
        this.preview = await satmApi.send('POST', 'previews', body)
      } catch (error) {
        this.previewProblem = satmApi.problem(error)
      }
      this.looking = false
    },
    arm() {
      const start_at = this.fromNow ? null : this.setup.start_at
      this.act(async () => {
        await satmApi.once('POST', 'setup/arm', {start_at})
        satmApi.say(satmText.t('setup.arm.begun'))
      })
    }
  }
})
