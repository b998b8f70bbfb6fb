// @ts-check
/**
 * Client id -> name, for rows that carry only the id. As many as one page of the API holds.
 * @returns {Promise<Record<string, string>>}
 */
async function satmClientNames() {
  try {
    const page = await satmApi.get('clients', {limit: 1000})
    return Object.fromEntries(
      page.data.map(client => [client.id, client.username])
    )
  } catch {
    return {} // the ids are shown then
  }
}

// What a sale would give now: the split and the shares. Moves nothing, stores nothing.
satmComponent('satm-simulate-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    currency: {type: String, required: true}
  },
  emits: ['update:model-value'],
  data() {
    return {
      names: [
        'crypto_atoms',
        'fiat_amount',
        'commission_percentage',
        'discount'
      ],
      form: {},
      answer: null,
      clientNames: {},
      busy: false,
      problem: null
    }
  },
  computed: {
    details() {
      return this.answer.transaction_details
    },
    shares() {
      return this.answer.plan.shares
    },
    /** The answer in the words of a cash-out, as the split shows it. */
    split() {
      const {details, answer} = this
      return {
        total_sats: details.total_amount_sats,
        base_sats: details.base_amount_sats,
        commission_sats: details.commission_amount_sats,
        operator_remainder_sats: answer.plan.operator_remainder_sats,
        split_rule: details.split_rule,
        rate: `${satmFormat.number(details.effective_commission)} %`,
        drawn: answer.plan.drawn,
        fiat: details.fiat,
        fiat_code: details.currency,
        shares: this.shares.map(share => ({
          name: share.status === 'failed' ? 'owed' : 'clients',
          sats: share.amount_sats,
          label: this.name(share)
        }))
      }
    }
  },
  methods: {
    async reset() {
      this.form = {
        crypto_atoms: '100000',
        fiat_amount: '',
        commission_percentage: '0.03',
        discount: '0'
      }
      this.answer = null
      this.problem = null
      this.clientNames = await satmClientNames()
    },
    name(share) {
      return (
        this.clientNames[share.client_id] || satmFormat.short(share.client_id)
      )
    },
    /** @param {string} name */
    field(name) {
      const wrong = this.problem?.fields[`query.${name}`]
      return {
        label: satmText.t(`simulate.${name}`, {currency: this.currency}),
        hint: satmText.told(`simulate.${name}.hint`, ''),
        error: !!wrong,
        'error-message': wrong
      }
    },
    async act() {
      this.busy = true
      this.problem = null
      this.answer = null
      try {
        const query = satmApi.query(this.form)
        this.answer = await satmApi.send('POST', `test-transaction?${query}`)
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
})
