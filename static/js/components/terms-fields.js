// @ts-check
// Currency, time zone, how often to look, and the limits that clients see.
satmComponent('satm-terms-fields', {
  props: SATM_PART,
  data() {
    return {shownCurrencies: [], shownZones: []}
  },
  methods: {
    /** @param {string} name */
    field(name) {
      return satmField('set', name, this.problem)
    },
    filterCurrencies(text, update) {
      update(() => {
        const wanted = text.toUpperCase()
        this.shownCurrencies = this.g.currencies.filter(c => c.includes(wanted))
      })
    },
    filterZones(text, update) {
      update(() => {
        const wanted = text.toLowerCase()
        this.shownZones = Intl.supportedValuesOf('timeZone').filter(zone =>
          zone.toLowerCase().includes(wanted)
        )
      })
    }
  }
})
