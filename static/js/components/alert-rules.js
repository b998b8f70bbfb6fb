// @ts-check
// Every kind of alert with its one threshold, and when nobody is to be woken.
satmComponent('satm-alert-rules', {
  props: {version: {type: Number, required: true}},
  data() {
    return {
      /** @type {AlertSettings | null} */
      settings: null,
      /** @type {AlertRule | null} */
      edited: null,
      editing: false,
      hours: {quiet: false, from: '22:00', to: '07:00', inside: false},
      saving: false,
      problem: null
    }
  },
  watch: {
    version: 'load'
  },
  created() {
    this.load()
  },
  methods: {
    async load() {
      try {
        this.take(await satmApi.get('alert-settings'))
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    /** @param {AlertSettings} settings */
    take(settings) {
      this.settings = settings
      this.hours = {
        quiet: settings.quiet_hours,
        from: this.clock(settings.quiet_from_minute),
        to: this.clock(settings.quiet_to_minute),
        inside: settings.allow_private_addresses
      }
    },
    clock(minute) {
      const two = number => String(number).padStart(2, '0')
      return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`
    },
    minute(clock) {
      const [hours, minutes] = clock.split(':').map(Number)
      return hours * 60 + minutes
    },
    async save() {
      this.saving = true
      try {
        this.take(
          await satmApi.send('PUT', 'alert-settings', {
            quiet_hours: this.hours.quiet,
            quiet_from_minute: this.minute(this.hours.from),
            quiet_to_minute: this.minute(this.hours.to),
            allow_private_addresses: this.hours.inside
          })
        )
        satmApi.say(satmText.t('saved'))
      } catch (error) {
        satmApi.complain(error)
      }
      this.saving = false
    },
    /** @param {AlertRule} rule */
    says(rule) {
      const {t} = satmText
      return [
        rule.unit && t(`alertUnit.${rule.unit}`, {n: rule.threshold ?? 0}),
        rule.can_wait && t('alertRule.canWait.short'),
        !rule.told && t('alertRule.silent'),
        rule.changed && t('alertRule.changed')
      ]
        .filter(Boolean)
        .join(' · ')
    },
    edit(rule) {
      this.edited = rule
      this.editing = true
    }
  }
})
