// @ts-check
// A start point, and how many cash-outs it would bring in, counted on Lamassu.
satmComponent('satm-start-field', {
  props: {
    modelValue: {type: String, required: true},
    problem: {type: Object, default: null}
  },
  emits: ['update:model-value'],
  data() {
    return {preview: null, previewProblem: null, looking: false}
  },
  computed: {
    startIso() {
      return satmFormat.isoFromLocal(this.modelValue)
    },
    previewText() {
      const {cash_outs, sats} = this.preview
      return satmText.t('start.brings', {
        n: cash_outs,
        sats: satmFormat.sats(sats)
      })
    }
  },
  watch: {
    modelValue() {
      this.preview = null
      this.previewProblem = null
    }
  },
  methods: {
    /** @param {string} name */
    field(name) {
      return satmField('set', name, this.problem)
    },
    async look() {
      this.looking = true
      this.preview = null
      this.previewProblem = null
      try {
        const start_at = this.startIso
        this.preview = await satmApi.get('start-point/preview', {start_at})
      } catch (error) {
        this.previewProblem = satmApi.problem(error)
      }
      this.looking = false
    }
  }
})
