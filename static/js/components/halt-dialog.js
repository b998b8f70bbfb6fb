// @ts-check
// Stop one thing, or everything: says what stops and what goes on before it is done.
satmComponent('satm-halt-dialog', {
  props: {modelValue: {type: Boolean, required: true}},
  emits: ['update:model-value', 'done'],
  data() {
    return {
      scope: 'settlement',
      /** @type {string | null} */
      subject: null,
      reason: '',
      /** @type {{value: string, label: string}[]} */
      machines: [],
      busy: false,
      /** @type {Problem | null} */
      problem: null
    }
  },
  computed: {
    scopes() {
      const names = ['settlement', 'intake', 'machine', 'client', 'everything']
      return names.map(value => ({value, label: satmText.t(`halt.${value}`)}))
    },
    named() {
      return this.scope === 'machine' || this.scope === 'client'
    },
    ready() {
      return this.reason.length >= 3 && (!this.named || !!this.subject)
    }
  },
  watch: {
    scope() {
      this.subject = null
    }
  },
  methods: {
    async reset() {
      Object.assign(this, {scope: 'settlement', subject: null, reason: ''})
      this.problem = null
      try {
        const {machines} = await satmApi.get('facets')
        this.machines = machines.map(one => ({
          value: one.id,
          label: one.name || satmFormat.short(one.id)
        }))
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    async act() {
      this.busy = true
      this.problem = null
      const body = {
        scope: this.scope,
        subject: (this.named && this.subject) || '',
        reason: this.reason
      }
      try {
        await satmApi.once('POST', 'halts', body)
        this.$emit('update:model-value', false)
        this.$emit('done')
      } catch (error) {
        this.problem = satmApi.problem(error)
      } finally {
        this.busy = false
      }
    }
  }
})
