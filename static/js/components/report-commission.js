// @ts-check
// Commission by rule: every stored split by its own rule, beside it what the other rules and
// Lamassu's own profit give, and what each client got more or less than a rule asked.
satmComponent('satm-report-commission', {
  props: {
    /** @type {any} {from, to} */
    range: {type: Object, required: true},
    version: {type: Number, required: true}
  },
  emits: ['open', 'changed'],
  data() {
    return {
      rule: 'own',
      by: 'months',
      correcting: false,
      /** @type {any} */
      found: null,
      running: null,
      problem: null,
      asked: 0
    }
  },
  computed: {
    rules() {
      return ['own', 'markup', 'margin', 'ticker'].map(value => ({
        value,
        label: value === 'own' ? satmText.t('report.ownRule') : value
      }))
    },
    parts() {
      return ['days', 'months', 'machines'].map(value => ({
        value,
        label: satmText.t(`report.by.${value}`)
      }))
    },
    facts() {
      const {t} = satmText
      const {sats, number} = satmFormat
      const {whole, best} = this.found
      return [
        {label: t('tab.cash-outs'), value: number(whole.cash_outs)},
        {label: t('report.taken'), value: sats(whole.commission_sats)},
        {label: t('report.offSplits'), value: number(whole.wrong)},
        {
          label: t('report.offSats'),
          value: whole.wrong ? sats(whole.wrong_sats) : ''
        },
        {label: t('report.best'), value: best || t('report.unknown')}
      ]
    },
    /** What each rule gives on the sales that all of them split. */
    compared() {
      const {whole} = this.found
      return Object.keys(whole.by_rule).map(rule => ({
        key: rule,
        rule,
        sats: whole.by_rule[rule],
        profit: whole.profit_sats,
        cost: whole.costs[rule],
        misses: whole.misses[rule]
      }))
    },
    ruleColumns() {
      const {t} = satmText
      const {number} = satmFormat
      const right = {align: 'right'}
      return [
        {name: 'rule', label: t('report.rule'), value: row => row.rule},
        {
          name: 'sats',
          label: t('commission'),
          value: row => number(row.sats),
          ...right
        },
        {
          name: 'profit',
          label: t('report.profit'),
          value: row => number(row.profit),
          ...right
        },
        {
          name: 'cost',
          label: t('report.cost'),
          value: row => number(row.cost),
          ...right
        },
        {
          name: 'misses',
          label: t('report.misses'),
          value: row => number(row.misses),
          ...right
        }
      ]
    },
    lines() {
      return this.found[this.by].map(one => ({
        ...one,
        key: one.day || one.month || one.device_id,
        title: one.day
          ? satmFormat.day(one.day)
          : one.month || one.machine || satmFormat.short(one.device_id)
      }))
    },
    lineColumns() {
      const {t} = satmText
      const {number} = satmFormat
      const right = {align: 'right'}
      return [
        {
          name: 'title',
          label: t(`report.by.${this.by}`),
          value: row => row.title
        },
        {
          name: 'cash_outs',
          label: t('tab.cash-outs'),
          value: row => number(row.cash_outs),
          ...right
        },
        {
          name: 'taken',
          label: t('report.taken'),
          value: row => number(row.commission_sats),
          ...right
        },
        ...['markup', 'margin', 'ticker'].map(rule => ({
          name: rule,
          label: rule,
          value: row => number(row.by_rule[rule]),
          ...right
        })),
        {
          name: 'profit',
          label: t('report.profit'),
          value: row => number(row.profit_sats),
          ...right
        },
        {
          name: 'wrong',
          label: t('report.offSplits'),
          value: row => number(row.wrong),
          ...right
        }
      ]
    },
    impactColumns() {
      const {t} = satmText
      const {number} = satmFormat
      const right = {align: 'right'}
      return [
        {
          name: 'client',
          label: t('client'),
          value: row => row.username || satmFormat.short(row.client_id)
        },
        {
          name: 'cash_outs',
          label: t('tab.cash-outs'),
          value: row => number(row.cash_outs),
          ...right
        },
        {
          name: 'got',
          label: t('report.got'),
          value: row => number(row.got_sats),
          ...right
        },
        {
          name: 'expected',
          label: t('report.expected'),
          value: row => number(row.expected_sats),
          ...right
        },
        {
          name: 'sats',
          label: t('report.discrepancy'),
          value: row => number(row.sats),
          ...right
        },
        {
          name: 'compensated',
          label: t('report.compensated'),
          value: row => number(row.compensated_sats),
          ...right
        }
      ]
    },
    impacts() {
      return this.found.impacts.map(one => ({...one, key: one.client_id}))
    },
    wrongColumns() {
      const {t} = satmText
      const {number, when} = satmFormat
      const right = {align: 'right'}
      return [
        {name: 'at', label: t('cashOut'), value: row => when(row.at)},
        {name: 'rule', label: t('report.rule'), value: row => row.rule},
        {
          name: 'commission',
          label: t('commission'),
          value: row => number(row.commission_sats),
          ...right
        },
        {
          name: 'expected',
          label: t('report.expected'),
          value: row => number(row.expected_commission_sats),
          ...right
        },
        {
          name: 'difference',
          label: t('report.discrepancy'),
          value: row => number(row.difference_sats),
          ...right
        }
      ]
    },
    wrong() {
      return this.found.wrong.map(one => ({...one, key: one.id}))
    },
    done() {
      const {done = 0, of = 0} = this.running ?? {}
      return of ? Math.min(1, done / of) : 0
    },
    wanted() {
      return JSON.stringify([this.range, this.rule])
    }
  },
  watch: {wanted: 'load', version: 'load'},
  created() {
    this.load()
  },
  beforeUnmount() {
    this.asked++
  },
  methods: {
    async load() {
      const asked = ++this.asked
      const params = {...this.range, rule: this.rule}
      try {
        const found = await satmApi.get('reports/commission', params)
        if (asked !== this.asked) return
        this.problem = null
        this.running = found.status === 'done' ? null : found
        if (this.running) {
          setTimeout(() => asked === this.asked && this.load(), 1000)
        } else {
          this.found = found
        }
      } catch (error) {
        if (asked === this.asked) this.problem = satmApi.problem(error)
      }
    }
  }
})
