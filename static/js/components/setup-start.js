// @ts-check
// From when sales are paid out: from the arming on, or from a date with what it brings in.
satmComponent('satm-setup-start', {
  mixins: [SATM_STEP],
  data() {
    const {start_at, start_at_arming} = this.setup
    return {
      from: start_at && !start_at_arming ? 'date' : 'now',
      start: satmFormat.localFromIso(start_at)
    }
  },
  computed: {
    choices() {
      const now = this.setup.armed ? 'start.fromNow' : 'start.fromArming'
      return [
        {value: 'now', label: satmText.t(now)},
        {value: 'date', label: satmText.t('start.fromDate')}
      ]
    },
    startIso() {
      return this.from === 'date' ? satmFormat.isoFromLocal(this.start) : null
    }
  },
  methods: {
    save() {
      const start_at = this.startIso
      this.act(() => satmApi.send('PUT', 'setup/start', {start_at}))
    }
  }
})
