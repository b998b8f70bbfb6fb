// @ts-check
// Is everything the same on every side? The last run with its progress and verdicts, the findings,
// and what a run found.
satmComponent('satm-reconciliation', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed', 'open'],
  data() {
    return {
      /** @type {Run | null} */
      run: null,
      loaded: false,
      problem: null,
      timer: 0,
      asking: false,
      seen: '',
      /** Grows when a run moved, so that the lists are fetched again. */
      moved: 0,
      finding: satmQuery.get('finding')
    }
  },
  computed: {
    running() {
      return !!this.run && ['queued', 'running'].includes(this.run.status)
    },
    progress() {
      const {phase, done, expected} = this.run
      return {phase: `reconcile_${phase}`, done, total: expected}
    },
    progressText() {
      const {phase, done, expected} = this.run
      const name = satmText.t(`recon.phase.${phase}`)
      const n = satmFormat.number(done)
      const of = expected ? ` / ${satmFormat.number(expected)}` : ''
      return `${name}: ${n}${of}`
    },
    version2() {
      return this.version * 1000 + this.moved
    },
    findingOpen: {
      get() {
        return this.finding !== ''
      },
      set(open) {
        if (!open) this.openFinding('')
      }
    }
  },
  watch: {
    version: 'load'
  },
  created() {
    this.load()
  },
  beforeUnmount() {
    clearTimeout(this.timer)
  },
  methods: {
    async load() {
      clearTimeout(this.timer)
      try {
        const page = await satmApi.get('reconciliations', {limit: 1})
        this.run = page.data[0] ?? null
        this.problem = null
        const now = JSON.stringify([this.run?.id, this.run?.status])
        if (this.seen && this.seen !== now) this.moved++
        this.seen = now
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.loaded = true
      if (this.running) this.timer = setTimeout(this.load, 1000)
    },
    async cancel() {
      try {
        await satmApi.send('POST', `reconciliations/${this.run.id}/cancel`)
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.load()
    },
    begun(run) {
      this.run = run
      this.load()
    },
    openFinding(id) {
      this.finding = id
      satmQuery.set({finding: id || null})
    },
    changed() {
      this.moved++
      this.$emit('changed')
    }
  }
})
