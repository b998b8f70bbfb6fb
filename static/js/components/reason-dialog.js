// @ts-check
// An action that needs a reason: says what it does, sends it, closes when it was done.
satmComponent('satm-reason-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    title: {type: String, required: true},
    text: {type: String, required: true},
    action: {type: String, required: true},
    color: {type: String, default: 'primary'},
    /** Path of the request; its body is `{reason}`. */
    path: {type: String, required: true}
  },
  emits: ['update:model-value', 'done'],
  data() {
    return {reason: '', busy: false, problem: null}
  },
  methods: {
    reset() {
      this.reason = ''
      this.problem = null
    },
    async act() {
      this.busy = true
      this.problem = null
      try {
        await satmApi.once('POST', this.path, {reason: this.reason})
        this.$emit('update:model-value', false)
        this.$emit('done')
      } catch (error) {
        this.problem = satmApi.problem(error)
      } finally {
        this.busy = false
      }
    }
  }
})
