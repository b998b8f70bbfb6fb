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
      startBefore: '',
      busy: false,
      problem: null
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
    async save() {
      this.busy = true
      this.problem = null
      const body = {}
      for (const [name, value] of Object.entries(this.form)) {
        if (value !== this.before[name]) body[name] = value
      }
      if (this.start !== this.startBefore)
        body.start_at = satmFormat.isoFromLocal(this.start)
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
