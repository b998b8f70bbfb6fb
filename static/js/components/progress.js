// @ts-check
// What a running poll is doing now.
satmComponent('satm-progress', {
  props: {progress: {type: Object, required: true}},
  computed: {
    text() {
      const {phase, done, total, per_minute: n} = this.progress
      const word = satmText.told(`phase.${phase}`, phase)
      if (!total) return word
      const counted = satmText.t('phase.counted', {phase: word, done, total})
      return n ? `${counted} · ${satmText.t('phase.rate', {n})}` : counted
    }
  }
})
