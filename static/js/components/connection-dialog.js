// @ts-check
// The connection as a form. What the server refuses is said at the field; secrets never come back.
satmComponent('satm-connection-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    config: {type: Object, default: null}
  },
  emits: ['update:model-value', 'saved'],
  data() {
    return {form: null, secrets: {...SATM_SECRETS}, busy: false, problem: null}
  },
  computed: {
    part() {
      const {form, secrets, config, problem} = this
      return {form, secrets, config, problem}
    }
  },
  methods: {
    reset() {
      this.problem = null
      this.secrets = {...SATM_SECRETS}
      this.form = satmConnectionForm(this.config)
    },
    async save() {
      this.busy = true
      this.problem = null
      const body = {...this.form, ...satmGivenSecrets(this.secrets)}
      try {
        await satmApi.send('PATCH', 'config', body)
        this.$emit('update:model-value', false)
        this.$emit('saved')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
})
