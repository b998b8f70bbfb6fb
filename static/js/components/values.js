// @ts-check
// Two values that should be one: what the earlier side says, and what the later one does.
satmComponent('satm-values', {
  props: {
    expected: {type: String, required: true},
    actual: {type: String, required: true}
  }
})
