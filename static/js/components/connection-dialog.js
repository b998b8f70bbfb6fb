// @ts-check
// The connection as a form. What the server refuses is said at the field; secrets never come back.
const SATM_CONNECTION = {
  use_ssh_tunnel: true,
  ssh_host: '',
  ssh_port: 22,
  ssh_username: '',
  host: '127.0.0.1',
  port: 5432,
  database_name: 'lamassu',
  username: '',
  source_wallet_id: null,
  commission_wallet_id: null
}
const SATM_SECRETS = {
  password: null,
  ssh_password: null,
  ssh_private_key: null,
  ssh_key_passphrase: null
}

satmComponent('satm-connection-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    config: {type: Object, default: null}
  },
  emits: ['update:model-value', 'saved'],
  data() {
    return {form: null, secrets: {...SATM_SECRETS}, busy: false, problem: null}
  },
  methods: {
    reset() {
      this.problem = null
      this.secrets = {...SATM_SECRETS}
      this.form = {...SATM_CONNECTION}
      for (const name in this.config ? this.form : {}) {
        this.form[name] = this.config[name]
      }
    },
    /** @param {string} name */
    field(name) {
      const wrong = this.problem?.fields[name]
      return {
        label: satmText.t(`form.${name}`),
        hint: satmText.told(`form.${name}.hint`, ''),
        error: name.endsWith('wallet_id') ? (wrong ?? '') : !!wrong,
        'error-message': wrong,
        'data-test': `field-${name}`
      }
    },
    /** @param {string} name */
    secret(name) {
      return {
        label: satmText.t(`form.${name}`),
        hint: satmText.told(`form.${name}.hint`, ''),
        error: this.problem?.fields[name] ?? '',
        'data-test': `field-${name}`
      }
    },
    async save() {
      this.busy = true
      this.problem = null
      const body = {...this.form}
      for (const [name, value] of Object.entries(this.secrets)) {
        if (value !== null) body[name] = value
      }
      try {
        await satmApi.send('POST', 'config', body)
        this.$emit('update:model-value', false)
        this.$emit('saved')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
})
