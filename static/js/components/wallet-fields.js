// @ts-check
// Where clients are paid from, and where the commission goes.
satmComponent('satm-wallet-fields', {
  props: SATM_PART,
  data() {
    return {wallets: []}
  },
  created() {
    this.load()
  },
  methods: {
    /** Again whenever a list is opened: a wallet may have been made meanwhile. */
    async load() {
      try {
        this.wallets = (await satmApi.get('wallets')).data
      } catch (error) {
        satmApi.complain(error)
      }
    },
    /** @param {string} name */
    field(name) {
      const {error, ...said} = satmField('form', name, this.problem)
      return {...said, error: said['error-message'] ?? ''}
    }
  }
})
