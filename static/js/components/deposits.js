// @ts-check
// Deposits that nobody counted yet, oldest first.
const SATM_DEPOSITS_SHOWN = 10

satmComponent('satm-deposits', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed'],
  data() {
    return {
      /** @type {Deposit[]} */
      rows: [],
      total: 0,
      names: {},
      loading: true,
      problem: null,
      adding: false,
      deciding: false,
      decision: 'confirmed',
      /** @type {Deposit | null} */
      asked: null
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
    async load() {
      try {
        const [page, names] = await Promise.all([
          satmApi.get('deposits', {
            'status[eq]': 'pending',
            limit: SATM_DEPOSITS_SHOWN,
            sortby: 'created_at',
            direction: 'asc'
          }),
          satmClientNames()
        ])
        this.rows = page.data
        this.total = page.total
        this.names = names
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.loading = false
    },
    /** @param {Deposit} deposit */
    name(deposit) {
      return (
        this.names[deposit.client_id] || satmFormat.short(deposit.client_id)
      )
    },
    ask(deposit, decision) {
      this.asked = deposit
      this.decision = decision
      this.deciding = true
    }
  }
})
