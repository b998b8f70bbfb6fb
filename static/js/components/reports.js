// @ts-check
// Balances, commission and the reports.
satmComponent('satm-reports', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed', 'open']
})
