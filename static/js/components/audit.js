// @ts-check
// The audit trail.
satmComponent('satm-audit', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed', 'open']
})
