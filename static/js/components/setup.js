// @ts-check
// The setup: a checklist as the server derives it, whose lines open into the step's own form. It is
// what the page begins with, and later where everything is changed.
satmComponent('satm-setup', {
  props: {
    status: {type: Object, required: true},
    version: {type: Number, required: true}
  },
  emits: ['changed'],
  data() {
    return {
      /** @type {Setup | null} */
      setup: null,
      /** @type {Config | null} */
      config: null,
      settings: null,
      problem: null,
      checking: false,
      open: ''
    }
  },
  computed: {
    done() {
      return this.setup.steps.filter(step => step.state === 'done').length
    }
  },
  watch: {
    version() {
      this.load()
    }
  },
  async created() {
    await this.load()
    if (!this.setup) return
    const waits = this.setup.steps.find(step => step.code === 'unchecked')
    if (waits) await this.check()
    if (!this.setup.armed) this.open = this.setup.next ?? ''
  },
  methods: {
    async load() {
      try {
        const [setup, config, settings] = await Promise.all([
          satmApi.get('setup'),
          satmApi.get('config'),
          satmApi.get('settings')
        ])
        this.setup = setup
        this.config = config
        this.settings = settings
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    /** @param {SetupStep} step */
    sentence(step) {
      const key = `setup.say.${step.name}.${step.code}`
      if (satmText.find(key) === undefined) return step.message
      const {at, rule, balance, currency, ...facts} = step.facts
      return satmText.t(key, {
        ...facts,
        at: satmFormat.when(at),
        rule: satmText.t(`rule.${rule}`),
        balance: satmFormat.fiat(balance, currency),
        currency: currency ?? '',
        n: facts.with_balance ?? facts.missing?.length
      })
    },
    title(step, place) {
      return `${place + 1}. ${satmText.t(`setup.step.${step.name}`)}`
    },
    look(step) {
      return satmWords.setupState[step.state]
    },
    toggle(name, open) {
      if (open) this.open = name
      else if (this.open === name) this.open = ''
    },
    /** Something was saved, and the step is still open. */
    async changed() {
      await this.load()
      this.$emit('changed')
    },
    /** A step is finished: the first one that is not done opens, or the next after this one. */
    async next(name) {
      await this.changed()
      const steps = /** @type {Setup} */ (this.setup).steps
      const place = steps.findIndex(step => step.name === name)
      const after = steps.slice(place + 1)
      const waiting = [...after, ...steps].find(step => step.state !== 'done')
      this.open = waiting && !this.setup.armed ? waiting.name : ''
    },
    async check() {
      this.checking = true
      try {
        await satmApi.send('POST', 'readiness')
      } catch (error) {
        satmApi.complain(error)
      }
      this.checking = false
      await this.changed()
    }
  }
})
