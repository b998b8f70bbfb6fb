// @ts-check
// The split rule, chosen on the operator's own newest sales beside Lamassu's own profit.
satmComponent('satm-setup-split', {
  mixins: [SATM_STEP],
  data() {
    return {
      form: {split_rule: this.settings.split_rule},
      /** @type {SplitChoice | null} */
      choice: null,
      loading: false,
      loadProblem: null
    }
  },
  computed: {
    connected() {
      return this.config?.test_connection_success === true
    },
    /** @returns {RuleFit[]} */
    rules() {
      const names = ['markup', 'margin', 'ticker']
      return this.choice?.rules ?? names.map(rule => ({rule}))
    },
    columns() {
      const {t} = satmText
      const number = {align: 'right', classes: 'satm-number'}
      return [
        {name: 'time', label: t('time'), field: this.time, align: 'left'},
        {name: 'fiat', label: t('fiat'), field: this.cash, ...number},
        {name: 'total', label: t('total'), field: this.total, ...number},
        {
          name: 'profit',
          label: t('setup.split.profit'),
          field: this.profit,
          ...number
        },
        ...this.rules.map(({rule}) => ({
          name: rule,
          label: t(`rule.${rule}`),
          field: sale => this.outcome(sale, rule),
          ...number
        }))
      ]
    }
  },
  created() {
    if (this.connected) this.load()
  },
  methods: {
    /** Who has no mouse scrolls a wide table by its own focus. */
    reachable({el}) {
      el?.querySelector('.q-table__middle')?.setAttribute('tabindex', '0')
    },
    async load() {
      this.loading = true
      this.loadProblem = null
      try {
        this.choice = await satmApi.get('setup/split-rules')
        const fresh = this.step.state !== 'done'
        if (fresh && this.choice.best) this.form.split_rule = this.choice.best
      } catch (error) {
        this.loadProblem = satmApi.problem(error)
      }
      this.loading = false
    },
    time: sale => satmFormat.when(sale.time),
    cash: sale => satmFormat.fiat(sale.fiat, sale.currency),
    total: sale => satmFormat.sats(sale.total_sats),
    profit(sale) {
      if (sale.profit_sats === null) return satmFormat.NONE
      const shown = satmFormat.fiat(sale.profit, sale.currency)
      return `${satmFormat.sats(sale.profit_sats)} (${shown})`
    },
    outcome(sale, rule) {
      const {base_sats, commission_sats, problem} = sale.rules[rule]
      if (problem) return satmText.t(`hold.${problem}`)
      const commission = satmFormat.number(commission_sats)
      return `${commission} / ${satmFormat.number(base_sats)}`
    },
    /** @param {RuleFit} fit */
    against(fit) {
      const sats = satmFormat.sats(Math.abs(fit.difference_sats))
      const word =
        fit.difference_sats === 0
          ? 'same'
          : fit.difference_sats < 0
            ? 'less'
            : 'more'
      return satmText.t(`setup.split.${word}`, {sats})
    },
    save() {
      this.act(() => satmApi.send('PUT', 'settings', this.form))
    }
  }
})
