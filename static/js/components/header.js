// @ts-check
// The first answer of the page: is the feed live, since when; and the actions on the whole.
satmComponent('satm-header', {
  props: {
    status: {type: Object, default: null},
    problem: {type: Object, default: null},
    updatedAt: {type: Number, default: 0},
    live: {type: Boolean, default: false},
    polling: {type: Boolean, default: false},
    testing: {type: Boolean, default: false}
  },
  emits: ['poll', 'test', 'open', 'refresh'],
  data() {
    return {asked: false, enable: false, switching: false}
  },
  computed: {
    look() {
      return satmWords.feed[this.status.state] ?? {icon: 'help_outline'}
    },
    word() {
      return satmText.told(`feed.${this.status.state}`, this.status.state)
    },
    /** Of a state that only the server can explain, the server's own sentence. */
    sentence() {
      const key = `feed.${this.status.state}.sentence`
      return satmText.told(key, this.status.state_message)
    },
    menu() {
      const entries = [
        {dialog: 'connection', icon: 'dns'},
        {dialog: 'settings', icon: 'tune'}
      ]
      return entries.map(entry => ({
        ...entry,
        label: satmText.t(`menu.${entry.dialog}`),
        caption: satmText.t(`menu.${entry.dialog}.caption`)
      }))
    }
  },
  methods: {
    /**
     * What is asked for stays what it was when it was asked: the status behind the dialog may be
     * an older one than what the operator acts on, or change under it.
     * @param {boolean} enable
     */
    ask(enable) {
      this.enable = enable
      this.asked = true
    },
    async switchPolling() {
      this.switching = true
      try {
        await satmApi.send('PUT', 'polling', {enabled: this.enable})
        this.asked = false
        this.$emit('refresh')
      } catch (error) {
        satmApi.complain(error)
      }
      this.switching = false
    }
  }
})
