// @ts-check
// A line of the change log, or a signature under the runbook.
satmComponent('satm-sign-dialog', {
  props: {modelValue: {type: Boolean, required: true}},
  emits: ['update:model-value', 'saved'],
  data() {
    return {
      as: 'operator',
      name: '',
      note: '',
      busy: false,
      /** @type {Problem | null} */
      problem: null
    }
  },
  computed: {
    kinds() {
      const {t} = satmText
      const signers = satmRunbook.SIGNERS.map(value => ({
        value,
        label: t('review.as', {role: t(`role.${value}`)})
      }))
      return [...signers, {value: 'change', label: t('review.change')}]
    },
    ready() {
      return !!this.name && (this.as !== 'change' || this.note.length >= 3)
    }
  },
  methods: {
    reset() {
      Object.assign(this, {as: 'operator', name: '', note: '', problem: null})
    },
    async act() {
      this.busy = true
      this.problem = null
      const {as, name, note} = this
      try {
        if (as === 'change')
          await satmApi.once('POST', 'runbook/changes', {name, note})
        else
          await satmApi.once('POST', 'runbook/signoffs', {role: as, name, note})
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
