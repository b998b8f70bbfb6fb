// @ts-check
// Per coin: do the customers' sats arrive elsewhere, or are they in the source wallet already.
satmComponent('satm-funding-fields', {
  props: {form: {type: Object, required: true}},
  data() {
    return {
      coins: [
        {name: 'funding_ln', label: 'Lightning (LN)'},
        {name: 'funding_btc', label: 'Bitcoin (BTC)'}
      ]
    }
  },
  computed: {
    fundings() {
      return ['credit', 'prefunded'].map(value => ({
        value,
        label: satmText.t(`funding.${value}`)
      }))
    }
  }
})
