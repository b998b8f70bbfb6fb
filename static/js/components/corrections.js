// @ts-check
// What a person put right, newest first; what waits for the second person, and who that is.
satmComponent('satm-corrections', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed', 'open'],
  data() {
    return {
      place: {page: 1, sortBy: 'proposed_us', descending: true},
      correcting: false,
      /** @type {any} */
      request: {actions: []},
      rejecting: false,
      rejected: null,
      second: false
    }
  },
  computed: {
    columns() {
      const {t} = satmText
      const left = {align: 'left'}
      return [
        {
          name: 'proposed_us',
          label: t('audit.when'),
          field: 'proposed_at',
          sortable: true,
          ...left
        },
        {
          name: 'kind',
          label: t('correction.kind'),
          field: row => satmText.t(`correction.kind.${row.kind}`),
          sortable: true,
          ...left
        },
        {name: 'client', label: t('client'), field: this.name, ...left},
        {
          name: 'amount',
          label: t('correction.amount'),
          field: this.amount,
          align: 'right',
          classes: 'satm-number'
        },
        {
          name: 'note',
          label: t('correction.noteShort'),
          field: 'note',
          classes: 'satm-wrap',
          style: 'white-space: normal',
          ...left
        },
        {name: 'status', label: t('state'), field: 'status', ...left}
      ]
    }
  },
  methods: {
    name(row) {
      if (!row.client_id) return '–'
      return row.username || satmFormat.short(row.client_id)
    },
    amount(row) {
      const parts = [
        row.amount && satmFormat.fiat(row.amount, row.currency),
        row.sats && satmFormat.sats(row.sats)
      ]
      return parts.filter(Boolean).join(' · ') || '–'
    },
    make() {
      this.request = {
        actions: [
          'adjust_balance',
          'recover_overpayment',
          'write_off',
          'compensate',
          'pay_missing',
          'restore_wallet_row'
        ]
      }
      this.correcting = true
    },
    approve(row) {
      this.request = {action: 'approve_correction', correction_id: row.id}
      this.correcting = true
    },
    reject(row) {
      this.rejected = row
      this.rejecting = true
    }
  }
})
