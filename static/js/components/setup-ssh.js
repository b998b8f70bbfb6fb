// @ts-check
// The way to the ATM server, and the key it proves itself with.
const SATM_SSH_NAMES = [
  'use_ssh_tunnel',
  'ssh_host',
  'ssh_port',
  'ssh_username'
]

satmComponent('satm-setup-ssh', {
  mixins: [SATM_STEP],
  data() {
    return {
      form: satmConnectionForm(this.config),
      secrets: {...SATM_SECRETS},
      changing: false
    }
  },
  computed: {
    part() {
      const {form, secrets, config, problem} = this
      return {form, secrets, config, problem}
    },
    /** Saved, and its key was not accepted yet or is another one now. */
    keyToSee() {
      const codes = ['host_key', 'key_changed']
      return !this.changing && codes.includes(this.step.code)
    }
  },
  methods: {
    save() {
      const {use_ssh_tunnel} = this.form
      const names = use_ssh_tunnel ? SATM_SSH_NAMES : ['use_ssh_tunnel']
      const body = {
        ...satmPick(this.form, names),
        ...satmGivenSecrets(this.secrets)
      }
      this.act(async () => {
        const {ssh_host_fingerprint} = await satmApi.send(
          'PATCH',
          'config',
          body
        )
        this.secrets = {...SATM_SECRETS}
        this.changing = false
        if (!use_ssh_tunnel || ssh_host_fingerprint) this.$emit('next')
      }, 'changed')
    }
  }
})
