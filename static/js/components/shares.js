// @ts-check
// The clients' shares of one cash-out; a failed one can be tried again or given up.
satmComponent('satm-shares', {
  props: {shares: {type: Array, required: true}},
  emits: ['changed'],
  data() {
    return {
      busy: '',
      asking: false,
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
    cancelText() {
      return satmText.t('share.cancel.text', {
        name: this.name(this.asked),
        fiat: satmFormat.fiat(this.asked.fiat, this.asked.currency),
        sats: satmFormat.sats(this.asked.amount_sats)
      })
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
    ask(share) {
      this.asked = share
      this.asking = true
    },
    async retry(share) {
      this.busy = share.id
      try {
        await satmApi.once('POST', `payments/${share.id}/retry`)
      } catch (error) {
        satmApi.complain(error)
      }
      this.busy = ''
      this.$emit('changed')
    }
  }
})
