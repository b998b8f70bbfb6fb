// @ts-check
// How every client's share of a cash-out came about, in words and with the server's own numbers.
const SATM_PARTS_SHOWN = 30

satmComponent('satm-how', {
  props: {explanation: {type: Object, required: true}},
  data() {
    return {all: false}
  },
  computed: {
    taking() {
      return this.explanation.parts.filter(part => !part.why_not)
    },
    summary() {
      const {currency, together, drawn, fiat, base_sats, pool_sats} =
        this.explanation
      const said = {
        together: satmFormat.fiat(together, currency),
        drawn: satmFormat.fiat(drawn, currency),
        fiat: satmFormat.fiat(fiat, currency),
        base: satmFormat.sats(base_sats),
        pool: satmFormat.sats(pool_sats),
        n: this.taking.length
      }
      return [satmText.t('how.together', said), satmText.t('how.pool', said)]
    },
    lines() {
      const parts = [...this.explanation.parts].sort((a, b) => b.sats - a.sats)
      return (this.all ? parts : parts.slice(0, SATM_PARTS_SHOWN)).map(
        part => ({
          id: part.client_id,
          name: part.username || satmFormat.short(part.client_id),
          sats: part.why_not ? '' : satmFormat.sats(part.sats),
          text: this.text(part),
          notes: this.notes(part)
        })
      )
    },
    hidden() {
      return this.explanation.parts.length - this.lines.length
    }
  },
  methods: {
    money(amount) {
      return satmFormat.fiat(amount, this.explanation.currency)
    },
    text(part) {
      if (part.why_not) return satmText.t(`how.not.${part.why_not}`)
      return satmText.t('how.client', {
        cap: this.money(part.took_part_with),
        together: this.money(this.explanation.together),
        charged: this.money(part.charged),
        sats: satmFormat.sats(part.sats)
      })
    },
    notes(part) {
      const {t} = satmText
      const said = [t('how.balance', {balance: this.money(part.balance)})]
      if (part.later) said.push(t('how.later', {later: this.money(part.later)}))
      if (part.mode === 'fixed' && part.limit) {
        const limit = this.money(part.limit)
        said.push(t('how.limit', {limit, used: this.money(part.used)}))
      }
      if (part.withheld_sats) {
        const kept = satmFormat.sats(part.withheld_sats)
        said.push(t('how.withheld', {sats: kept}))
      }
      return said.join(' · ')
    },
    open(id) {
      satmQuery.set({client_page: id})
    }
  }
})
