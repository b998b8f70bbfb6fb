// @ts-check
// The clients' shares of one cash-out; a failed one can be tried again or given up.
satmComponent('satm-shares', {
  props: {shares: {type: Array, required: true}},
  emits: ['changed'],
  data() {
    return {
      asking: false,
      action: 'retry_share',
      correcting: false,
      /** @type {any} */
      correction: null,
      /** @type {Share | null} */
      asked: null
    }
  },
  computed: {
    columns() {
      const {t} = satmText
      const {number, fiat} = satmFormat
      const amount = {align: 'right', classes: 'satm-number'}
      return [
        {name: 'client', label: t('client'), field: this.name, align: 'left'},
        {
          name: 'sats',
          label: 'sats',
          field: row => number(row.amount_sats),
          ...amount
        },
        {
          name: 'fiat',
          label: t('charged'),
          field: row => fiat(row.fiat, row.currency),
          ...amount
        },
        {name: 'state', label: t('state'), field: 'status', align: 'left'},
        {name: 'hash', label: t('paymentHash'), field: 'id', align: 'left'}
      ]
    },
    giving() {
      return this.action === 'cancel_share'
    }
  },
  methods: {
    /** @param {Share} share */
    name(share) {
      return share.username || satmFormat.short(share.client_id)
    },
    /** @param {any} share */
    correct(share) {
      const {id, client_id, cash_out_id} = share
      this.correction =
        share.status === 'failed'
          ? {actions: ['settle_to_wallet', 'cancel_share'], share_id: id}
          : {actions: ['compensate', 'recover_overpayment'], client_id}
      if (share.status !== 'failed') this.correction.cash_out_id = cash_out_id
      this.correcting = true
    },
    openClient(share) {
      satmQuery.set({client_page: share.client_id})
    },
    /**
     * @param {string} action
     * @param {Share} share
     */
    ask(action, share) {
      this.action = action
      this.asked = share
      this.asking = true
    }
  }
})
