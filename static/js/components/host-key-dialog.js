// @ts-check
// The host key in a dialog of its own, for a server whose key is met later.
satmComponent('satm-host-key-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    /** Another key was accepted before. */
    replaces: {type: Boolean, default: false}
  },
  emits: ['update:model-value', 'accepted'],
  data() {
    return {busy: false}
  },
  methods: {
    accepted() {
      this.$emit('update:model-value', false)
      this.$emit('accepted')
    }
  }
})
