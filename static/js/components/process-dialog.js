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
  emits: ['update:model-value', 'done', 'open'],
  data() {
    return {
      id: '',
      form: {},
      stated: false,
      asks: [],
      problem: null
    }
  },
  computed: {
    /** The amounts to show: those that are missing, or all of them on request. */
    amounts() {
      if (this.stated) return SATM_STATED
      return SATM_STATED.filter(name => this.asks.includes(name))
    },
    lamassuId() {
      return this.cashOut?.lamassu_transaction_id ?? this.id
    },
    request() {
      const given = Object.entries(this.form).filter(([, value]) => value)
      return {
        action: 'process',
        lamassu_id: this.lamassuId,
        statement: Object.fromEntries(given)
      }
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
    },
    /** The server says what it needs; the form asks for it.
     * @param {Problem} problem
     */
    refused(problem) {
      this.problem = problem
      this.asks = problem.missing
    },
    /** @param {string} name */
    field(name) {
      const asked = this.asks.includes(name) && !this.form[name]
      const missing = name === 'reason' ? 'reason.missing' : 'process.missing'
      const wrong =
        this.problem?.fields[`statement.${name}`] ??
        (asked ? satmText.t(missing) : '')
      return {
        label: satmText.t(`process.${name}`),
        hint: satmText.t(`process.${name}.hint`),
        error: !!wrong,
        'error-message': wrong
      }
    }
  }
})
