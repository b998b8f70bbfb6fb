// @ts-check
// Findings: what differs somewhere, those that nobody has looked at first.
satmComponent('satm-findings', {
  props: {version: {type: Number, required: true}},
  emits: ['finding', 'open'],
  data() {
    return {
      state: 'open',
      place: {page: 1, sortBy: 'last_us', descending: true}
    }
  },
  computed: {
    params() {
      return {status: this.state}
    },
    states() {
      const all = {value: '', label: satmText.t('list.all')}
      const states = Object.keys(satmWords.finding).map(value => ({
        value,
        label: satmText.t(`finding.${value}`)
      }))
      return [...states, all]
    },
    columns() {
      const {t} = satmText
      const left = {align: 'left'}
      return [
        {name: 'code', label: t('recon.what'), field: 'code', ...left},
        {name: 'values', label: t('recon.values'), field: 'actual', ...left},
        {
          name: 'difference_sats',
          label: t('recon.difference'),
          field: row => this.difference(row),
          align: 'right',
          classes: 'satm-number'
        },
        {name: 'status', label: t('state'), field: 'status', ...left},
        {
          name: 'last_us',
          label: t('recon.lastSeen'),
          field: 'last_at',
          sortable: true,
          ...left
        }
      ]
    }
  },
  watch: {
    state() {
      this.place = {...this.place, page: 1}
    }
  },
  methods: {
    difference(row) {
      return row.difference_sats === null
        ? ''
        : satmFormat.sats(row.difference_sats)
    },
    name(row) {
      return satmText.told(`code.${row.code}`, row.code)
    },
    about(row) {
      return row.client_name || satmFormat.short(row.subject_id)
    }
  }
})
