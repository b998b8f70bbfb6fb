// @ts-check
// Lamassu's database, and the connection test with its steps.
const SATM_DATABASE_NAMES = ['host', 'port', 'database_name', 'username']

satmComponent('satm-setup-database', {
  mixins: [SATM_STEP],
  data() {
    return {
      form: satmConnectionForm(this.config),
      secrets: {...SATM_SECRETS},
      testing: false,
      /** @type {TestResult | null} */
      result: null
    }
  },
  computed: {
    part() {
      const {form, secrets, config, problem} = this
      return {form, secrets, config, problem}
    }
  },
  methods: {
    save() {
      const body = {
        ...satmPick(this.form, SATM_DATABASE_NAMES),
        ...satmGivenSecrets(this.secrets)
      }
      this.act(async () => {
        await satmApi.send('PATCH', 'config', body)
        this.secrets = {...SATM_SECRETS}
        await this.test()
      }, 'changed')
    },
    async test() {
      this.testing = true
      this.result = null
      this.result = await satmConnectionTest(soFar => (this.result = soFar))
      this.testing = false
      this.$emit('changed')
    }
  }
})
