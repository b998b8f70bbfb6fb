// @ts-check
// One kind of alert: its threshold with what it means, its severity, who is told when.
satmComponent('satm-alert-rule-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    rule: {type: Object, required: true}
  },
  emits: ['update:model-value', 'saved'],
  data() {
    return {
      form: {
        threshold: '',
        severity: 'info',
        cooldown: '',
        escalate: '',
        can_wait: false,
        told: true
      },
      busy: false,
      problem: null
    }
  },
  computed: {
    severities() {
      return ['info', 'warning', 'critical'].map(value => ({
        value,
        label: satmText.t(`severity.${value}`)
      }))
    },
    wrong() {
      return this.problem?.fields[this.rule.kind] ?? ''
    }
  },
  methods: {
    reset() {
      const {threshold, severity, cooldown_s, escalate_s, can_wait, told} =
        this.rule
      this.form = {
        threshold: String(threshold ?? ''),
        severity,
        cooldown: String(cooldown_s / 60),
        escalate: String(escalate_s / 60),
        can_wait,
        told
      }
      this.problem = null
    },
    seconds(minutes) {
      return Math.round(Number(minutes) * 60)
    },
    async send(change) {
      this.busy = true
      this.problem = null
      try {
        const settings = await satmApi.send('PUT', 'alert-settings', {
          rules: {[this.rule.kind]: change}
        })
        this.$emit('saved', settings)
        this.$emit('update:model-value', false)
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    },
    save() {
      const {threshold, severity, cooldown, escalate, can_wait, told} =
        this.form
      /** @type {Record<string, unknown>} */
      const change = {
        severity,
        can_wait,
        told,
        cooldown_s: this.seconds(cooldown),
        escalate_s: this.seconds(escalate)
      }
      if (this.rule.unit) change.threshold = Number(threshold)
      return this.send(change)
    }
  }
})
