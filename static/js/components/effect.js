// @ts-check
// What an action would do: sums, who gets how much, what moves from which wallet to which, and what
// is not paid and why. Every number is the server's own.
const SATM_LISTED = 30 // longer lists scroll by themselves

satmComponent('satm-effect', {
  props: {
    /** @type {any} a preview as the server answered it */
    shown: {type: Object, required: true}
  },
  computed: {
    /** Actions on a whole sale have sums; the others are about one share or one decision. */
    settles() {
      return ['poll', 'process'].includes(this.shown.action)
    },
    sums() {
      const {t} = satmText
      const {sats} = satmFormat
      const totals = this.shown.totals
      if (!this.settles || !totals.settled) return []
      return [
        {
          label: t('effect.sold', {n: totals.settled}),
          value: sats(totals.total_sats)
        },
        {
          label: t('effect.toClients', {n: totals.clients}),
          value: sats(totals.shares_sats)
        },
        totals.failed_sats && {
          label: t('part.owed'),
          value: sats(totals.failed_sats)
        },
        {
          label: t('part.operator'),
          value: sats(totals.operator_remainder_sats)
        },
        {label: t('commission'), value: sats(totals.commission_sats)}
      ].filter(Boolean)
    },
    source() {
      const change = this.shown.totals.source_wallet_change_sats
      const corrects = 'correction_id' in this.shown
      const less = corrects ? 'effect.walletLess' : 'effect.sourceLess'
      const key = change < 0 ? less : 'effect.sourceMore'
      return satmText.t(key, {sats: satmFormat.sats(Math.abs(change))})
    },
    remarks() {
      return this.shown.remarks.map(remark => {
        const key = `remark.${remark.code}`
        const known = satmText.find(key) !== undefined
        return known ? satmText.t(key, remark) : remark.text
      })
    },
    movements() {
      const {t} = satmText
      return this.shown.legs.map(leg => ({
        key: leg.key,
        what: t(`leg.${leg.kind}`, {name: leg.to_whom ?? ''}),
        way: t('leg.way', {
          from: leg.from_wallet_id
            ? (leg.from_wallet ?? satmFormat.short(leg.from_wallet_id))
            : t('leg.outside'),
          to: leg.to_wallet ?? satmFormat.short(leg.to_wallet_id)
        }),
        sats: leg.sats
      }))
    },
    /** What the button asks about, where it is no payment. */
    sentence() {
      const [cashOut] = this.shown.cash_outs
      const share = cashOut?.shares[0]
      if (this.shown.action === 'skip') return satmText.t('skip.text')
      if (this.shown.action !== 'cancel_share' || !share) return ''
      return satmText.t('share.cancel.text', {
        name: this.name(share),
        fiat: satmFormat.fiat(share.fiat, cashOut.currency),
        sats: satmFormat.sats(share.sats)
      })
    },
    listed() {
      return this.settles ? this.shown.cash_outs : []
    },
    /** What a correction changes, as it was and as it will be. */
    changes() {
      return (this.shown.changes ?? []).map((change, index) => ({
        key: index,
        label: satmText.t(`change.${change.code}`, {
          name: change.username ?? satmFormat.short(change.client_id ?? ''),
          of: satmFormat.short(change.of ?? '')
        }),
        before: this.amount(change.before, change.unit),
        after: this.amount(change.after, change.unit)
      }))
    },
    approval() {
      if (!this.shown.approval?.needed) return ''
      return satmText.t('correction.needsSecond')
    },
    longList() {
      return this.movements.length > SATM_LISTED
    }
  },
  methods: {
    /** @param {any} value */
    amount(value, unit) {
      if (value === null) return satmText.t('change.nothing')
      if (typeof value === 'number') return satmFormat.sats(value)
      return unit === 'sat' ? value : satmFormat.fiat(value, unit)
    },
    name(share) {
      return share.username || satmFormat.short(share.client_id)
    },
    /** The largest first. */
    shares(cashOut) {
      return [...cashOut.shares].sort((a, b) => b.sats - a.sats)
    },
    title(cashOut) {
      const fiat = satmFormat.fiat(cashOut.fiat, cashOut.currency)
      return `${satmFormat.when(cashOut.sold_at)} · ${fiat}`
    },
    /** @param {any} cashOut */
    caption(cashOut) {
      const machine = cashOut.machine_name
      const id = satmFormat.short(cashOut.lamassu_transaction_id)
      return machine ? `${machine} · ${id}` : id
    },
    /** Why it is not settled. */
    why(cashOut) {
      if (cashOut.outcome === 'settled') return ''
      return satmText.told(`hold.${cashOut.hold_code}`, cashOut.why)
    },
    wallet(share) {
      return share.wallet_name ?? satmFormat.short(share.wallet_id)
    },
    parts(cashOut) {
      const {t} = satmText
      const parts = [
        {label: t('commission'), sats: cashOut.commission_sats},
        {label: t('part.operator'), sats: cashOut.operator_remainder_sats}
      ]
      return parts.filter(part => part.sats)
    }
  }
})
