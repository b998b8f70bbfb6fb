// @ts-check
// What the operator decides: split rule, funding, currency and time, the start point. Only what was
// changed is sent.
satmComponent('satm-settings-dialog', {
  props: {modelValue: {type: Boolean, required: true}},
  emits: ['update:model-value', 'saved'],
  data() {
    return {
      form: null,
      before: null,
      start: '',
      preview: null,
      previewProblem: null,
      looking: false,
      busy: false,
      problem: null,
      shownCurrencies: [],
      shownZones: [],
      coins: [
        {name: 'funding_ln', label: 'Lightning (LN)'},
        {name: 'funding_btc', label: 'Bitcoin (BTC)'}
      ]
    }
  },
  computed: {
    rules() {
      return ['markup', 'margin', 'ticker'].map(value => ({
        value,
        label: satmText.t(`rule.${value}`)
      }))
    },
    fundings() {
      return ['credit', 'prefunded'].map(value => ({
        value,
        label: satmText.t(`funding.${value}`)
      }))
    },
    startIso() {
      return satmFormat.isoFromLocal(this.start)
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
    start() {
      this.preview = null
      this.previewProblem = null
    }
  },
  methods: {
    async load() {
      this.form = null
      this.problem = null
      try {
        const {start_at, start_at_us, clock_difference_us, ...form} =
          await satmApi.get('settings')
        this.form = form
        this.before = {...form}
        this.start = satmFormat.localFromIso(start_at)
        this.startBefore = this.start
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    /** @param {string} name */
    field(name) {
      const wrong = this.problem?.fields[name]
      return {
        label: satmText.t(`set.${name}`),
        hint: satmText.told(`set.${name}.hint`, ''),
        error: !!wrong,
        'error-message': wrong
      }
    },
    filterCurrencies(text, update) {
      update(() => {
        const wanted = text.toUpperCase()
        this.shownCurrencies = this.g.currencies.filter(c => c.includes(wanted))
      })
    },
    filterZones(text, update) {
      update(() => {
        const wanted = text.toLowerCase()
        this.shownZones = Intl.supportedValuesOf('timeZone').filter(zone =>
          zone.toLowerCase().includes(wanted)
        )
      })
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
    },
    async save() {
      this.busy = true
      this.problem = null
      const body = {}
      for (const [name, value] of Object.entries(this.form)) {
        if (value !== this.before[name]) body[name] = value
      }
      if (this.start !== this.startBefore) body.start_at = this.startIso
      try {
        await satmApi.send('PUT', 'settings', body)
        satmApi.say(satmText.t('saved'))
        this.$emit('update:model-value', false)
        this.$emit('saved')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
})
