// @ts-check
// The end of a step's form: what went wrong, and the one button that goes on.
satmComponent('satm-setup-actions', {
  props: {
    label: {type: String, required: true},
    busy: {type: Boolean, default: false},
    disable: {type: Boolean, default: false},
    problem: {type: Object, default: null}
  }
})
