// @ts-check
// Where alerts go: each channel with its last message, a test, and what changes or removes it.
satmComponent('satm-channels', {
  props: {version: {type: Number, required: true}},
  data() {
    return {
      /** @type {Channel[] | null} */
      channels: null,
      /** @type {Channel | null} */
      edited: null,
      editing: false,
      removing: false,
      testing: '',
      problem: null
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
        this.channels = (await satmApi.get('channels')).data
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    /** @param {Channel} one */
    caption(one) {
      const {t} = satmText
      return [
        t(`channel.kind.${one.kind}`),
        one.host,
        one.kind !== 'ping' && t(`channel.from.${one.min_severity}`),
        one.kind !== 'ping' && t(`channel.level.${one.level}`)
      ]
        .filter(Boolean)
        .join(' · ')
    },
    edit(one) {
      this.edited = one
      this.editing = true
    },
    ask(one) {
      this.edited = one
      this.removing = true
    },
    async remove() {
      try {
        await satmApi.send('DELETE', `channels/${this.edited.id}`)
      } catch (error) {
        satmApi.complain(error)
      }
      this.removing = false
      await this.load()
    },
    async test(one) {
      this.testing = one.id
      try {
        await satmApi.send('POST', `channels/${one.id}/test`)
      } catch (error) {
        satmApi.complain(error)
      }
      this.testing = ''
      await this.load()
    }
  }
})
