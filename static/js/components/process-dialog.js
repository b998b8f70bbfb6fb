// @ts-check
// Settle one sale by hand, whatever its dispense flags say: a cash-out of the list, or any id of
// Lamassu. What the server finds missing is asked for.
const SATM_STATED = ['fiat_amount', 'commission_percentage', 'discount']

satmComponent('satm-process-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    /** @type {any} */
    cashOut: {type: Object, default: null}
  },
  emits: ['update:model-value', 'done'],
  data() {
    return {
      id: '',
      form: {},
      stated: false,
      asks: [],
      busy: false,
      problem: null,
      answer: null
    }
  },
  computed: {
    /** The amounts to show: those that are missing, or all of them on request. */
    amounts() {
      if (this.stated) return SATM_STATED
      return SATM_STATED.filter(name => this.asks.includes(name))
    },
    action() {
      if (!this.cashOut) return satmText.t('process.action')
      const {total_sats, crypto_amount} = this.cashOut
      const sats = satmFormat.sats(total_sats ?? crypto_amount)
      return satmText.t('process.actionSats', {sats})
    },
    /** @returns {Fact[]} */
    facts() {
      const {t} = satmText
      const details = this.answer.transaction_details
      const yes = value => t(value ? 'yes' : 'no')
      return [
        {
          label: t('fact.lamassuId'),
          copy: details.transaction_id,
          value: details.transaction_id
        },
        {label: t('fact.lamassuStatus'), value: details.status},
        {label: t('fact.dispense'), value: yes(details.dispense)},
        {label: t('fact.dispensed'), value: yes(details.dispense_confirmed)},
        {label: t('fact.asked'), value: satmFormat.sats(details.crypto_amount)},
        {
          label: t('fiat'),
          value: `${details.fiat_amount ?? satmFormat.NONE} ${details.fiat_code}`
        },
        {
          label: t('clients'),
          value: satmFormat.number(this.answer.payment_count)
        }
      ]
    }
  },
  methods: {
    reset() {
      this.id = ''
      this.form = {
        reason: '',
        fiat_amount: '',
        fiat_is_wrong: false,
        commission_percentage: '',
        discount: ''
      }
      this.stated = false
      this.asks = []
      this.problem = null
      this.answer = null
    },
    /** @param {string} name */
    field(name) {
      const asked = this.asks.includes(name) && !this.form[name]
      const missing = name === 'reason' ? 'reason.missing' : 'process.missing'
      const wrong =
        this.problem?.fields[name] ?? (asked ? satmText.t(missing) : '')
      return {
        label: satmText.t(`process.${name}`),
        hint: satmText.t(`process.${name}.hint`),
        error: !!wrong,
        'error-message': wrong
      }
    },
    async act() {
      const id = this.cashOut?.lamassu_transaction_id ?? this.id
      if (!id) {
        satmApi.say(satmText.t('process.noId'), 'warning')
        return
      }
      const body = {}
      for (const [name, value] of Object.entries(this.form)) {
        if (value) body[name] = value
      }
      this.busy = true
      this.problem = null
      try {
        const path = `process-transaction/${encodeURIComponent(id)}`
        this.answer = await satmApi.once('POST', path, body)
        this.$emit('done')
      } catch (error) {
        this.problem = satmApi.problem(error)
        this.asks = this.problem.missing
      }
      this.busy = false
    }
  }
})
