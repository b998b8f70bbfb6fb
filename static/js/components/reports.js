// @ts-check
// The report of a range of days: the five sections, the wallets and the commission by rule. The
// days are in the address, `?view=reports&from=2026-01-01&to=2026-01-31#books`.
satmComponent('satm-reports', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed', 'open'],
  data() {
    return {
      /** @type {BooksReport | null} */
      found: null,
      problem: null,
      loading: false,
      printing: false,
      asked: 0
    }
  },
  computed: {
    range() {
      const {from, to} = this.$route.query
      return {
        from: from === undefined ? this.monthAgo() : String(from),
        to: String(to ?? '')
      }
    },
    files() {
      return ['clients', 'processing', 'shares', 'deposits', 'splits'].map(
        name => ({
          name,
          label: satmText.t(`report.${name}`),
          href: this.address(`reports/${name}.csv`)
        })
      )
    },
    json() {
      return this.address('reports/books')
    },
    sections() {
      return this.found ? satmReportSections(this.found) : []
    },
    span() {
      if (!this.found) return ''
      const {from, to} = this.found.period
      const first = from ? satmFormat.day(from) : satmText.t('report.beginning')
      return satmText.t('report.span', {
        first,
        last: satmFormat.day(to),
        zone: this.found.period.time_zone
      })
    }
  },
  watch: {
    range(now, before) {
      if (JSON.stringify(now) !== JSON.stringify(before)) this.load()
    },
    version: 'load'
  },
  created() {
    this.load()
  },
  methods: {
    monthAgo() {
      const day = new Date()
      day.setDate(day.getDate() - 30)
      return day.toISOString().slice(0, 10)
    },
    address(path) {
      return `${satmApi.BASE}${path}?${satmApi.query(this.range)}`
    },
    choose(changes) {
      const query = {view: 'reports', ...this.range, ...changes}
      this.$router.push(satmAddress.to('books', query))
    },
    async load() {
      const asked = ++this.asked
      this.loading = true
      try {
        const found = await satmApi.get('reports/books', this.range)
        if (asked !== this.asked) return
        this.found = found
        this.problem = null
      } catch (error) {
        if (asked === this.asked) this.problem = satmApi.problem(error)
      }
      if (asked === this.asked) this.loading = false
    },
    openRow(section, row) {
      if (section.opens === 'client')
        satmQuery.set({client_page: row.client_id})
      else this.$emit('open', row.id)
    }
  }
})
