// @ts-check
/** What every step of the setup has: the server's answers, and one way to save. */
const SATM_STEP = {
  props: {
    step: {type: Object, required: true},
    setup: {type: Object, required: true},
    config: {type: Object, default: null},
    settings: {type: Object, required: true},
    status: {type: Object, required: true}
  },
  emits: ['changed', 'next'],
  data() {
    return {busy: false, problem: null}
  },
  methods: {
    /**
     * Run it with the buttons busy; what the server refuses is said at the fields.
     * @param {() => Promise<unknown>} run
     * @param {'changed' | 'next'} [then] stay here, or go on with the next step
     */
    async act(run, then = 'next') {
      this.busy = true
      this.problem = null
      try {
        await run()
        this.$emit(then)
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
}

/**
 * These entries of an object.
 * @param {Record<string, any>} from
 * @param {string[]} names
 */
function satmPick(from, names) {
  return Object.fromEntries(names.map(name => [name, from[name]]))
}
