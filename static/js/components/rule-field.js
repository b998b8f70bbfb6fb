// @ts-check
// The split rule, with what the chosen one does.
satmComponent('satm-rule-field', {
  props: {form: {type: Object, required: true}},
  computed: {
    rules() {
      return ['markup', 'margin', 'ticker'].map(value => ({
        value,
        label: satmText.t(`rule.${value}`)
      }))
    }
  }
})
