// @ts-check
// Health: every check with its state, since when, and the next step; what is halted and the way
// back; and what is done by the clock.
satmComponent('satm-health', {
  props: {version: {type: Number, required: true}},
  emits: ['changed'],
  data() {
    return {
      /** @type {Health | null} */
      health: null,
      /** @type {Problem | null} */
      problem: null,
      busy: false
    }
  },
  watch: {version: 'load'},
  created() {
    this.load()
  },
  methods: {
    said: satmHealth.said,
    hint: satmHealth.hint,
    async load() {
      try {
        this.health = await satmApi.get('health')
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    async check() {
      this.busy = true
      try {
        this.health = await satmApi.send('POST', 'health/check')
        this.problem = null
      } catch (error) {
        satmApi.complain(error)
      }
      this.busy = false
      this.$emit('changed')
    }
  }
})
