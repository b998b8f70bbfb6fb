// @ts-check
// A state: icon and word, the sentence behind it in the tooltip.
satmComponent('satm-chip', {
  props: {
    kind: {type: String, required: true},
    state: {type: String, required: true},
    tip: {type: String, default: ''}
  },
  computed: {
    look() {
      return satmWords[this.kind][this.state] ?? {icon: 'help_outline'}
    },
    word() {
      const kind = this.kind === 'deposit' ? 'deposit.state' : this.kind
      return satmText.told(`${kind}.${this.state}`, this.state)
    }
  }
})
