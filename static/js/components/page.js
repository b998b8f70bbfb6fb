// @ts-check
// The page: holds what its parts share (status, connection, which dialog is open) and keeps it
// fresh. The parts fetch their own lists again when `version` grows.
const SATM_PAUSE_MS = 15000 // between two looks while the doorbell is silent for good
const SATM_PAUSE_LIVE_MS = 60000
const SATM_RING_PAUSE_MS = 500
const SATM_RING_GAP_MS = 5000

satmComponent('satm-page', {
  data() {
    return {
      /** @type {Status | null} */
      status: null,
      statusProblem: null,
      /** @type {Config | null} */
      config: null,
      configProblem: null,
      loaded: false,
      version: 0,
      seen: '',
      polling: false,
      testing: false,
      /** @type {TestResult | null} */
      result: null,
      dialog: '',
      cashOutId: '',
      timer: 0,
      updatedAt: 0,
      live: new SatmLive(() => this.rung()),
      ringTimer: 0,
      fetchedAt: 0,
      gone: false
    }
  },
  computed: {
    tab: {
      get() {
        return satmAddress.tab(this.$route.hash)
      },
      set(tab) {
        if (tab !== this.tab) this.$router.push(satmAddress.to(tab))
      }
    },
    clientPageOpen() {
      return satmQuery.get('client_page') !== ''
    },
    /** Opened by address, so that a cash-out can be linked to: `?cash_out=<id>`. */
    cashOutOpen: {
      get() {
        return this.cashOutId !== ''
      },
      set(open) {
        if (!open) this.openCashOut('')
      }
    }
  },
  watch: {
    /** Back and forward, once Quasar has closed what was open. */
    '$route.query.cash_out'(id) {
      setTimeout(() => (this.cashOutId = String(id ?? '')))
    }
  },
  created() {
    if (!this.g.user?.super_user) return
    this.cashOutId = String(this.$route.query.cash_out ?? '')
    this.refresh()
    this.loadConfig()
    document.addEventListener('visibilitychange', this.becameVisible)
  },
  beforeUnmount() {
    this.gone = true
    clearTimeout(this.timer)
    clearTimeout(this.ringTimer)
    this.live.close()
    document.removeEventListener('visibilitychange', this.becameVisible)
  },
  methods: {
    async refresh() {
      clearTimeout(this.timer)
      try {
        this.status = await satmApi.get('status')
        this.statusProblem = null
        this.updatedAt = Date.now()
        this.notice()
        if (!this.gone) this.live.listen(this.status.doorbell)
      } catch (error) {
        this.statusProblem = satmApi.problem(error)
      }
      this.schedule()
    },
    /** Lists are fetched again when a poll ended or a count moved. */
    notice() {
      const {last_poll, cash_outs, failed_sats, pending_deposits} = this.status
      const {state, alerts} = this.status
      const now = JSON.stringify([
        state,
        alerts.length,
        last_poll?.id,
        last_poll?.finished_at,
        cash_outs,
        failed_sats,
        pending_deposits
      ])
      if (this.seen && this.seen !== now) this.fetchAgain()
      this.seen = now
    },
    fetchAgain() {
      this.version++
      this.fetchedAt = Date.now()
    },
    /**
     * The doorbell: what is visible is fetched again half a second after the last ring, and not
     * more often than every five seconds, whoever rings.
     */
    rung() {
      clearTimeout(this.ringTimer)
      const pause = Math.max(
        SATM_RING_PAUSE_MS,
        this.fetchedAt + SATM_RING_GAP_MS - Date.now()
      )
      this.ringTimer = setTimeout(this.changed, pause)
    },
    schedule() {
      clearTimeout(this.timer)
      if (this.gone || document.visibilityState !== 'visible') return
      const running = this.polling || this.status?.state === 'running'
      const pause = this.polling
        ? 2000
        : running
          ? 5000
          : this.live.up
            ? SATM_PAUSE_LIVE_MS
            : SATM_PAUSE_MS
      this.timer = setTimeout(this.refresh, pause)
    },
    becameVisible() {
      if (document.visibilityState === 'visible') {
        this.fetchAgain() // rings were not heard meanwhile
        this.refresh()
      } else {
        clearTimeout(this.timer)
        clearTimeout(this.ringTimer)
        this.live.close()
      }
    },
    async loadConfig() {
      try {
        this.config = await satmApi.get('config')
        this.configProblem = null
      } catch (error) {
        this.configProblem = satmApi.problem(error)
      }
      this.loaded = true
    },
    changed() {
      this.fetchAgain()
      this.refresh()
    },
    setupChanged() {
      this.loadConfig()
      this.refresh()
    },
    connectionSaved() {
      this.loadConfig()
      this.changed()
      this.runTest()
    },
    close() {
      this.dialog = ''
    },
    /** The address follows without the router: Quasar closes dialogs when a route changes. */
    openCashOut(id) {
      this.cashOutId = id
      const address = new URL(window.location.href)
      address.searchParams.delete('cash_out')
      if (id) address.searchParams.set('cash_out', id)
      window.history.replaceState(window.history.state, '', address)
    },
    /** What the overview's list of needs asks for. */
    askToStart() {
      this.$refs.header.ask(true)
    },
    /** What a page of the runbook asks for.
     * @param {string} name
     */
    act(name) {
      if (name === 'stop') this.$refs.header.ask(false)
      else if (name === 'test') this.testHere()
      else this.dialog = name
    },
    showGates() {
      const gates = document.getElementById('satm-closed-gates')
      gates?.scrollIntoView({behavior: 'smooth', block: 'start'})
      gates?.querySelector('button')?.focus({preventScroll: true})
    },
    /** Progress is asked for more often while a poll of ours runs. */
    pollRuns(running) {
      this.polling = running
      this.schedule()
    },
    /** From the header: the steps appear where one is. */
    testHere() {
      this.dialog = 'test'
      this.runTest()
    },
    showConnection() {
      this.tab = 'setup'
      this.$nextTick(() =>
        document.getElementById('satm-connection')?.scrollIntoView({
          behavior: 'smooth',
          block: 'nearest'
        })
      )
    },
    async runTest() {
      this.testing = true
      this.result = null
      if (this.dialog !== 'test') this.showConnection()
      this.result = await satmConnectionTest(soFar => (this.result = soFar))
      this.testing = false
      this.loadConfig()
    }
  }
})
