// @ts-check
/**
 * Label and value, line by line; lines without a value are left out.
 *
 * @typedef {object} Fact
 * @property {string} label
 * @property {string} [value]
 * @property {string} [copy] the whole text, when it is worth copying
 * @property {boolean} [plain] the copied text is an id, the shown one a name
 * @property {string | null} [at] an instant
 * @property {string} [kind] with `state`: a chip
 * @property {string} [state]
 * @property {string} [tip]
 * @property {string | null} [note]
 */
satmComponent('satm-facts', {
  props: {facts: {type: Array, required: true}},
  computed: {
    /** @returns {Fact[]} */
    lines() {
      return this.facts.filter(f => f.value || f.copy || f.at || f.state)
    }
  }
})
