// @ts-check
// A component of a part of the page that is loaded when it is first shown (parts.js). It gets every
// property and hears every event as if it stood here itself.
satmComponent('satm-later', {
  inheritAttrs: false,
  props: {
    /** As in its file's name. */
    name: {type: String, required: true},
    /** A dialog: not loaded before it is first opened. */
    dialog: {type: Boolean, default: false},
    open: {type: Boolean, default: true}
  },
  data() {
    return {ready: '', problem: null}
  },
  watch: {
    open: {
      immediate: true,
      handler(open) {
        if (open) this.load()
      }
    },
    name() {
      if (this.open) this.load()
    }
  },
  methods: {
    async load() {
      const {name} = this
      const part = satmParts.of(name)
      this.problem = null
      try {
        if (part) await satmParts.load(part)
        if (name === this.name) this.ready = name
      } catch {
        const detail = satmText.t('part.failed')
        this.problem = {detail, hint: satmText.t('part.failed.hint')}
      }
    }
  }
})
