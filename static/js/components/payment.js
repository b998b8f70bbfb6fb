// @ts-check
// A share's payment: its hash, and the way to LNbits' own list, which is searched by that hash.
satmComponent('satm-payment', {
  props: {
    hash: {type: String, required: true},
    walletId: {type: String, default: null}
  },
  computed: {
    /** LNbits shows a wallet to its owner only, all payments to its superuser. */
    place() {
      const own = this.g.user.wallets.some(one => one.id === this.walletId)
      return own ? `/wallet/${this.walletId}` : '/payments'
    }
  },
  methods: {
    copy() {
      this.utils.copyText(this.hash, satmText.t('list.payment.copied'))
    }
  }
})
