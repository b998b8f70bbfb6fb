// @ts-check
// The runbook for the binder: every page, the checklist, whom to call, on paper.
satmComponent('satm-runbook-sheet', {
  props: {
    modelValue: {type: Boolean, required: true},
    /** @type {any} */
    book: {type: Object, required: true},
    backup: {type: Array, required: true},
    backupText: {type: Array, required: true}
  },
  emits: ['update:modelValue'],
  computed: {
    pages() {
      return /** @type {Failure[]} */ (this.book.failures).map((page, at) => ({
        ...page,
        title: `${at + 1}. ${satmRunbook.title(page.name)}`,
        steps: satmRunbook.steps(page.name),
        done: satmText.t(`runbook.${page.name}.done`),
        facts: satmRunbook.facts(page.facts),
        signs: page.signs
          .filter(sign => sign.state !== 'ok')
          .map(sign => ({
            ...sign,
            ...satmRunbook.said(sign),
            title: satmRunbook.sign(sign)
          }))
      }))
    },
    phases() {
      return [1, 2, 3, 4, 5].map(phase => ({
        phase,
        title: satmText.t(`phase.${phase}`),
        lines: satmRunbook.lines(phase)
      }))
    }
  },
  methods: {
    print() {
      window.print()
    }
  }
})
