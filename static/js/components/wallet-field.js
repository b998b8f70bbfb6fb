// @ts-check
// One of the operator's own wallets by name, or the id of any other wallet of this LNbits.
satmComponent('satm-wallet-field', {
  props: {
    modelValue: {type: String, default: null},
    wallets: {type: Array, required: true},
    label: {type: String, required: true},
    hint: {type: String, default: ''},
    error: {type: String, default: ''}
  },
  emits: ['update:model-value', 'opened'],
  data() {
    return {wanted: '', typed: ''}
  },
  computed: {
    own() {
      return /** @type {OwnWallet[]} */ (this.wallets)
        .filter(wallet => wallet.usable)
        .map(({name, id, balance_sats}) => ({
          label: name,
          value: id,
          balance: satmFormat.sats(balance_sats)
        }))
    },
    shown() {
      const wanted = this.wanted.toLowerCase()
      return this.own.filter(
        ({label, value}) =>
          label.toLowerCase().includes(wanted) || value.includes(wanted)
      )
    }
  },
  methods: {
    /**
     * @param {string} text
     * @param {(found: () => void) => void} update
     */
    filter(text, update) {
      this.$emit('opened')
      update(() => {
        this.wanted = text
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
