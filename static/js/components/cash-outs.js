// @ts-check
// Cash-outs as the server pages, filters, sorts and searches them.
satmComponent('satm-cash-outs', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['open', 'setup'],
  data() {
    return {
      rows: [],
      loading: true,
      problem: null,
      states: [],
      search: '',
      asked: 0,
      pagination: {
        page: 1,
        rowsPerPage: 10,
        rowsNumber: 0,
        sortBy: 'confirmed_at_us',
        descending: true
      }
    }
  },
  computed: {
    columns() {
      const {t} = satmText
      const {number, fiat, sats} = satmFormat
      const amount = {align: 'right', classes: 'satm-number'}
      return [
        {
          name: 'confirmed_at_us',
          label: t('time'),
          field: 'transaction_time',
          align: 'left',
          sortable: true
        },
        {
          name: 'machine',
          label: t('machine'),
          field: this.machine,
          align: 'left'
        },
        {name: 'coin', label: t('coin'), field: 'crypto_code', align: 'left'},
        {
          name: 'fiat_minor',
          label: t('fiat'),
          field: row => fiat(row.fiat, row.fiat_code),
          sortable: true,
          ...amount
        },
        {
          name: 'total_sats',
          label: t('total'),
          field: row => sats(this.total(row)),
          sortable: true,
          ...amount
        },
        {
          name: 'base',
          label: t('base'),
          field: r => number(r.base_sats),
          ...amount
        },
        {
          name: 'commission',
          label: t('commission'),
          field: row => number(row.commission_sats),
          ...amount
        },
        {
          name: 'clients',
          label: t('clients'),
          field: row =>
            row.base_sats === null ? '–' : number(row.clients_count),
          ...amount
        },
        {
          name: 'status',
          label: t('state'),
          field: 'status',
          align: 'left',
          sortable: true
        },
        {name: 'open', label: '', field: 'id', align: 'right'}
      ]
    },
    visible() {
      const narrow = ['coin', 'base', 'clients']
      const names = this.columns.map(column => column.name)
      return this.$q.screen.lt.lg
        ? names.filter(name => !narrow.includes(name))
        : names
    },
    filters() {
      const counts = this.status?.cash_outs ?? {}
      return Object.entries(satmWords.cashOut)
        .filter(([state]) => counts[state] || this.states.includes(state))
        .map(([state, look]) => ({
          ...look,
          state,
          on: this.states.includes(state),
          label: `${satmText.t(`cashOut.${state}`)} ${satmFormat.number(counts[state] ?? 0)}`
        }))
    },
    filtered() {
      return this.states.length > 0 || !!this.search
    },
    empty() {
      const {t} = satmText
      if (this.filtered)
        return {icon: 'filter_alt', text: t('cashOuts.noMatch')}
      if (this.status && !this.status.configured) {
        return {icon: 'build', text: t('cashOuts.setUp')}
      }
      return {icon: 'hourglass_empty', text: t('cashOuts.none')}
    }
  },
  watch: {
    version() {
      this.load()
    },
    search() {
      this.pagination.page = 1
      this.load()
    },
    states() {
      this.pagination.page = 1
      this.load()
    }
  },
  created() {
    this.load()
  },
  methods: {
    /** @param {{pagination: any}} [request] what the table wants to show next */
    async load(request) {
      const wanted = request?.pagination ?? this.pagination
      const turn = ++this.asked
      this.loading = true
      try {
        const page = await satmApi.get('transactions', {
          limit: wanted.rowsPerPage,
          offset: (wanted.page - 1) * wanted.rowsPerPage,
          sortby: wanted.sortBy,
          direction: wanted.sortBy
            ? wanted.descending
              ? 'desc'
              : 'asc'
            : null,
          'status[in]': this.states.join(','),
          search: this.search
        })
        if (turn !== this.asked) return
        this.rows = page.data
        this.pagination = {...wanted, rowsNumber: page.total}
        this.problem = null
      } catch (error) {
        if (turn !== this.asked) return
        this.problem = satmApi.problem(error)
      }
      this.loading = false
    },
    toggle(state) {
      this.states = this.states.includes(state)
        ? this.states.filter(one => one !== state)
        : [...this.states, state]
    },
    clear() {
      this.states = []
      this.search = ''
    },
    pageLabel(first, last, all) {
      return satmText.t('pageOf', {first, last, all})
    },
    machine(row) {
      return row.machine_name || satmFormat.short(row.device_id)
    },
    /** Until it is settled, what the customer was asked to pay. */
    total(row) {
      return row.total_sats ?? row.crypto_amount
    },
    reason(row) {
      if (row.hold_code) {
        return satmText.told(`hold.${row.hold_code}`, row.reason)
      }
      return row.error_message || row.operator_reason || ''
    }
  }
})
