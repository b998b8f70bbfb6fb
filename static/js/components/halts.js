// @ts-check
// What is halted and by whom, a halt of one thing or of everything, and the way back to work.
satmComponent('satm-halts', {
  props: {version: {type: Number, required: true}},
  emits: ['changed'],
  data() {
    return {
      /** @type {Halt[]} */
      active: [],
      /** @type {Problem | null} */
      problem: null,
      loaded: false,
      asked: false,
      lifting: '',
      liftAsked: false
    }
  },
  watch: {version: 'load'},
  created() {
    this.load()
  },
  methods: {
    async load() {
      try {
        this.active = (await satmApi.get('halts')).active
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.loaded = true
    },
    /**
     * Whether a button ends it: what stops the whole, or stopped by itself, is resumed step by step.
     * @param {Halt} halt
     */
    canLift(halt) {
      const whole = ['settlement', 'everything'].includes(halt.scope)
      return !whole && halt.cause === 'person'
    },
    resume() {
      this.$refs.resuming.show()
    },
    /** @param {Halt} halt */
    who(halt) {
      const name = halt.set_by === 'system' ? satmText.t('halt.itself') : ''
      return name || satmFormat.short(halt.set_by)
    },
    /** @param {Halt} halt */
    lift(halt) {
      this.lifting = halt.id
      this.liftAsked = true
    },
    changed() {
      this.load()
      this.$emit('changed')
    }
  }
})
