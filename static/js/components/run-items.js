// @ts-check
// What the last run did not call a match, by verdict.
satmComponent('satm-run-items', {
  props: {
    run: {type: Object, required: true},
    version: {type: Number, required: true}
  },
  emits: ['finding', 'open'],
  data() {
    return {
      verdict: 'mismatch',
      place: {page: 1, sortBy: null, descending: false}
    }
  },
  computed: {
    params() {
      return {verdict: this.verdict}
    },
    verdicts() {
      const {mismatches, errors, in_flight} = this.run
      const all = {mismatch: mismatches, error: errors, in_flight}
      return Object.entries(all).map(([value, n]) => ({
        value,
        label: `${satmText.t(`verdict.${value}`)} (${satmFormat.number(n)})`
      }))
    },
    columns() {
      const {t} = satmText
      const left = {align: 'left'}
      return [
        {name: 'verdict', label: t('recon.verdict'), field: 'verdict', ...left},
        {
          name: 'subject',
          label: t('recon.about'),
          field: 'subject_id',
          ...left
        },
        {name: 'link', label: t('recon.link'), field: this.link, ...left},
        {
          name: 'actual',
          label: t('recon.values'),
          field: 'actual',
          classes: 'satm-wrap',
          style: 'white-space: normal',
          ...left
        }
      ]
    }
  },
  watch: {
    verdict() {
      this.place = {...this.place, page: 1}
    }
  },
  methods: {
    link(row) {
      return row.link ? satmText.told(`link.${row.link}`, row.link) : ''
    },
    about(row) {
      const kind = satmText.told(
        `subject.${row.subject_kind}`,
        row.subject_kind
      )
      return `${kind} ${satmFormat.short(row.subject_id)}`
    },
    open(row) {
      if (row.finding_id) this.$emit('finding', row.finding_id)
      else if (row.cash_out_id) this.$emit('open', row.cash_out_id)
    }
  }
})
