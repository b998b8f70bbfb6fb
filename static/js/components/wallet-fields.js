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
        const wallets = (await satmApi.get('wallets')).data
        // An open list is drawn again only when there is something new in it.
        if (JSON.stringify(wallets) !== JSON.stringify(this.wallets)) {
          this.wallets = wallets
        }
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
