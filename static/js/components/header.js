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
    return {asked: false, switching: false}
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
        {dialog: 'settings', icon: 'tune'},
        {dialog: 'process', icon: 'playlist_add_check'},
        {dialog: 'simulate', icon: 'science'}
      ]
      return entries.map(entry => ({
        ...entry,
        label: satmText.t(`menu.${entry.dialog}`),
        caption: satmText.t(`menu.${entry.dialog}.caption`)
      }))
    }
  },
  methods: {
    async switchPolling() {
      this.switching = true
      try {
        const enabled = !this.status.polling_enabled
        await satmApi.send('PUT', 'polling', {enabled})
        this.asked = false
        this.$emit('refresh')
      } catch (error) {
        satmApi.complain(error)
      }
      this.switching = false
    }
  }
})
