// @ts-check
// What the first poll would pay, and the button that lets it.
satmComponent('satm-setup-arm', {
  mixins: [SATM_STEP],
  data() {
    return {preview: null, previewProblem: null, looking: false}
  },
  computed: {
    ready() {
      return this.step.state === 'todo'
    },
    /** Sales count from the arming on: there is nothing to look at beforehand. */
    fromNow() {
      return this.setup.start_at_arming
    },
    missing() {
      return (this.step.facts.missing ?? []).map(name =>
        satmText.t(`setup.step.${name}`)
      )
    },
    totals() {
      const {totals} = this.preview
      return [
        {
          label: satmText.t('setup.arm.settled'),
          value: satmText.t('setup.arm.sales', {
            n: totals.settled,
            sats: satmFormat.sats(totals.total_sats)
          })
        },
        {
          label: satmText.t('setup.arm.toClients'),
          value: satmText.t('setup.arm.clients', {
            n: totals.clients,
            sats: satmFormat.sats(totals.shares_sats)
          })
        },
        {
          label: satmText.t('part.commission'),
          value: satmFormat.sats(totals.commission_sats)
        },
        {
          label: satmText.t('part.operator'),
          value: satmFormat.sats(totals.operator_remainder_sats)
        },
        totals.failed_sats > 0 && {
          label: satmText.t('part.owed'),
          value: satmFormat.sats(totals.failed_sats)
        },
        {
          label: satmText.t('setup.arm.held'),
          value: satmText.t('setup.arm.count', {n: totals.held})
        },
        totals.waiting > 0 && {
          label: satmText.t('setup.arm.waiting'),
          value: satmText.t('setup.arm.count', {n: totals.waiting})
        }
      ].filter(Boolean)
    },
    columns() {
      const {t} = satmText
      const number = {align: 'right', classes: 'satm-number'}
      return [
        {
          name: 'time',
          label: t('time'),
          field: sale => satmFormat.when(sale.sold_at),
          align: 'left'
        },
        {
          name: 'fiat',
          label: t('fiat'),
          field: sale => satmFormat.fiat(sale.fiat, sale.currency),
          ...number
        },
        {
          name: 'total',
          label: t('total'),
          field: sale => satmFormat.sats(sale.total_sats),
          ...number
        },
        {
          name: 'outcome',
          label: t('state'),
          field: this.outcome,
          align: 'left'
        },
        {
          name: 'shares',
          label: t('clients'),
          field: this.shares,
          align: 'left'
        },
        {
          name: 'commission',
          label: t('commission'),
          field: sale => satmFormat.sats(sale.commission_sats),
          ...number
        }
      ]
    },
    action() {
      if (this.fromNow || !this.preview) return satmText.t('setup.arm.action')
      const sats = satmFormat.sats(this.preview.totals.shares_sats)
      return satmText.t('setup.arm.actionSats', {sats})
    }
  },
  created() {
    if (this.ready && !this.fromNow) this.look()
  },
  methods: {
    async look() {
      this.looking = true
      this.previewProblem = null
      const {start_at} = this.setup
      try {
        const body = {action: 'poll', start_at}
        this.preview = await satmApi.send('POST', 'previews', body)
      } catch (error) {
        this.previewProblem = satmApi.problem(error)
      }
      this.looking = false
    },
    outcome(sale) {
      const word = satmText.told(`cashOut.${sale.status}`, sale.status)
      const why = satmText.told(`hold.${sale.hold_code}`, sale.why)
      return why ? `${word}: ${why}` : word
    },
    shares(sale) {
      return sale.shares
        .map(({username, client_id, sats}) => {
          const name = username || satmFormat.short(client_id)
          return `${name} ${satmFormat.sats(sats)}`
        })
        .join(', ')
    },
    arm() {
      const start_at = this.fromNow ? null : this.setup.start_at
      this.act(async () => {
        await satmApi.once('POST', 'setup/arm', {start_at})
        satmApi.say(satmText.t('setup.arm.begun'))
      })
    }
  }
})
