// @ts-check
// Confirm or cancel a pending deposit; says exactly what it does before it does it.
satmComponent('satm-decision-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    deposit: {type: Object, required: true},
    name: {type: String, required: true},
    decision: {type: String, required: true}
  },
  emits: ['update:model-value', 'done'],
  data() {
    return {effective: '', remaining: '', busy: false, problem: null}
  },
  computed: {
    confirming() {
      return this.decision === 'confirmed'
    },
    amount() {
      return satmFormat.fiat(this.deposit.amount_decimal, this.deposit.currency)
    },
    text() {
      const iso = satmFormat.isoFromLocal(this.effective ?? '')
      return satmText.t(`deposit.${this.decision}.text`, {
        name: this.name,
        fiat: this.amount,
        when: iso ? satmFormat.when(iso) : satmText.t('deposit.now')
      })
    },
    action() {
      return satmText.t(`deposit.${this.decision}.action`, {fiat: this.amount})
    }
  },
  methods: {
    async reset() {
      this.effective = ''
      this.remaining = ''
      this.problem = null
      const {client_id, currency} = this.deposit
      try {
        const client = await satmApi.get(`clients/${client_id}`)
        const now = client.balances.find(one => one.currency === currency)
        const amount = now?.remaining_balance
        this.remaining = amount ? satmFormat.fiat(amount, currency) : ''
      } catch {
        // What is left now is only said beside the question.
      }
    },
    async act() {
      this.busy = true
      this.problem = null
      const body = {status: this.decision}
      const effective_at = satmFormat.isoFromLocal(this.effective ?? '')
      if (this.confirming && effective_at) body.effective_at = effective_at
      try {
        const path = `deposits/${this.deposit.id}/status`
        await satmApi.once('PUT', path, body)
        this.$emit('update:model-value', false)
        this.$emit('done')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
})
