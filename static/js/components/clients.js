// @ts-check
/**
 * Client id -> name, for rows that carry only the id. As many as one page of the API holds.
 * @returns {Promise<Record<string, string>>}
 */
async function satmClientNames() {
  try {
    const page = await satmApi.get('clients', {limit: 1000})
    return Object.fromEntries(
      page.data.map(client => [client.id, client.username])
    )
  } catch {
    return {} // the ids are shown then
  }
}

// The clients: how they take part and what is left of their deposits.
satmComponent('satm-clients', {
  props: {version: {type: Number, required: true}},
  emits: ['changed'],
  data() {
    return {
      rows: [],
      loading: true,
      problem: null,
      adding: false,
      pagination: {page: 1, rowsPerPage: 10, rowsNumber: 0}
    }
  },
  computed: {
    columns() {
      const {t} = satmText
      return [
        {
          name: 'name',
          label: t('client.name'),
          field: this.name,
          align: 'left'
        },
        {
          name: 'mode',
          label: t('client.mode'),
          field: this.mode,
          align: 'left'
        },
        {
          name: 'remaining',
          label: t('remaining'),
          field: 'id',
          align: 'right',
          classes: 'satm-number'
        },
        {name: 'status', label: t('state'), field: 'status', align: 'left'}
      ]
    }
  },
  watch: {
    version() {
      this.load()
    }
  },
  created() {
    this.load()
  },
  methods: {
    async load(request) {
      const wanted = request?.pagination ?? this.pagination
      this.loading = true
      try {
        const page = await satmApi.get('clients', {
          limit: wanted.rowsPerPage,
          offset: (wanted.page - 1) * wanted.rowsPerPage
        })
        this.rows = page.data
        this.pagination = {...wanted, rowsNumber: page.total}
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.loading = false
    },
    pageLabel(first, last, all) {
      return satmText.t('pageOf', {first, last, all})
    },
    /** @param {Client} client */
    name(client) {
      return client.username || satmFormat.short(client.user_id)
    },
    /** A mode the server does not know, or a fixed one without a limit, takes nothing. */
    mode(client) {
      const limit = client.fixed_mode_daily_limit
      if (client.dca_mode === 'flow') return satmText.t('mode.flow')
      if (client.dca_mode === 'fixed' && limit > 0) {
        return satmText.t('mode.fixedLimit', {limit: satmFormat.number(limit)})
      }
      return satmText.t('mode.paused')
    },
    remaining(client) {
      if (!client.balances.length) return [satmFormat.NONE]
      return client.balances.map(balance =>
        satmFormat.fiat(balance.remaining_balance, balance.currency)
      )
    }
  }
})
