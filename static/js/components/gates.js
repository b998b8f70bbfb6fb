// @ts-check
// What stopped money work, and the one way to go on: a person looked, and says why it is well; a
// broken rule of the books is resumed step by step.
satmComponent('satm-gates', {
  props: {gates: {type: Object, required: true}},
  emits: ['resumed'],
  data() {
    return {asked: false, name: ''}
  },
  computed: {
    closed() {
      return Object.entries(this.gates).map(([name, gate]) => ({
        name,
        title: satmText.told(`gate.${name}`, name),
        message: gate.message,
        hint: gate.hint,
        stepByStep: name === 'halt', // under Setup, Health; the others are looked at here
        since: satmFormat.isoFromUs(gate.since_us),
        facts: Object.entries(gate.facts ?? {}).map(([label, value]) => ({
          label,
          value: typeof value === 'string' ? value : JSON.stringify(value)
        }))
      }))
    }
  },
  methods: {
    ask(gate) {
      this.name = gate.name
      this.asked = true
    }
  }
})
