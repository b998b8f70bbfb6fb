// @ts-check
// Everything about one cash-out: where every sat went, why it waits, and what a person can do.
const SATM_OPEN_STATES = ['pending', 'watching', 'held', 'failed']

satmComponent('satm-cash-out-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    cashOutId: {type: String, required: true},
    version: {type: Number, required: true}
  },
  emits: ['update:model-value', 'changed'],
  data() {
    return {
      /** @type {CashOut | null} */
      row: null,
      /** @type {Share[]} */
      shares: [],
      /** @type {any} how the shares came about */
      explanation: null,
      problem: null,
      processing: false,
      skipping: false,
      busy: ''
    }
  },
  computed: {
    shown: {
      get() {
        return this.modelValue
      },
      set(value) {
        this.$emit('update:model-value', value)
      }
    },
    look() {
      return satmWords.cashOut[this.row.status] ?? {icon: 'help_outline'}
    },
    total() {
      return this.row.total_sats ?? this.row.crypto_amount
    },
    why() {
      const {hold_code, reason, error_message, operator_reason, changed_at} =
        this.row
      const said = [
        hold_code && satmText.told(`hold.${hold_code}`, reason),
        error_message,
        operator_reason && satmText.t('byOperator', {reason: operator_reason}),
        changed_at && satmText.t('sourceChanged')
      ]
      return said.filter(Boolean).join(' · ')
    },
    /** @returns {Fact[]} */
    facts() {
      const {t} = satmText
      const {when, short, sats, percent, number} = satmFormat
      const row = /** @type {CashOut} */ (this.row)
      return [
        {
          label: t('fact.lamassuId'),
          copy: row.lamassu_transaction_id,
          value: row.lamassu_transaction_id
        },
        {label: t('list.ourId'), copy: row.id, value: row.id},
        {label: t('machine'), value: row.machine_name ?? ''},
        {
          label: t('fact.device'),
          copy: row.device_id ?? '',
          value: row.device_id ? short(row.device_id) : ''
        },
        {label: t('coin'), value: row.crypto_code},
        {label: t('fiat'), value: satmFormat.fiat(row.fiat, row.fiat_code)},
        {label: t('fact.asked'), value: sats(row.crypto_amount)},
        {label: t('fact.received'), value: sats(row.received_sats)},
        {
          label: t('commission'),
          value: percent(row.commission_percentage),
          note: row.discount
            ? t('fact.discount', {
                discount: number(row.discount),
                effective: percent(row.effective_commission)
              })
            : null
        },
        {
          label: t('fact.price'),
          value: row.raw_ticker_price
            ? satmFormat.fiat(row.raw_ticker_price, row.fiat_code)
            : ''
        },
        {
          label: t('fact.commissionLeg'),
          kind: 'commission',
          state: row.commission_status ?? '',
          note: row.commission_message
        },
        {
          label: t('set.split_rule'),
          value: row.split_rule ? t(`rule.${row.split_rule}`) : ''
        },
        {
          label: t('set.funding'),
          value: row.funding_mode ? t(`funding.${row.funding_mode}`) : ''
        },
        {label: t('fact.confirmedAt'), at: row.confirmed_at},
        {label: t('fact.observedAt'), at: row.observed_at},
        {label: t('fact.processedAt'), at: row.processed_at},
        {
          label: t('fact.changedAt'),
          value: row.changed_at ? when(row.changed_at) : ''
        },
        {
          label: t('fact.attempts'),
          value: row.attempts ? number(row.attempts) : ''
        },
        {
          label: t('fact.plan'),
          copy: row.plan_hash ?? '',
          value: row.plan_hash ? short(row.plan_hash) : ''
        }
      ]
    },
    actions() {
      if (!this.row) return []
      const sats = satmFormat.sats(this.total)
      const actions = []
      if (SATM_OPEN_STATES.includes(this.row.status)) {
        actions.push(
          {name: 'skip', label: satmText.t('skip.open', {sats})},
          {
            name: 'process',
            label: satmText.t('process.open', {sats}),
            first: true
          }
        )
      }
      if (this.row.commission_status === 'failed') {
        const amount = satmFormat.sats(this.row.commission_sats)
        const label = satmText.t('commission.retry', {sats: amount})
        actions.push({name: 'commission', label, first: true})
      }
      return actions
    }
  },
  watch: {
    cashOutId: {immediate: true, handler: 'start'},
    version() {
      if (this.cashOutId) this.load()
    }
  },
  methods: {
    start() {
      this.row = null
      this.shares = []
      this.explanation = null
      this.problem = null
      if (this.cashOutId) this.load()
    },
    async load() {
      const id = this.cashOutId
      const path = `transactions/${encodeURIComponent(id)}`
      try {
        const [row, shares, explanation] = await Promise.all([
          satmApi.get(path),
          satmApi.get(`${path}/distributions`),
          satmApi.get(`${path}/explanation`)
        ])
        if (id !== this.cashOutId) return
        this.row = row
        this.shares = shares.data
        this.explanation = explanation
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    act(name) {
      if (name === 'process') this.processing = true
      if (name === 'skip') this.skipping = true
      if (name === 'commission') this.retryCommission()
    },
    async retryCommission() {
      this.busy = 'commission'
      try {
        const id = this.row.id
        await satmApi.once('POST', `transactions/${id}/retry-commission`)
      } catch (error) {
        satmApi.complain(error)
      }
      this.busy = ''
      this.$emit('changed')
    }
  }
})
