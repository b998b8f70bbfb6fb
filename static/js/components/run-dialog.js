// @ts-check
// What to compare: everything, what happened since, or one client, some days, one cash-out.
satmComponent('satm-run-dialog', {
  props: {modelValue: {type: Boolean, required: true}},
  emits: ['update:model-value', 'begun'],
  data() {
    return {
      kind: 'everything',
      client: null,
      from_day: '',
      to_day: '',
      cash_out: '',
      machine: null,
      machines: [],
      busy: false,
      problem: null
    }
  },
  computed: {
    kinds() {
      const kinds = [
        'everything',
        'since_last',
        'client',
        'machine',
        'dates',
        'cash_out'
      ]
      return kinds.map(value => ({
        value,
        label: satmText.t(`recon.kind.${value}`)
      }))
    },
    body() {
      const {kind, client, machine, from_day, to_day, cash_out} = this
      const values = {
        client: {client},
        machine: {machine},
        dates: {from_day: from_day || null, to_day: to_day || null},
        cash_out: {cash_out}
      }
      return {kind, ...values[kind]}
    },
    ready() {
      const values = Object.values(this.body).slice(1)
      return !values.length || values.some(Boolean)
    }
  },
  methods: {
    async load() {
      this.problem = null
      try {
        const facets = await satmApi.get('facets')
        this.machines = facets.machines.map(({id, name}) => ({
          value: id,
          label: name || satmFormat.short(id)
        }))
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    async start() {
      this.busy = true
      this.problem = null
      try {
        this.$emit(
          'begun',
          await satmApi.once('POST', 'reconciliations', this.body)
        )
        this.$emit('update:model-value', false)
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
})
