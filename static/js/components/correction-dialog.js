// @ts-check
// A correction: what kind where several fit, what it needs and why; then exactly what it would do,
// with before and after, and the button that does it once. Opened from a finding, a client, a share.
/** @type {Record<string, string[]>} what each kind asks for, beside what the opener names */
const SATM_CORRECTION_FIELDS = {
  adjust_balance: ['client_id', 'amount', 'currency', 'effective_at'],
  recover_overpayment: ['client_id', 'sats', 'pace_percent'],
  write_off: ['client_id', 'sats'],
  compensate: ['client_id', 'sats', 'account'],
  pay_missing: ['client_id', 'cash_out_id', 'sats', 'amount', 'account'],
  settle_to_wallet: ['wallet_id'],
  cancel_share: [],
  restore_wallet_row: ['leg_key'],
  approve_correction: []
}
const SATM_CORRECTION_OPTIONAL = [
  'currency',
  'effective_at',
  'account',
  'write_off.sats',
  'pay_missing.sats',
  'pay_missing.amount'
]

satmComponent('satm-correction-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    /** @type {any} the preview's request; `actions` where a person chooses among several */
    request: {type: Object, required: true}
  },
  emits: ['update:model-value', 'done', 'open'],
  data() {
    return {
      action: '',
      form: {},
      problem: null,
      /** @type {OwnWallet[]} */
      wallets: []
    }
  },
  computed: {
    actions() {
      const names = this.request.actions ?? [this.request.action]
      return names.map(value => ({
        value,
        label: satmText.t(`correction.kind.${value}`)
      }))
    },
    approving() {
      return this.request.action === 'approve_correction'
    },
    /** What is still to be said: the opener knows whom or what it is about. */
    fields() {
      const asked = SATM_CORRECTION_FIELDS[this.action] ?? []
      const batch = this.request.clients ? ['client_id', 'sats'] : []
      return asked.filter(
        name => this.request[name] === undefined && !batch.includes(name)
      )
    },
    reasons() {
      return satmCorrectionReasons.map(value => ({
        value,
        label: satmText.t(`correction.reason.${value}`)
      }))
    },
    accounts() {
      return ['operator', 'commission'].map(value => ({
        value,
        label: satmText.t(`correction.account.${value}`)
      }))
    },
    ready() {
      const {reason_code, note} = this.form
      const optional = name =>
        SATM_CORRECTION_OPTIONAL.includes(name) ||
        SATM_CORRECTION_OPTIONAL.includes(`${this.action}.${name}`)
      const missing = this.fields.filter(
        name => !optional(name) && !this.form[name]
      )
      return !!reason_code && (note ?? '').length >= 3 && !missing.length
    },
    asked() {
      const {actions, ...given} = this.request
      if (this.approving) return given
      const form = Object.fromEntries(
        [...this.fields, 'reason_code', 'note']
          .filter(name => this.form[name] !== '' && this.form[name] !== null)
          .map(name => [name, this.value(name)])
      )
      return {...given, ...form, action: this.action}
    }
  },
  methods: {
    reset() {
      this.action = this.actions[0].value
      this.problem = null
      this.form = {
        client_id: null,
        amount: '',
        currency: '',
        effective_at: '',
        sats: '',
        pace_percent: '25',
        account: 'operator',
        wallet_id: null,
        cash_out_id: '',
        leg_key: '',
        reason_code: null,
        note: ''
      }
      this.loadWallets()
    },
    async loadWallets() {
      const none = () => ({data: []})
      this.wallets = (await satmApi.get('wallets').catch(none)).data
    },
    /** @param {string} name */
    value(name) {
      const value = this.form[name]
      const numbers = ['sats', 'pace_percent']
      if (numbers.includes(name))
        return Number(String(value).replace(/\D/g, ''))
      if (name === 'effective_at') return new Date(value).toISOString()
      return value
    },
    /** @param {string} name */
    field(name) {
      return satmField('correction', name, this.problem)
    }
  }
})
