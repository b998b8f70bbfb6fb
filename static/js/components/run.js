// @ts-check
// One run in numbers: what was compared, and how each verdict was given.
satmComponent('satm-run', {
  props: {run: {type: Object, required: true}},
  computed: {
    tiles() {
      const {matches, mismatches, errors, in_flight} = this.run
      const all = {
        match: matches,
        mismatch: mismatches,
        error: errors,
        in_flight
      }
      return Object.entries(all).map(([verdict, n]) => ({
        verdict,
        n,
        look: satmWords.verdict[verdict],
        label: satmText.t(`verdict.${verdict}`)
      }))
    },
    scope() {
      const {kind, scope} = this.run
      const value =
        scope.client ??
        scope.machine ??
        scope.cash_out ??
        [scope.from_day, scope.to_day].filter(Boolean).join(' – ')
      const name = satmText.t(`recon.kind.${kind}`)
      return value ? `${name}: ${satmFormat.short(value)}` : name
    }
  }
})
