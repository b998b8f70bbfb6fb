// @ts-check
// A table of a report, cards on a phone. Rows and columns come whole; nothing is added up here.
satmComponent('satm-report-table', {
  props: {
    /** @type {any} */
    rows: {type: Array, required: true},
    /** @type {any} {name, label, value, align}; the first one is a card's title */
    columns: {type: Array, required: true},
    test: {type: String, default: ''},
    rowKey: {type: String, default: 'key'},
    opens: {type: Boolean, default: false}
  },
  emits: ['open'],
  data() {
    return {pagination: {page: 1, rowsPerPage: 10}}
  },
  computed: {
    shown() {
      return this.columns.map(({name, label, value, align}) => ({
        name,
        label,
        field: value,
        align: align ?? 'left',
        classes: align === 'right' ? 'satm-number' : 'satm-wrap'
      }))
    }
  },
  methods: {
    open(row) {
      if (this.opens) this.$emit('open', row)
    }
  }
})
