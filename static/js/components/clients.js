// @ts-check
/**
 * How a client takes part. A mode the server does not know, or a fixed one without a limit, takes
 * nothing.
 * @param {Client} client
 */
function satmClientMode(client) {
  const limit = client.fixed_mode_daily_limit ?? 0
  if (client.dca_mode === 'flow') return satmText.t('mode.flow')
  if (client.dca_mode === 'fixed' && limit > 0) {
    return satmText.t('mode.fixedLimit', {limit: satmFormat.number(limit)})
  }
  return satmText.t('mode.paused')
}

// The clients: how they take part, what is left of their deposits and what they got so far.
satmComponent('satm-clients', {
  props: {version: {type: Number, required: true}},
  emits: ['changed'],
  data() {
    return {
      adding: false,
      search: '',
      states: '',
      total: 0,
      place: {page: 1, sortBy: 'username', descending: false}
    }
  },
  computed: {
    params() {
      return {search: this.search, status: this.states}
    },
    listed() {
      return {...this.params, activity: true}
    },
    filtered() {
      return !!this.search || !!this.states
    },
    stateOptions() {
      const all = {value: '', label: satmText.t('list.all')}
      const states = Object.keys(satmWords.client).map(value => ({
        value,
        label: satmText.t(`client.${value}`)
      }))
      return [all, ...states]
    },
    columns() {
      const {t} = satmText
      const {number} = satmFormat
      const left = {align: 'left'}
      const amount = {align: 'right', classes: 'satm-number'}
      return [
        {
          name: 'username',
          label: t('client.name'),
          field: this.name,
          sortable: true,
          ...left
        },
        {
          name: 'dca_mode',
          label: t('client.mode'),
          field: satmClientMode,
          sortable: true,
          ...left
        },
        {
          name: 'remaining',
          label: t('remaining'),
          field: 'id',
          sortable: true,
          ...amount
        },
        {
          name: 'deposits',
          label: t('tab.deposits'),
          field: row => number(row.deposits),
          ...amount
        },
        {
          name: 'shares',
          label: t('list.shares'),
          field: row => number(row.shares),
          ...amount
        },
        {
          name: 'lifetime',
          label: t('list.received'),
          field: row => satmFormat.sats(row.lifetime_sats),
          ...amount
        },
        {name: 'cost', label: t('list.cost'), field: 'id', ...amount},
        {
          name: 'last_share',
          label: t('list.lastShare'),
          field: 'last_share_at',
          sortable: true,
          ...left
        },
        {
          name: 'status',
          label: t('state'),
          field: 'status',
          sortable: true,
          ...left
        },
        {name: 'open', label: '', field: 'id', align: 'right'}
      ]
    },
    visible() {
      const narrow = ['deposits', 'shares', 'cost']
      const names = this.columns.map(column => column.name)
      return this.$q.screen.lt.lg
        ? names.filter(name => !narrow.includes(name))
        : names
    }
  },
  watch: {
    params() {
      this.place = {...this.place, page: 1}
    }
  },
  methods: {
    /** @param {Client} client */
    name(client) {
      return client.username || satmFormat.short(client.user_id)
    },
    mode: satmClientMode,
    remaining(client) {
      if (!client.balances.length) return [satmFormat.NONE]
      return client.balances.map(balance =>
        satmFormat.fiat(balance.remaining_balance, balance.currency)
      )
    },
    costs(client) {
      if (!client.average_costs.length) return [satmFormat.NONE]
      return client.average_costs.map(one =>
        satmFormat.fiat(one.average_cost, one.currency)
      )
    },
    open(client) {
      satmQuery.set({client_page: client.id})
    },
    clear() {
      this.search = ''
      this.states = ''
    }
  }
})
