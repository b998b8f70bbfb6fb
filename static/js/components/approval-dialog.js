// @ts-check
// The second person: from how many sats on they must agree, and their passphrase. What is set is
// never shown, and changes only with the passphrase that is set.
satmComponent('satm-approval-dialog', {
  props: {modelValue: {type: Boolean, required: true}},
  emits: ['update:model-value', 'saved'],
  data() {
    return {
      /** @type {any} */
      state: null,
      form: {above: '', passphrase: '', fresh: ''},
      busy: false,
      problem: null
    }
  },
  methods: {
    async reset() {
      this.problem = null
      this.form = {above: '', passphrase: '', fresh: ''}
      try {
        this.state = await satmApi.get('approval')
        this.form.above = String(this.state.above_sats ?? '')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    async save() {
      this.busy = true
      this.problem = null
      const digits = this.form.above.replace(/\D/g, '')
      /** @type {Record<string, unknown>} */
      const body = {above_sats: digits === '' ? null : Number(digits)}
      if (this.form.passphrase) body.passphrase = this.form.passphrase
      if (this.form.fresh) body.new_passphrase = this.form.fresh
      try {
        await satmApi.send('PUT', 'approval', body)
        this.$emit('update:model-value', false)
        this.$emit('saved')
        satmApi.say(satmText.t('saved'))
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
})
