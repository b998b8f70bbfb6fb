// @ts-check
// What is done by the clock, when last and when next; and the stored weekly audits.
satmComponent('satm-schedules', {
  props: {version: {type: Number, required: true}},
  data() {
    return {
      /** @type {Schedule[]} */
      schedules: [],
      /** @type {WeeklyReport[]} */
      reports: [],
      /** @type {Problem | null} */
      problem: null,
      loaded: false,
      busy: false
    }
  },
  watch: {version: 'load'},
  created() {
    this.load()
  },
  methods: {
    async load() {
      try {
        this.schedules = (await satmApi.get('schedules')).data
        this.reports = (await satmApi.get('weekly-reports')).data
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.loaded = true
    },
    async make() {
      this.busy = true
      try {
        await satmApi.once('POST', 'weekly-reports')
      } catch (error) {
        satmApi.complain(error)
      }
      this.busy = false
      this.load()
    },
    /**
     * @param {string} id
     * @param {string} name
     */
    file(id, name) {
      return `/satmachineadmin/api/v1/dca/weekly-reports/${id}/${name}`
    }
  }
})
