// @ts-check
// Begin an incident: which failure, how bad, what is known. The server writes down how things stand.
satmComponent('satm-incident-start', {
  props: {modelValue: {type: Boolean, required: true}},
  emits: ['update:model-value', 'begun'],
  data() {
    return {
      failure: 'duplicate',
      severity: 'critical',
      note: '',
      busy: false,
      /** @type {Problem | null} */
      problem: null
    }
  },
  computed: {
    failures() {
      return [...Object.keys(satmRunbook.STEPS), 'other'].map(value => ({
        value,
        label: satmRunbook.title(value)
      }))
    },
    severities() {
      return satmRunbook.SEVERITIES.map(value => ({
        value,
        label: satmText.t(`incidentSeverity.${value}`)
      }))
    }
  },
  methods: {
    reset() {
      Object.assign(this, {failure: 'duplicate', severity: 'critical'})
      Object.assign(this, {note: '', problem: null})
    },
    async act() {
      this.busy = true
      this.problem = null
      const {failure, severity, note} = this
      try {
        const begun = await satmApi.once('POST', 'incidents', {
          failure,
          severity,
          note
        })
        this.$emit('update:model-value', false)
        this.$emit('begun', begun)
      } catch (error) {
        this.problem = satmApi.problem(error)
      } finally {
        this.busy = false
      }
    }
  }
})
