// @ts-check
// A secret that is only ever written. `null`: stays as it is; empty: is removed; else: is new.
satmComponent('satm-secret-field', {
  props: {
    modelValue: {type: String, default: null},
    label: {type: String, required: true},
    isSet: {type: Boolean, default: false},
    setAt: {type: String, default: null},
    multiline: {type: Boolean, default: false},
    removable: {type: Boolean, default: false},
    hint: {type: String, default: ''},
    error: {type: String, default: ''}
  },
  emits: ['update:model-value'],
  data() {
    return {mode: 'keep'}
  },
  computed: {
    kept() {
      return this.isSet && this.mode === 'keep'
    },
    setText() {
      const {t} = satmText
      const when = satmFormat.when(this.setAt)
      return this.setAt ? t('secret.setOn', {when}) : t('secret.set')
    },
    removed() {
      return this.isSet && this.mode === 'remove'
    }
  },
  methods: {
    replace() {
      this.mode = 'replace'
      this.$emit('update:model-value', null)
    },
    remove() {
      this.mode = 'remove'
      this.$emit('update:model-value', '')
    },
    keep() {
      this.mode = 'keep'
      this.$emit('update:model-value', null)
    }
  }
})
