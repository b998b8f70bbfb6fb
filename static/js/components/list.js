// @ts-check
// A table that the server pages and sorts; cards on a phone. Its three other faces: loading, empty
// (why, and what to do), error. Cells and cards come as the table's own slots.
satmComponent('satm-list', {
  props: {
    path: {type: String, required: true},
    params: {type: Object, default: () => ({})},
    columns: {type: Array, required: true},
    visible: {type: Array, default: null},
    /** @type {any} {page, sortBy, descending} */
    place: {type: Object, required: true},
    version: {type: Number, default: 0},
    test: {type: String, default: ''},
    /** Somebody else offers the order to a phone, whose cards have no column heads. */
    ownSort: {type: Boolean, default: false},
    rowsPerPage: {type: Number, default: 10},
    emptyText: {type: String, default: ''},
    emptyIcon: {type: String, default: 'hourglass_empty'}
  },
  emits: ['update:place', 'open', 'total'],
  data() {
    return {
      rows: [],
      total: 0,
      size: this.rowsPerPage,
      loading: true,
      problem: null,
      asked: 0
    }
  },
  computed: {
    pagination() {
      return {
        ...this.place,
        rowsPerPage: this.size,
        rowsNumber: this.total
      }
    },
    wanted() {
      const {page, sortBy, descending} = this.place
      return {
        ...this.params,
        limit: this.size,
        offset: (page - 1) * this.size,
        sortby: sortBy,
        direction: sortBy ? (descending ? 'desc' : 'asc') : null
      }
    },
    sorts() {
      if (this.ownSort) return []
      return /** @type {any[]} */ (this.columns)
        .filter(column => column.sortable)
        .flatMap(({name, label}) => [
          {value: name, label: `${label} ↑`},
          {value: `-${name}`, label: `${label} ↓`}
        ])
    },
    sorted() {
      return (this.place.descending ? '-' : '') + (this.place.sortBy ?? '')
    },
    /** Slots that are the table's; `empty-action` is ours. */
    passed() {
      return Object.keys(this.$slots).filter(name => name !== 'empty-action')
    }
  },
  watch: {
    wanted(now, before) {
      if (JSON.stringify(now) !== JSON.stringify(before)) this.load()
    },
    path: 'load',
    version: 'load'
  },
  created() {
    this.load()
  },
  methods: {
    async load() {
      const turn = ++this.asked
      this.loading = true
      try {
        const page = await satmApi.get(this.path, this.wanted)
        if (turn !== this.asked) return
        this.rows = page.data
        this.total = page.total
        this.problem = null
        this.$emit('total', page.total)
        this.comeBack()
      } catch (error) {
        if (turn !== this.asked) return
        this.problem = satmApi.problem(error)
      }
      this.loading = false
    },
    /** From a page past the end, as when a filter of a link fits fewer rows now. */
    comeBack() {
      const last = Math.max(1, Math.ceil(this.total / this.size))
      if (this.place.page > last) this.go({...this.place, page: last})
    },
    request({pagination}) {
      const {page, rowsPerPage, sortBy, descending} = pagination
      this.size = rowsPerPage
      this.go({page, sortBy, descending})
    },
    sortBy(sorted) {
      this.go({
        page: 1,
        sortBy: sorted.replace('-', ''),
        descending: sorted.startsWith('-')
      })
    },
    /** Quasar follows our `pagination` only where it may report its own. */
    known() {},
    go(place) {
      this.$emit('update:place', place)
    },
    pageLabel(first, last, all) {
      return satmText.t('pageOf', {first, last, all})
    }
  }
})
