// @ts-check
// Deposits: those that nobody counted yet first, since they hold up a client's bitcoin.
satmComponent('satm-deposits', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed'],
  data() {
    return {
      state: 'pending',
      client: null,
      search: '',
      place: {page: 1, sortBy: 'created_at', descending: false},
      adding: false,
      deciding: false,
      decision: 'confirmed',
      /** @type {Deposit | null} */
      asked: null
    }
  },
  computed: {
    params() {
      return {status: this.state, client: this.client, search: this.search}
    },
    narrowed() {
      return !!this.client || !!this.search
    },
    states() {
      const all = {value: '', label: satmText.t('list.all')}
      const states = Object.keys(satmWords.deposit).map(value => ({
        value,
        label: satmText.t(`deposit.state.${value}`)
      }))
      return [...states, all]
    },
    empty() {
      if (this.narrowed) return satmText.t('list.deposits.noMatch')
      return satmText.t(
        this.state === 'pending' ? 'deposits.none' : 'list.deposits.none'
      )
    },
    columns() {
      const {t} = satmText
      const left = {align: 'left'}
      return [
        {
          name: 'created_at',
          label: t('list.writtenDown'),
          field: 'created_at',
          sortable: true,
          ...left
        },
        {name: 'client', label: t('client'), field: this.name, ...left},
        {
          name: 'amount_minor',
          label: t('deposit.amount'),
          field: row => satmFormat.fiat(row.amount_decimal, row.currency),
          sortable: true,
          align: 'right',
          classes: 'satm-number text-weight-medium'
        },
        {
          name: 'status',
          label: t('state'),
          field: 'status',
          sortable: true,
          ...left
        },
        {
          name: 'notes',
          label: t('deposit.notes'),
          field: 'notes',
          classes: 'satm-wrap',
          style: 'white-space: normal',
          ...left
        },
        {name: 'actions', label: '', field: 'id', align: 'right'}
      ]
    }
  },
  watch: {
    params(now) {
      const oldestFirst = now.status === 'pending'
      this.place = {
        page: 1,
        sortBy: 'created_at',
        descending: !oldestFirst
      }
    }
  },
  methods: {
    /** @param {Deposit} deposit */
    name(deposit) {
      return deposit.username || satmFormat.short(deposit.client_id)
    },
    openClient(deposit) {
      satmQuery.set({client_page: deposit.client_id})
    },
    ask(row, decision) {
      this.asked = row
      this.decision = decision
      this.deciding = true
    },
    clear() {
      this.client = null
      this.search = ''
    }
  }
})
