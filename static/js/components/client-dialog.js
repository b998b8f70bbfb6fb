// @ts-check
// A new client: an LNbits user, one of their wallets, and how they take part.
satmComponent('satm-client-dialog', {
  props: {modelValue: {type: Boolean, required: true}},
  emits: ['update:model-value', 'saved'],
  data() {
    return {form: {}, busy: false, problem: null}
  },
  computed: {
    modes() {
      return ['flow', 'fixed'].map(value => ({
        value,
        label: satmText.t(`mode.${value}`)
      }))
    }
  },
  methods: {
    reset() {
      this.problem = null
      this.form = {
        username: '',
        user_id: '',
        wallet_id: '',
        dca_mode: 'flow',
        fixed_mode_daily_limit: ''
      }
    },
    /** @param {string} name */
    field(name) {
      const wrong = this.problem?.fields[name]
      return {
        label: satmText.t(`client.${name}`),
        hint: satmText.told(`client.${name}.hint`, ''),
        error: !!wrong,
        'error-message': wrong,
        'data-test': `client-${name}`
      }
    },
    async save() {
      this.busy = true
      this.problem = null
      const {username, fixed_mode_daily_limit, ...body} = this.form
      if (username) body.username = username
      if (body.dca_mode === 'fixed' && fixed_mode_daily_limit) {
        body.fixed_mode_daily_limit = fixed_mode_daily_limit
      }
      try {
        await satmApi.once('POST', 'clients', body)
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
