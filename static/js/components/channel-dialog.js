// @ts-check
// A channel: what kind, where to, from which severity on. Address and key are only ever written.
satmComponent('satm-channel-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    channel: {type: Object, default: null}
  },
  emits: ['update:model-value', 'saved'],
  data() {
    return {
      form: {
        name: '',
        kind: 'webhook',
        min_severity: 'warning',
        level: 1,
        enabled: true
      },
      /** @type {string | null} */
      url: null,
      /** @type {string | null} */
      secret: null,
      busy: false,
      problem: null
    }
  },
  computed: {
    kinds() {
      return this.options('channel.kind', [
        'webhook',
        'slack',
        'discord',
        'ntfy',
        'lnbits',
        'ping'
      ])
    },
    severities() {
      return this.options('channel.from', ['info', 'warning', 'critical'])
    },
    levels() {
      return [1, 2, 3].map(value => ({
        value,
        label: satmText.t(`channel.level.${value}`)
      }))
    },
    same() {
      return this.channel !== null && this.channel.kind === this.form.kind
    },
    hasUrl() {
      return this.form.kind !== 'lnbits'
    },
    hasSecret() {
      return ['webhook', 'ntfy'].includes(this.form.kind)
    }
  },
  methods: {
    options(key, values) {
      return values.map(value => ({
        value,
        label: satmText.t(`${key}.${value}`)
      }))
    },
    reset() {
      const {name, kind, min_severity, level, enabled} = this.channel ?? {
        name: '',
        kind: 'webhook',
        min_severity: 'warning',
        level: 1,
        enabled: true
      }
      this.form = {name, kind, min_severity, level, enabled}
      this.url = null
      this.secret = null
      this.problem = null
    },
    async save() {
      this.busy = true
      this.problem = null
      /** @type {Record<string, unknown>} */
      const body = {...this.form}
      if (this.hasUrl && this.url !== null) body.url = this.url
      if (this.hasSecret && this.secret !== null) body.secret = this.secret
      try {
        if (this.channel) {
          await satmApi.send('PUT', `channels/${this.channel.id}`, body)
        } else {
          await satmApi.once('POST', 'channels', body)
        }
        this.$emit('update:model-value', false)
        this.$emit('saved')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    },
    field(name) {
      return this.problem?.fields[name] ?? ''
    }
  }
})
