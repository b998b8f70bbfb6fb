// @ts-check
// Who gets the bitcoin: clients, and the cash they brought. May be left empty.
satmComponent('satm-setup-clients', {
  mixins: [SATM_STEP],
  data() {
    return {adding: false, version: 0}
  },
  computed: {
    text() {
      const {with_balance, balance, currency, active} = this.step.facts
      return satmText.t('setup.clients.now', {
        n: active,
        with: with_balance,
        balance: satmFormat.fiat(balance, currency)
      })
    },
    emptyText() {
      const settled = this.settings.settle_without_clients
      return satmText.t(settled ? 'setup.clients.kept' : 'setup.clients.held')
    }
  },
  methods: {
    saved() {
      this.version++
      this.$emit('changed')
    }
  }
})
