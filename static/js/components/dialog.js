// @ts-check
// The frame of every form: title, body, what went wrong, actions. Stays open while busy.
satmComponent('satm-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    title: {type: String, required: true},
    busy: {type: Boolean, default: false},
    problem: {type: Object, default: null},
    done: {type: Boolean, default: false}
  },
  emits: ['update:model-value', 'show']
})
