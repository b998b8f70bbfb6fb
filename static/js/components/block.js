// @ts-check
// A card of the page with its three other faces: loading, empty (why, and what to do), error.
satmComponent('satm-block', {
  props: {
    title: {type: String, required: true},
    loading: {type: Boolean, default: false},
    problem: {type: Object, default: null},
    empty: {type: String, default: ''},
    emptyIcon: {type: String, default: 'info'},
    emptyColor: {type: String, default: 'info'}
  },
  emits: ['retry']
})
