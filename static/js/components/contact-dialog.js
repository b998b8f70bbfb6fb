// @ts-check
// Who is called in one role.
satmComponent('satm-contact-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    /** @type {any} */
    contact: {type: Object, required: true}
  },
  emits: ['update:model-value', 'saved'],
  data() {
    return {
      /** @type {any} */
      form: {},
      lines: {name: 100, email: 254, phone: 40, available: 100},
      numbers: ['after_minutes', 'above_sats'],
      busy: false,
      /** @type {Problem | null} */
      problem: null
    }
  },
  computed: {
    title() {
      return satmText.t(`role.${this.contact.role ?? 'operator'}`)
    }
  },
  methods: {
    reset() {
      const names = [...Object.keys(this.lines), ...this.numbers]
      this.form = Object.fromEntries(
        names.map(name => [name, this.contact[name] ?? ''])
      )
      this.problem = null
    },
    async act() {
      this.busy = true
      this.problem = null
      const body = {...this.form}
      for (const name of this.numbers) {
        if (body[name] === '') body[name] = null
      }
      try {
        const path = `runbook/contacts/${this.contact.role}`
        await satmApi.send('PUT', path, body)
        this.$emit('update:model-value', false)
        this.$emit('saved')
      } catch (error) {
        this.problem = satmApi.problem(error)
      } finally {
        this.busy = false
      }
    }
  }
})
