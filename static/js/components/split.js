// @ts-check
// The split as an equation and as a bar. Every number is the server's own; the bar's widths are
// shares of these integers, so it always fills to the total. A simulation shows a part a client.
satmComponent('satm-split', {
  props: {cashOut: {type: Object, required: true}},
  computed: {
    lines() {
      const {t} = satmText
      const {sats} = satmFormat
      const row = this.cashOut
      return [
        {label: t('total'), value: sats(row.total_sats)},
        {
          label: t('split.minusCommission'),
          value: `− ${sats(row.commission_sats)}`
        },
        {label: t('split.base'), value: sats(row.base_sats), result: true},
        !row.shares && {
          label: t('part.clients'),
          value: sats(row.confirmed_sats)
        },
        row.failed_sats && {
          label: t('part.owed'),
          value: sats(row.failed_sats)
        },
        {label: t('part.operator'), value: sats(row.operator_remainder_sats)}
      ].filter(Boolean)
    },
    /** The rule with this cash-out's own numbers. */
    formula() {
      const row = this.cashOut
      const {number, fiat, percent} = satmFormat
      return satmText.t(`rule.${row.split_rule}.equation`, {
        rule: satmText.t(`rule.${row.split_rule}`),
        rate: row.rate ?? percent(row.effective_commission),
        total: number(row.total_sats),
        base: satmFormat.sats(row.base_sats),
        fiat: fiat(row.fiat, row.fiat_code),
        price: fiat(row.raw_ticker_price, row.fiat_code)
      })
    },
    parts() {
      const row = this.cashOut
      const shares = row.shares ?? [
        {name: 'clients', sats: row.confirmed_sats},
        {name: 'owed', sats: row.failed_sats}
      ]
      const parts = [
        ...shares,
        {name: 'operator', sats: row.operator_remainder_sats},
        {name: 'commission', sats: row.commission_sats}
      ]
      return parts
        .filter(part => part.sats > 0)
        .map(part => ({
          ...part,
          label: part.label ?? satmText.t(`part.${part.name}`)
        }))
    },
    spoken() {
      return this.parts
        .map(part => `${part.label}: ${satmFormat.sats(part.sats)}`)
        .join(', ')
    },
    drawn() {
      const {drawn, fiat, fiat_code} = this.cashOut
      return satmText.t('split.drawn', {
        drawn: satmFormat.fiat(drawn, fiat_code),
        fiat: satmFormat.fiat(fiat, fiat_code)
      })
    }
  }
})
