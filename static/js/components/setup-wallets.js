// @ts-check
// The wallets, and for each coin where the customers' sats arrive.
satmComponent('satm-setup-wallets', {
  mixins: [SATM_STEP],
  data() {
    return {
      form: {
        ...satmPick(satmConnectionForm(this.config), [
          'source_wallet_id',
          'commission_wallet_id'
        ]),
        ...satmPick(this.settings, ['funding_ln', 'funding_btc'])
      }
    }
  },
  methods: {
    save() {
      const {funding_ln, funding_btc, ...wallets} = this.form
      this.act(async () => {
        await satmApi.send('PATCH', 'config', wallets)
        await satmApi.send('PUT', 'settings', {funding_ln, funding_btc})
      })
    }
  }
})
