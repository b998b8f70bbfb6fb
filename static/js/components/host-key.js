// @ts-check
// The key that the ATM server shows; accepted by a person who compared it, never by itself.
satmComponent('satm-host-key', {
  props: {
    /** Another key was accepted before. */
    replaces: {type: Boolean, default: false}
  },
  emits: ['accepted', 'busy'],
  data() {
    return {found: null, problem: null, saving: false, sure: false}
  },
  computed: {
    /** @returns {Fact[]} */
    facts() {
      const {key_type, fingerprint} = this.found
      return [
        {label: satmText.t('hostKey.type'), value: key_type},
        {
          label: satmText.t('hostKey.fingerprint'),
          copy: fingerprint,
          value: fingerprint
        }
      ]
    },
    command() {
      const words = ['ed25519', 'ecdsa', 'rsa']
      const word = words.find(w => this.found.key_type.includes(w)) ?? '*'
      return `ssh-keygen -lf /etc/ssh/ssh_host_${word}_key.pub`
    }
  },
  created() {
    this.look()
  },
  methods: {
    async look() {
      this.found = null
      this.problem = null
      this.sure = false
      try {
        this.found = await satmApi.get('host-key')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    async accept() {
      this.saving = true
      this.problem = null
      this.$emit('busy', true)
      try {
        const {ssh_host_key} = this.found
        await satmApi.send('PUT', 'host-key', {ssh_host_key})
        this.$emit('accepted')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.saving = false
      this.$emit('busy', false)
    }
  }
})
