// @ts-check
// The fields that narrow the cash-outs. They write the address; the table follows it.
satmComponent('satm-cash-out-filters', {
  props: {
    facets: {type: Object, default: null},
    counts: {type: Object, default: () => ({})},
    /** @type {any} the filters as the address has them */
    asked: {type: Object, required: true},
    sort: {type: String, default: ''},
    sorts: {type: Array, required: true}
  },
  emits: ['narrow', 'named'],
  computed: {
    states: {
      get() {
        return this.asked.status ? this.asked.status.split(',') : []
      },
      set(states) {
        this.$emit('narrow', {status: (states ?? []).join(',')})
      }
    },
    stateOptions() {
      return Object.keys(satmWords.cashOut)
        .filter(state => state !== 'processing')
        .map(value => ({
          value,
          ...satmWords.cashOut[value],
          label: satmText.t(`cashOut.${value}`),
          count: this.counts?.[value] ?? 0
        }))
    },
    machines() {
      return (this.facets?.machines ?? []).map(({id, name}) => ({
        value: id,
        label: name || satmFormat.short(id)
      }))
    },
    dayHint() {
      return satmText.t('list.days.hint', {zone: this.facets?.time_zone ?? ''})
    },
    presets() {
      return Object.keys(SATM_PRESETS).map(name => ({
        name,
        label: satmText.t(`list.days.${name}`)
      }))
    }
  },
  methods: {
    narrow(name, value) {
      this.$emit('narrow', {[name]: value || ''})
    },
    /** Ranges up to the operator's own day, which the server names. */
    preset(name) {
      const today = new Date(`${this.facets.today}T00:00:00Z`)
      const [from, to] = SATM_PRESETS[name](today)
      this.$emit('narrow', {
        from: from.toISOString().slice(0, 10),
        to: to.toISOString().slice(0, 10)
      })
    }
  }
})

/** @param {Date} day @param {number} days */
function satmDaysBefore(day, days) {
  return new Date(day.getTime() - days * 86400000)
}

/** @type {Record<string, (today: Date) => [Date, Date]>} */
const SATM_PRESETS = {
  today: today => [today, today],
  yesterday: today => [satmDaysBefore(today, 1), satmDaysBefore(today, 1)],
  week: today => [satmDaysBefore(today, 6), today],
  month: today => [
    new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), 1)),
    today
  ],
  lastMonth: today => [
    new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - 1, 1)),
    new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), 0))
  ]
}
