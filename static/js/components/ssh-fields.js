// @ts-check
// The way to the ATM server, as the connection's form and the setup ask for it.
satmComponent('satm-ssh-fields', {
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
