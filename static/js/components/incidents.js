// @ts-check
// Incidents: those that are open first, and the button that begins one.
satmComponent('satm-incidents', {
  props: {version: {type: Number, required: true}},
  emits: ['changed'],
  data() {
    return {
      /** @type {Incident[] | null} */
      rows: null,
      /** @type {Problem | null} */
      problem: null,
      starting: false,
      shown: false,
      incidentId: ''
    }
  },
  watch: {version: 'load'},
  created() {
    this.load()
  },
  methods: {
    async load() {
      try {
        this.rows = (await satmApi.get('incidents')).data
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    /** @param {string} failure */
    title(failure) {
      return satmRunbook.title(failure)
    },
    /** @param {string} id */
    show(id) {
      this.incidentId = id
      this.shown = true
    },
    begun(incident) {
      this.changed()
      this.show(incident.id)
    },
    changed() {
      this.load()
      this.$emit('changed')
    }
  }
})
