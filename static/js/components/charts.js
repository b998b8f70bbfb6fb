// @ts-check
// The three charts, as the server summed them. Nothing is added up here.
satmComponent('satm-charts', {
  props: {
    charts: {type: Object, default: null},
    days: {type: Number, required: true},
    problem: {type: Object, default: null}
  },
  emits: ['update:days', 'retry'],
  data() {
    return {currency: ''}
  },
  computed: {
    spans() {
      return [7, 30, 90].map(value => ({
        value,
        label: satmText.t('chart.days', {n: value})
      }))
    },
    span() {
      const {first, last} = /** @type {Charts} */ (this.charts)
      return {
        first: satmFormat.shortDay(first),
        last: satmFormat.shortDay(last)
      }
    },
    /** @returns {Picture | null} */
    paid() {
      if (!this.charts) return null
      const {t} = satmText
      const {days} = /** @type {Charts} */ (this.charts)
      const {sats, number, shortDay: day} = satmFormat
      const distributed = t('tile.distributed.short')
      return {
        type: 'bar',
        labels: days.map(one => day(one.day)),
        series: [
          {
            label: distributed,
            role: 'positive',
            values: days.map(one => one.distributed_sats)
          },
          {
            label: t('commission'),
            role: 'warning',
            values: days.map(one => one.commission_sats)
          }
        ],
        head: [
          t('chart.day'),
          distributed,
          t('commission'),
          t('tab.cash-outs')
        ],
        rows: days.map(one => [
          day(one.day),
          sats(one.distributed_sats),
          sats(one.commission_sats),
          number(one.cash_outs)
        ])
      }
    },
    paidSentence() {
      if (!this.charts) return ''
      return satmText.t('chart.paid.sentence', {
        ...this.span,
        distributed: satmFormat.sats(this.charts.distributed_sats),
        commission: satmFormat.sats(this.charts.commission_sats)
      })
    },
    paidEmpty() {
      const sold = this.charts?.days.some(one => one.cash_outs)
      return this.charts && !sold ? satmText.t('chart.empty') : ''
    },
    currencies() {
      return Object.keys(this.charts?.prices ?? {})
    },
    /** The chosen currency, or the operator's own, or one that has prices. */
    priced() {
      const wanted = [this.currency, this.charts?.currency, ...this.currencies]
      return wanted.find(one => this.currencies.includes(one)) ?? ''
    },
    /** @returns {Prices | null} */
    prices() {
      return this.charts?.prices[this.priced] ?? null
    },
    /** @returns {Picture | null} */
    price() {
      if (!this.charts) return null
      const {t} = satmText
      const {shortDay: day, fiat, sats} = satmFormat
      const days = this.prices?.days ?? []
      const label = t('chart.price.label', {currency: this.priced})
      return {
        type: 'line',
        labels: days.map(one => day(one.day)),
        series: [
          {label, role: 'info', values: days.map(one => Number(one.price))}
        ],
        head: [t('chart.day'), label, t('chart.bought'), t('chart.for')],
        rows: days.map(one => [
          day(one.day),
          fiat(one.price, this.priced),
          sats(one.sats),
          fiat(one.fiat, this.priced)
        ])
      }
    },
    priceSentence() {
      if (!this.prices) return ''
      const {low, high, last} = this.prices
      return satmText.t('chart.price.sentence', {
        ...this.span,
        low: satmFormat.fiat(low, this.priced),
        high: satmFormat.fiat(high, this.priced),
        last_price: satmFormat.fiat(last, this.priced)
      })
    },
    /** @returns {Picture | null} */
    clients() {
      if (!this.charts) return null
      const {t} = satmText
      const {sats, percent} = satmFormat
      const {top, others, others_sats} = this.charts.clients
      const named = top.map(one => ({...one, name: this.name(one)}))
      if (others) {
        named.push({
          name: t('chart.clients.others', {n: others}),
          sats: others_sats,
          part: null
        })
      }
      return {
        type: 'bar',
        lying: true,
        labels: named.map(one => one.name),
        series: [
          {
            label: t('chart.clients.received'),
            role: 'positive',
            values: named.map(one => one.sats)
          }
        ],
        head: [t('client'), t('chart.clients.received'), t('chart.part')],
        rows: named.map(one => [one.name, sats(one.sats), percent(one.part)])
      }
    },
    clientsSentence() {
      if (!this.charts) return ''
      const {top} = this.charts.clients
      if (!top.length) return ''
      return satmText.t('chart.clients.sentence', {
        name: this.name(top[0]),
        sats: satmFormat.sats(top[0].sats),
        part: satmFormat.percent(top[0].part)
      })
    }
  },
  methods: {
    /** @param {ClientPart} client */
    name(client) {
      return client.username || satmFormat.short(client.client_id)
    },
    pickDay(day, more = {}) {
      const query = {status: 'completed', from: day, to: day, ...more}
      this.$router.push(satmAddress.to('cash-outs', query))
    },
    pickPrice(index) {
      this.pickDay(this.prices.days[index].day, {currency: this.priced})
    },
    pickClient(index) {
      const {first, last, clients} = this.charts
      const client = clients.top[index]
      if (!client) return this.$router.push(satmAddress.to('clients'))
      const query = {client: client.client_id, from: first, to: last}
      this.$router.push(satmAddress.to('cash-outs', query))
    }
  }
})
