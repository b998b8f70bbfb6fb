// @ts-check
// One alert: what it says, who was told and how that went, and the button that takes it.
satmComponent('satm-alert-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    alertId: {type: String, required: true}
  },
  emits: ['update:model-value', 'changed'],
  data() {
    return {
      /** @type {AlertShown | null} */
      alert: null,
      note: '',
      busy: false,
      problem: null
    }
  },
  computed: {
    said() {
      return this.alert ? satmAlert.said(this.alert) : ''
    },
    hint() {
      return this.alert ? satmAlert.hint(this.alert) : ''
    },
    /** @returns {Fact[]} */
    facts() {
      const {t} = satmText
      const alert = /** @type {AlertShown} */ (this.alert)
      return [
        {label: t('alerts.since'), at: alert.first_at},
        {label: t('alerts.last'), at: alert.last_at},
        {label: t('alerts.told'), at: alert.told_at, value: t('alerts.nobody')},
        alert.escalated_at && {
          label: t('alerts.escalated'),
          at: alert.escalated_at
        },
        alert.acknowledged_at && {
          label: t('alerts.acknowledged'),
          at: alert.acknowledged_at,
          note: alert.note ?? ''
        },
        alert.resolved_at && {label: t('alerts.gone'), at: alert.resolved_at}
      ].filter(Boolean)
    }
  },
  methods: {
    async load() {
      this.alert = null
      this.note = ''
      this.problem = null
      try {
        this.alert = await satmApi.get(`alerts/${this.alertId}`)
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    async take() {
      this.busy = true
      this.problem = null
      try {
        const body = this.note.length ? {note: this.note} : {}
        await satmApi.send('POST', `alerts/${this.alertId}/acknowledge`, body)
        this.$emit('update:model-value', false)
        this.$emit('changed')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
})
