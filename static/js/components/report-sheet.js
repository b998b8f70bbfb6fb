// @ts-check
// The report for paper: every line of every section, as plain tables, in light colours.
satmComponent('satm-report-sheet', {
  props: {
    modelValue: {type: Boolean, required: true},
    span: {type: String, required: true},
    at: {type: String, required: true},
    /** @type {any} */
    sections: {type: Array, required: true}
  },
  emits: ['update:modelValue'],
  methods: {
    cell(column, row) {
      const value = column.value(row)
      if (column.name === 'verdict') return satmText.t(`tally.${value}`)
      if (column.name === 'status') return satmText.t(`share.${value}`)
      return value
    },
    print() {
      window.print()
    }
  }
})
