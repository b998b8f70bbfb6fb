// @ts-check
// What one entry of the audit trail says: what was before and after, then the details. Hashes and
// ids are shortened; the export has them whole.
const SATM_LONG_WORD = 24

satmComponent('satm-audit-entry', {
  props: {
    /** @type {any} */
    entry: {type: Object, required: true}
  },
  computed: {
    changes() {
      const before = this.entry.before ?? {}
      const after = this.entry.after ?? {}
      const names = new Set([...Object.keys(before), ...Object.keys(after)])
      return [...names]
        .map(name => ({
          name,
          before: this.plain(before[name]),
          after: this.plain(after[name])
        }))
        .filter(change => change.before !== change.after)
        .map(({name, ...change}) => ({
          name,
          text: satmText.t('audit.change', change)
        }))
    },
    details() {
      return Object.entries(this.entry.detail)
        .filter(([, value]) => this.says(value))
        .map(([name, value]) => `${name} ${this.plain(value)}`)
        .join(' · ')
    }
  },
  methods: {
    /** Empty lists, nulls and a plain no say nothing.
     * @param {unknown} value */
    says(value) {
      if (Array.isArray(value)) return value.length > 0
      return value !== null && value !== '' && value !== false
    },
    /** @param {unknown} value */
    plain(value) {
      if (value === null || value === undefined || value === '') return '–'
      const text =
        typeof value === 'object' ? JSON.stringify(value) : String(value)
      const word = text.length > SATM_LONG_WORD && !/\s/.test(text)
      return word && typeof value === 'string' ? satmFormat.short(text) : text
    }
  }
})
