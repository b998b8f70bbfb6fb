// @ts-check
// One message: where it stands, when, and what the other side said.
satmComponent('satm-delivery', {
  props: {delivery: {type: Object, required: true}},
  computed: {
    said() {
      const {event, attempts, last_result} = this.delivery
      const {t} = satmText
      return [
        t(`alerts.event.${event}`),
        attempts > 1 && t('alerts.attempts', {n: attempts}),
        last_result
      ]
        .filter(Boolean)
        .join(' · ')
    }
  }
})
