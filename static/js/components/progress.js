// @ts-check
// What a running poll is doing now.
satmComponent('satm-progress', {
  props: {progress: {type: Object, required: true}},
  computed: {
    text() {
      const {phase, done, total} = this.progress
      const word = satmText.told(`phase.${phase}`, phase)
      if (!total) return word
      return satmText.t('phase.counted', {phase: word, done, total})
    }
  }
})
