// @ts-check
// A client, new or changed: an LNbits user and one of their wallets, both by name, and how they
// take part.
satmComponent('satm-client-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    /** @type {any} whom to change; a new one when null */
    client: {type: Object, default: null}
  },
  emits: ['update:model-value', 'saved'],
  data() {
    return {
      form: {},
      /** @type {any} */
      user: null,
      users: [],
      wallets: [],
      busy: false,
      problem: null
    }
  },
  computed: {
    title() {
      return satmText.t(this.client ? 'client.edit' : 'client.add')
    },
    modes() {
      return ['flow', 'fixed'].map(value => ({
        value,
        label: satmText.t(`mode.${value}`)
      }))
    },
    complete() {
      return (
        this.form.wallet_id &&
        (this.form.dca_mode !== 'fixed' || this.form.fixed_mode_daily_limit)
      )
    }
  },
  methods: {
    reset() {
      const {client} = this
      this.problem = null
      this.user = null
      this.users = []
      this.wallets = []
      const known = ['flow', 'fixed'].includes(client?.dca_mode)
      this.form = {
        username: client?.username ?? '',
        user_id: client?.user_id ?? '',
        wallet_id: client?.wallet_id ?? null,
        dca_mode: known ? client.dca_mode : 'flow',
        fixed_mode_daily_limit: client?.fixed_mode_daily_limit ?? ''
      }
      if (client) this.loadWallets()
    },
    /**
     * @param {string} text
     * @param {(found: () => void) => void} update
     * @param {() => void} abort
     */
    async findUsers(text, update, abort) {
      try {
        const page = await satmApi.get('users', {search: text})
        update(() => {
          this.users = page.data.map(user => ({
            ...user,
            label: user.name || satmFormat.short(user.id),
            disable: !!user.client_id
          }))
        })
      } catch (error) {
        abort()
        satmApi.complain(error)
      }
    },
    chooseUser(user) {
      this.user = user
      this.form.user_id = user?.id ?? ''
      this.form.wallet_id = null
      if (user && !this.form.username) this.form.username = user.name ?? ''
      this.wallets = []
      if (user) this.loadWallets()
    },
    async loadWallets() {
      const user = this.form.user_id
      try {
        const page = await satmApi.get('wallets', {user})
        if (user !== this.form.user_id) return
        this.wallets = page.data.map(one => ({
          value: one.id,
          label: one.name,
          caption: one.usable ? one.id : satmText.t('client.wallet.unusable'),
          disable: !one.usable
        }))
        const usable = this.wallets.filter(one => !one.disable)
        if (!this.form.wallet_id && usable.length === 1) {
          this.form.wallet_id = usable[0].value
        }
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    /** @param {string} name */
    field(name) {
      const wrong =
        this.problem?.fields[name] || this.problem?.fields[`${name}_id`]
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
      const {username, user_id, fixed_mode_daily_limit, ...body} = this.form
      body.username = username || null
      if (body.dca_mode === 'fixed') {
        body.fixed_mode_daily_limit = fixed_mode_daily_limit
      }
      try {
        if (this.client) {
          await satmApi.send('PUT', `clients/${this.client.id}`, body)
        } else {
          await satmApi.once('POST', 'clients', {...body, user_id})
        }
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
