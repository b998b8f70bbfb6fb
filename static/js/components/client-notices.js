// @ts-check
// Clients whose payouts are late or were corrected: who, how they are reached, and the very text
// that they will get. Nothing is sent that was not on the screen.
satmComponent('satm-client-notices', {
  props: {version: {type: Number, required: true}},
  data() {
    return {
      /** @type {ClientNotice[] | null} */
      clients: null,
      /** @type {string[]} */
      chosen: [],
      message: '',
      writing: false,
      busy: false,
      problem: null,
      sendProblem: null
    }
  },
  computed: {
    ready() {
      return this.chosen.length > 0 && this.message.length >= 3
    }
  },
  watch: {
    version: 'load'
  },
  created() {
    this.load()
  },
  methods: {
    async load() {
      try {
        /** @type {ClientNotice[]} */
        const found = (await satmApi.get('client-notices')).data
        const ids = [...new Set(found.map(one => one.client_id))]
        this.clients = ids.map(id => found.find(one => one.client_id === id))
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    /** @param {ClientNotice} one */
    caption(one) {
      const {t} = satmText
      return [
        t(`notice.why.${one.why}`),
        one.sats && satmFormat.sats(one.sats),
        one.ways.length
          ? one.ways.map(way => t(`notice.way.${way}`)).join(', ')
          : t('notice.noWay'),
        one.told_at && t('notice.toldAt', {when: satmFormat.when(one.told_at)})
      ]
        .filter(Boolean)
        .join(' · ')
    },
    write() {
      this.chosen = this.clients
        .filter(one => one.ways.length && !one.told_at)
        .map(one => one.client_id)
      const late = this.clients.some(one => one.why !== 'corrected')
      this.message = satmText.t(late ? 'notice.late' : 'notice.corrected')
      this.sendProblem = null
      this.writing = true
    },
    async send() {
      this.busy = true
      this.sendProblem = null
      try {
        const answer = await satmApi.once('POST', 'client-notices', {
          client_ids: this.chosen,
          message: this.message
        })
        this.writing = false
        satmApi.say(satmText.t('notice.sent', {n: answer.queued}))
        await this.load()
      } catch (error) {
        this.sendProblem = satmApi.problem(error)
      }
      this.busy = false
    }
  }
})
