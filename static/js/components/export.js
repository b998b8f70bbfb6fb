// @ts-check
// Files of the server to take away; links, so that the browser writes them to disk as they come.
satmComponent('satm-export', {
  props: {
    /** @type {any} names of files */
    files: {type: Array, required: true},
    params: {type: Object, default: () => ({})}
  },
  computed: {
    links() {
      const query = satmApi.query(this.params)
      return this.files.map(name => ({
        name,
        href: `${satmApi.BASE}exports/${name.includes('.') ? name : `${name}.csv`}${query ? `?${query}` : ''}`,
        label: satmText.t(`export.${name}`),
        caption: satmText.t(`export.${name}.caption`)
      }))
    }
  }
})
