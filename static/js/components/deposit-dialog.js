// @ts-check
// Cash that a client brought, written down as pending.
satmComponent('satm-deposit-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    currency: {type: String, required: true}
  },
  emits: ['update:model-value', 'saved'],
  data() {
    return {form: {}, busy: false, problem: null}
  },
  methods: {
    reset() {
      this.problem = null
      this.form = {
        client_id: null,
        amount: '',
        currency: this.currency,
        notes: ''
      }
    },
    /** @param {string} name */
    field(name) {
      const wrong = this.problem?.fields[name]
      return {
        label: satmText.t(`deposit.${name}`),
        error: !!wrong,
        'error-message': wrong,
        'data-test': `deposit-${name}`
      }
    },
    async save() {
      this.busy = true
      this.problem = null
      const {notes, ...body} = this.form
      if (notes) body.notes = notes
      try {
        await satmApi.once('POST', 'deposits', body)
        this.$emit('update:model-value', false)
        this.$emit('saved')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
})
