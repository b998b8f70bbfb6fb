// @ts-check
// Lamassu's database and the role that reads it.
satmComponent('satm-database-fields', {
  props: SATM_CONNECTION_PART,
  methods: {
    /** @param {string} name */
    field(name) {
      return satmField('form', name, this.problem)
    },
    /** @param {string} name */
    secret(name) {
      return satmSecret(name, this)
    }
  }
})
