// @ts-check
// What went wrong and the next step, in the server's words.
satmComponent('satm-problem', {
  props: {
    problem: {type: Object, required: true},
    retry: {type: Boolean, default: false}
  },
  emits: ['retry']
})
