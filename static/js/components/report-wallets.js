// @ts-check
// What should be in the operator's wallets by our movements, and what is; LNbits against its node.
satmComponent('satm-report-wallets', {
  props: {version: {type: Number, required: true}},
  data() {
    return {
      /** @type {any} */
      found: null,
      running: null,
      problem: null,
      asked: 0
    }
  },
  computed: {
    wallets() {
      const {t} = satmText
      const {sats} = satmFormat
      return this.found.wallets.map(one => ({
        id: one.wallet_id,
        title: `${t(`report.role.${one.role}`)}: ${one.name || satmFormat.short(one.wallet_id)}`,
        verdict: one.ok ? 'ok' : 'mismatch',
        problem: one.problem,
        facts: [
          ...Object.entries(one.legs).map(([kind, amount]) => ({
            label: satmText.told(`report.leg.${kind}`, kind),
            value: sats(amount)
          })),
          {label: t('report.shouldBe'), value: sats(one.expected_sats)},
          {label: t('report.isThere'), value: sats(one.ours_sats)},
          {
            label: t('report.discrepancy'),
            value: one.ok ? '' : sats(one.difference_sats)
          },
          {label: t('report.othersIn'), value: sats(one.others_in_sats)},
          {label: t('report.othersOut'), value: sats(one.others_out_sats)},
          {label: t('report.balance'), value: sats(one.balance_sats)}
        ]
      }))
    },
    facts() {
      const {t} = satmText
      const {sats} = satmFormat
      const {lnbits, ...all} = this.found
      return [
        {label: t('report.unallocated'), value: sats(all.unallocated_sats)},
        {label: t('report.owedClients'), value: sats(all.owed_to_clients_sats)},
        {
          label: t('report.owedCommission'),
          value: sats(all.commission_owed_sats)
        },
        {label: t('report.liabilities'), value: sats(lnbits.liabilities_sats)},
        {label: t('report.inFlight'), value: sats(lnbits.in_flight_sats)},
        {
          label: t('report.node', {node: lnbits.node}),
          value: this.known(lnbits.node_owned_sats),
          note: lnbits.node_problem
        },
        {
          label: t('report.available'),
          value: this.known(lnbits.node_available_sats)
        },
        {label: t('report.covered'), value: this.known(lnbits.covered_sats)}
      ]
    }
  },
  watch: {version: 'load'},
  created() {
    this.load()
  },
  beforeUnmount() {
    this.asked++
  },
  methods: {
    /** A node that does not tell is unknown, not zero. */
    known(value) {
      return value === null
        ? satmText.t('report.unknown')
        : satmFormat.sats(value)
    },
    async load() {
      const asked = ++this.asked
      try {
        const found = await satmApi.get('reports/wallets')
        if (asked !== this.asked) return
        this.problem = null
        if (found.status === 'done') {
          this.found = found
          this.running = null
        } else {
          this.running = found
          setTimeout(() => asked === this.asked && this.load(), 1000)
        }
      } catch (error) {
        if (asked === this.asked) this.problem = satmApi.problem(error)
      }
    }
  }
})
