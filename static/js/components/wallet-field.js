// @ts-check
// One of the operator's own wallets, or the id of any other wallet of this LNbits.
satmComponent('satm-wallet-field', {
  props: {
    modelValue: {type: String, default: null},
    label: {type: String, required: true},
    hint: {type: String, default: ''},
    error: {type: String, default: ''}
  },
  emits: ['update:model-value'],
  data() {
    return {shown: [], typed: ''}
  },
  computed: {
    own() {
      return this.g.user.wallets
        .filter(wallet => wallet.walletType === 'lightning')
        .map(wallet => ({label: wallet.name, value: wallet.id}))
    }
  },
  created() {
    this.shown = this.own
  },
  methods: {
    /**
     * @param {string} text
     * @param {(found: () => void) => void} update
     */
    filter(text, update) {
      update(() => {
        const wanted = text.toLowerCase()
        this.shown = this.own.filter(
          ({label, value}) =>
            label.toLowerCase().includes(wanted) || value.includes(wanted)
        )
      })
    },
    choose(value) {
      this.typed = ''
      this.$emit('update:model-value', value || null)
    },
    /** An id that was typed counts without pressing Enter. */
    takeTyped() {
      const text = this.typed.trim()
      const named = this.own.find(({label}) => label === text)
      if (text && !named && text !== this.modelValue) this.choose(text)
    }
  }
})
