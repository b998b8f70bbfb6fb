// @ts-check
// One page of the runbook: how it stands now, what shows it, the steps, the buttons.
satmComponent('satm-failure', {
  props: {
    /** @type {any} */
    page: {type: Object, required: true}
  },
  emits: ['act'],
  data() {
    return {open: this.page.state === 'bad'}
  },
  computed: {
    title() {
      return satmRunbook.title(this.page.name)
    },
    steps() {
      return satmRunbook.steps(this.page.name)
    },
    facts() {
      return satmRunbook.facts(this.page.facts)
    },
    acts() {
      return satmRunbook.ACTS[this.page.name].map(name => ({
        name,
        icon: satmRunbook.ICONS[name] ?? 'arrow_forward',
        label: satmText.t(`runbook.act.${name}`)
      }))
    },
    /** What is wrong first. */
    signs() {
      const order = ['bad', 'warn', 'unknown', 'ok']
      const sorted = /** @type {Sign[]} */ ([...this.page.signs])
      sorted.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
      return sorted.map(sign => ({
        ...sign,
        ...satmRunbook.said(sign),
        title: satmRunbook.sign(sign),
        counted:
          sign.count === null
            ? ''
            : `${satmFormat.number(sign.count)} · ${satmFormat.sats(sign.sats)}`
      }))
    }
  }
})
