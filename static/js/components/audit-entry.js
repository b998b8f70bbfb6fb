// @ts-check
// What one entry of the audit trail says: the detail, and what was before and after.
satmComponent('satm-audit-entry', {
  props: {
    /** @type {any} */
    entry: {type: Object, required: true}
  },
  computed: {
    changes() {
      const before = this.entry.before ?? {}
      const after = this.entry.after ?? {}
      return [...new Set([...Object.keys(before), ...Object.keys(after)])].map(
        name => ({
          name,
          text: satmText.t('audit.change', {
            before: this.plain(before[name]),
            after: this.plain(after[name])
          })
        })
      )
    },
    details() {
      return Object.entries(this.entry.detail)
        .filter(([, value]) => value !== null && value !== '')
        .map(([name, value]) => ({name, text: this.plain(value)}))
    }
  },
  methods: {
    /** @param {unknown} value */
    plain(value) {
      if (value === null || value === undefined || value === '') return '–'
      return typeof value === 'object' ? JSON.stringify(value) : String(value)
    }
  }
})
