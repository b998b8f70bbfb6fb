// @ts-check
// The clients' shares of one cash-out; a failed one can be tried again or given up.
satmComponent('satm-shares', {
  props: {shares: {type: Array, required: true}},
  emits: ['changed'],
  data() {
    return {
      asking: false,
      action: 'retry_share',
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
