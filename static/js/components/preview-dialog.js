// @ts-check
// Whatever moves money: what it needs, then exactly what it would do, then the one button that does
// that, once. The result stays until it is dismissed.
satmComponent('satm-preview-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    title: {type: String, required: true},
    /** @type {any} what to look at: `{action, ...}` */
    request: {type: Object, required: true},
    /** Said above the reason. */
    text: {type: String, default: ''},
    reason: {type: Boolean, default: false},
    /** The slot `inputs` asks for something first. */
    inputs: {type: Boolean, default: false},
    /** What the slot asks for was given. */
    ready: {type: Boolean, default: true},
    /** @type {any} what a running poll is doing */
    progress: {type: Object, default: null}
  },
  emits: [
    'update:model-value',
    'show',
    'refused',
    'running',
    'done',
    'open',
    'edit'
  ],
  data() {
    return {
      given: '',
      shown: null,
      result: null,
      typed: '',
      passphrase: '',
      looking: false,
      doing: false,
      problem: null
    }
  },
  computed: {
    busy() {
      return this.looking || this.doing
    },
    asks() {
      return (this.reason || this.inputs) && !this.shown
    },
    /** A poll that pays nothing has nothing to confirm: it takes in what it found. */
    paysNothing() {
      return this.shown.action === 'poll' && !this.shown.legs.length
    },
    verb() {
      const {action, totals, amount_sats, can_execute} = this.shown
      const {t} = satmText
      if (can_execute && this.corrects) return satmCorrectionVerb(this.shown)
      if (!can_execute || this.paysNothing) return t('preview.nothing')
      const sats = satmFormat.sats(amount_sats)
      if (action === 'skip') return t('skip.action', {sats})
      if (action === 'cancel_share') return t('share.cancel.action', {sats})
      if (!totals.clients) return t('preview.payCommission', {sats})
      return t('preview.pay', {sats, n: totals.clients})
    },
    /** A correction says itself what it changes, whether or not sats move. */
    corrects() {
      return 'correction_id' in this.shown
    },
    /** What must be typed for a large sum: sats, or fiat as it is written. */
    wanted() {
      return this.shown.typed_amount ?? this.shown.typed_amount_sats ?? null
    },
    wantedText() {
      const {typed_amount, typed_amount_sats} = this.shown
      return typed_amount ?? satmFormat.sats(typed_amount_sats)
    },
    approves() {
      return this.shown?.action === 'approve_correction'
    },
    givesUp() {
      return ['skip', 'cancel_share'].includes(this.request.action)
    },
    canAct() {
      if (!this.shown?.can_execute || this.paysNothing) return false
      if (this.approves && !this.passphrase) return false
      if (this.wanted === null) return true
      if (this.shown.typed_amount) return this.typed === this.wanted
      return this.typed.replace(/\D/g, '') === `${this.wanted}`
    },
    /** Refused, or too old. Without an answer the same request is made again: it happens once. */
    outdated() {
      return !!this.problem && (!this.shown || this.problem.status !== 0)
    },
    left() {
      if (this.corrects) return []
      return this.result.cash_outs.filter(one => !one.done)
    },
    outcome() {
      const {t} = satmText
      const {action, totals, amount_sats} = this.result
      const sats = satmFormat.sats(amount_sats)
      if (this.result.proposed) return t('correction.isProposed')
      if (this.corrects) return t('correction.done')
      if (this.left.length) return t('preview.partly', {n: this.left.length})
      if (action === 'skip') return t('preview.skipped')
      if (action === 'cancel_share') return t('preview.gaveUp', {sats})
      if (totals.clients) return t('preview.paid', {sats, n: totals.clients})
      if (amount_sats) return t('preview.paidCommission', {sats})
      return totals.cash_outs
        ? t('preview.tookIn', {n: totals.cash_outs})
        : t('preview.nothingNew')
    }
  },
  methods: {
    reset() {
      this.given = ''
      this.shown = null
      this.result = null
      this.problem = null
      this.$emit('show')
      if (!this.reason && !this.inputs) this.look()
    },
    edit() {
      this.shown = null
      this.problem = null
      this.$emit('edit')
    },
    async look() {
      if (this.busy) return
      this.looking = true
      this.problem = null
      this.shown = null
      this.typed = ''
      this.passphrase = ''
      try {
        const body = {...this.request}
        if (this.reason) body.reason = this.given
        this.shown = await satmApi.send('POST', 'previews', body)
      } catch (error) {
        this.problem = satmApi.problem(error)
        this.$emit('refused', this.problem)
      }
      this.looking = false
      if (this.shown && this.paysNothing) this.act()
    },
    async act() {
      this.doing = true
      this.problem = null
      this.$emit('running', true)
      try {
        const path = `previews/${this.shown.preview_id}/execute`
        const asked = this.shown.typed_amount_sats !== null
        /** @type {Record<string, unknown>} */
        const body = {}
        if (this.shown.typed_amount) body.typed_amount = this.typed
        if (asked) body.typed_amount_sats = this.shown.typed_amount_sats
        if (this.approves) body.passphrase = this.passphrase
        this.result = await satmApi.once('POST', path, body)
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.doing = false
      this.$emit('running', false)
      this.$emit('done')
    },
    /** @param {string} id */
    open(id) {
      this.$emit('update:model-value', false)
      this.$emit('open', id)
    },
    /** The sale that a line of the result is about, as it was shown. */
    named(one) {
      const wanted = one.lamassu_transaction_id
      const cashOut = this.shown.cash_outs.find(
        shown => shown.lamassu_transaction_id === wanted
      )
      const fiat = satmFormat.fiat(cashOut.fiat, cashOut.currency)
      return `${satmFormat.when(cashOut.sold_at)} · ${fiat}`
    }
  }
})
