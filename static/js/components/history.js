// @ts-check
// What happened, oldest first, and who did it.
satmComponent('satm-history', {
  props: {events: {type: Array, default: () => []}},
  computed: {
    entries() {
      return /** @type {HistoryEvent[]} */ (this.events).map(event => ({
        at: event.at,
        title: satmText.told(`event.${event.action}`, event.action),
        by: this.by(event.actor),
        text: this.text(event.detail)
      }))
    }
  },
  methods: {
    by(actor) {
      if (actor === 'system') return satmText.t('actor.system')
      if (actor === this.g.user.id) return satmText.t('actor.you')
      return satmFormat.short(actor)
    },
    /** @param {Record<string, any>} detail */
    text(detail) {
      const said = [
        detail.reason,
        detail.message,
        detail.code && satmText.told(`hold.${detail.code}`, detail.code),
        detail.status &&
          satmText.told(`cashOut.${detail.status}`, detail.status),
        detail.changed?.join?.(', ')
      ]
      return said.filter(Boolean).join(' · ')
    }
  }
})
