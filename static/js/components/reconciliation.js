// @ts-check
// Runs, findings and the four sides of an item.
satmComponent('satm-reconciliation', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed', 'open']
})
