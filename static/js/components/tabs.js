// @ts-check
// The parts of the page to choose from; the one that is shown is in the address.
satmComponent('satm-tabs', {
  props: {modelValue: {type: String, required: true}},
  emits: ['update:modelValue'],
  computed: {
    tabs() {
      const icons = {
        overview: 'dashboard',
        'cash-outs': 'receipt',
        clients: 'group',
        deposits: 'savings',
        books: 'account_balance',
        setup: 'settings'
      }
      return satmAddress.TABS.map(name => ({
        name,
        icon: icons[name],
        label: satmText.t(`tab.${name}`)
      }))
    }
  }
})
