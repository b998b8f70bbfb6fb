// @ts-check
// The way back to work: checks green, one cash-out by hand, reconcile, then automatic.
const SATM_RESUMING_LOOK_MS = 1000

satmComponent('satm-resuming', {
  props: {version: {type: Number, required: true}},
  emits: ['changed'],
  data() {
    return {
      /** @type {Resuming | null} */
      state: null,
      /** @type {Problem | null} */
      problem: null,
      asked: false,
      busy: false,
      timer: 0
    }
  },
  computed: {
    shown() {
      return !!this.state && (this.state.needed || !!this.state.step)
    },
    clean() {
      const run = this.state?.run
      return run?.status === 'done' && !run.mismatches && !run.errors
    },
    running() {
      return ['queued', 'running'].includes(this.state?.run?.status ?? '')
    },
    /** Which of the four steps comes next. */
    next() {
      if (!this.state?.step) return 'begin'
      if (this.state.step === 'by_hand') return 'settle'
      return this.clean ? 'automatic' : 'reconcile'
    },
    steps() {
      const names = ['begin', 'settle', 'reconcile', 'automatic']
      const at = names.indexOf(this.next)
      return names.map((name, index) => ({
        name,
        number: index + 1,
        now: index === at,
        state: index < at ? 'done' : index === at ? 'todo' : 'blocked'
      }))
    }
  },
  watch: {version: 'load'},
  created() {
    this.load()
  },
  unmounted() {
    clearTimeout(this.timer)
  },
  methods: {
    async load() {
      try {
        this.state = await satmApi.get('resuming')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      clearTimeout(this.timer)
      if (this.running)
        this.timer = setTimeout(this.load, SATM_RESUMING_LOOK_MS)
    },
    async act() {
      if (this.next === 'begin') {
        this.asked = true
        return
      }
      this.busy = true
      this.problem = null
      try {
        await satmApi.once('POST', `resuming/${this.next}`)
        this.$emit('changed')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      await this.load()
      this.busy = false
    },
    /** Bring the steps into view, for whoever looks and for whoever listens. */
    show() {
      const heading = /** @type {HTMLElement | undefined} */ (
        this.$refs.heading
      )
      heading?.scrollIntoView({block: 'center'})
      heading?.focus({preventScroll: true})
    },
    begun() {
      this.load()
      this.$emit('changed')
    }
  }
})
