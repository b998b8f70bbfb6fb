// @ts-check
// The row as Lamassu has it; where it changed since, both values.
satmComponent('satm-source-row', {
  props: {
    stored: {type: Object, default: () => ({})},
    changed: {type: Object, default: null}
  },
  computed: {
    fields() {
      const now = this.changed ?? this.stored
      return Object.keys({...this.stored, ...now})
        .sort()
        .map(name => ({
          name,
          stored: this.text(this.stored[name]),
          now: this.text(now[name])
        }))
    }
  },
  methods: {
    text(value) {
      return value === null || value === undefined ? '–' : String(value)
    }
  }
})
