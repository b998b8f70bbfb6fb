// @ts-check
// The record of an incident: what was done and how everything stood at each step; the next phase,
// a note, the end. It is printed as it stands.
satmComponent('satm-incident-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    incidentId: {type: String, required: true}
  },
  emits: ['update:model-value', 'changed'],
  data() {
    return {
      /** @type {Incident | null} */
      incident: null,
      /** @type {Problem | null} */
      problem: null,
      busy: false,
      /** @type {number[]} */
      done: [],
      note: '',
      ending: false,
      end: {outcome: 'mended', sats: 0, clients: 0, cash_outs: 0}
    }
  },
  computed: {
    title() {
      return satmRunbook.title(this.incident.failure)
    },
    open() {
      return this.incident.state === 'open'
    },
    /** The next phase; 0 when all are recorded. */
    next() {
      const known = this.incident.entries.map(entry => entry.phase)
      return [1, 2, 3, 4, 5].find(phase => !known.includes(phase)) ?? 0
    },
    lines() {
      return this.next ? satmRunbook.lines(this.next) : []
    },
    outcomes() {
      const early = this.next ? ['false_alarm'] : satmRunbook.OUTCOMES
      return early.map(value => ({
        value,
        label: satmText.t(`outcome.${value}`)
      }))
    },
    entries() {
      return this.incident.entries.map(entry => ({
        ...entry,
        title: entry.phase
          ? satmText.t(`phase.${entry.phase}`)
          : satmText.t(`incident.${entry.kind}`),
        lines: entry.phase
          ? satmRunbook.lines(entry.phase).map(({line, text}) => ({
              text,
              done: entry.done.includes(line)
            }))
          : [],
        facts: satmRunbook.evidence(entry.evidence)
      }))
    },
    /** @returns {Fact[]} */
    sums() {
      const {t} = satmText
      const {outcome, sats, clients, cash_outs} = this.incident
      if (this.open) return []
      return [
        {label: t('incident.outcome'), value: t(`outcome.${outcome}`)},
        {label: t('incident.sats'), value: satmFormat.sats(sats)},
        {label: t('incident.clients'), value: satmFormat.number(clients)},
        {label: t('incident.cash_outs'), value: satmFormat.number(cash_outs)}
      ]
    }
  },
  methods: {
    async load() {
      this.incident = null
      this.ending = false
      await this.ask(() => satmApi.get(`incidents/${this.incidentId}`))
    },
    /** @param {() => Promise<any>} run answers with the incident */
    async ask(run) {
      this.busy = true
      this.problem = null
      try {
        this.incident = await run()
        Object.assign(this, {done: [], note: '', ending: false})
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    },
    async send(step, body) {
      const path = `incidents/${this.incidentId}/${step}`
      await this.ask(() => satmApi.once('POST', path, body))
      if (!this.problem) this.$emit('changed')
    },
    record() {
      const {next, done, note} = this
      return this.send('phases', {phase: next, done, note})
    },
    write() {
      return this.send('notes', {note: this.note})
    },
    askEnd() {
      this.end = {
        outcome: this.outcomes[0].value,
        sats: 0,
        clients: 0,
        cash_outs: 0
      }
      this.ending = true
    },
    close() {
      return this.send('close', {...this.end, note: this.note})
    },
    print() {
      window.print()
    }
  }
})
