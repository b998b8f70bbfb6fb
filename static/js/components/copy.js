// @ts-check
// A text with a button that copies it whole, however short it is shown.
satmComponent('satm-copy', {
  props: {
    text: {type: String, required: true},
    shown: {type: String, default: ''},
    what: {type: String, required: true},
    mono: {type: Boolean, default: true}
  }
})
