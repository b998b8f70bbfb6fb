// @ts-check
// What needs a person, worst first: three, and the rest on request; one act each.
satmComponent('satm-needs', {
  props: {
    needs: {type: Array, default: null},
    problem: {type: Object, default: null}
  },
  emits: ['open', 'act', 'retry'],
  data() {
    return {all: false, few: 3}
  },
  computed: {
    lines() {
      return /** @type {Need[]} */ (this.needs ?? []).map(need => ({
        need,
        look: satmWords.severity[need.severity] ?? satmWords.severity.info,
        severity: satmText.t(`severity.${need.severity}`),
        title: this.title(need),
        details: this.details(need),
        act: satmText.t(`need.act.${need.act}`)
      }))
    },
    shown() {
      return this.all ? this.lines : this.lines.slice(0, this.few)
    }
  },
  methods: {
    /** @param {Need} need */
    title(need) {
      const known = satmText.find(`need.${need.kind}`)
      if (known === undefined) return satmAlert.said(need)
      return satmText.fill(known, {
        n: need.n,
        sats: satmFormat.sats(need.sats)
      })
    },
    /** What the alert says, where the title does not say them already.
     * @param {Need} need
     */
    details(need) {
      const message = satmAlert.said(need)
      const said = this.title(need) === message ? [] : [message]
      const told = satmText.told(`need.${need.kind}.hint`, satmAlert.hint(need))
      return [...said, told].filter(Boolean)
    },
    /** @param {Need} need */
    go(need) {
      const places = {
        'cash-outs': ['cash-outs', {status: 'held'}],
        'failed-shares': ['cash-outs', {shares: 'failed'}],
        deposits: ['deposits', {status: 'pending'}],
        audit: ['books', {view: 'audit'}],
        books: ['books', {view: 'reconciliation'}],
        runbook: ['books', {view: 'runbook'}],
        setup: ['setup', {}]
      }
      const place = places[need.act]
      if (need.act === 'cash-out') this.$emit('open', need.subject_id)
      else if (place) this.$router.push(satmAddress.to(place[0], place[1]))
      else this.$emit('act', need.act)
    }
  }
})
