// @ts-check
// What a client had at the end of each of the last days.
satmComponent('satm-client-days', {
  props: {
    client: {type: String, required: true},
    version: {type: Number, default: 0}
  },
  data() {
    return {
      /** @type {any[] | null} */
      days: null,
      problem: null
    }
  },
  computed: {
    rows() {
      return (this.days ?? []).map(one => ({...one, key: one.day}))
    },
    columns() {
      const {t} = satmText
      const {number, fiat, day} = satmFormat
      return [
        {name: 'day', label: t('report.day'), value: row => day(row.day)},
        {
          name: 'balances',
          label: t('report.balance'),
          align: 'right',
          value: row =>
            row.balances
              .map(one => fiat(one.balance, one.currency))
              .join(' · ') || satmFormat.NONE
        },
        {
          name: 'paid',
          label: t('list.received'),
          align: 'right',
          value: row => number(row.paid_sats)
        },
        {
          name: 'owed',
          label: t('part.owed'),
          align: 'right',
          value: row => number(row.owed_sats)
        }
      ]
    }
  },
  watch: {client: {immediate: true, handler: 'load'}, version: 'load'},
  methods: {
    async load() {
      const client = this.client
      try {
        const path = `clients/${encodeURIComponent(client)}/snapshots`
        const found = await satmApi.get(path)
        if (client !== this.client) return
        this.days = found.data
        this.problem = null
      } catch (error) {
        if (client === this.client) this.problem = satmApi.problem(error)
      }
    }
  }
})
