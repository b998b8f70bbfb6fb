// @ts-check
// The audit trail: is it as it was written, and what happened, searched and narrowed. Corrections,
// which are entries too, stand beside it.
const SATM_VERIFY_LOOK_MS = 500

satmComponent('satm-audit', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed', 'open'],
  data() {
    return {
      /** @type {any} */
      head: null,
      /** @type {any} */
      report: null,
      problem: null,
      verifying: false,
      known: '',
      /** @type {string[]} */
      actions: [],
      filters: {action: null, from: '', to: '', subject: '', search: ''},
      place: {page: 1, sortBy: 'seq', descending: true}
    }
  },
  computed: {
    params() {
      return Object.fromEntries(
        Object.entries(this.filters).map(([name, value]) => [
          name,
          value || null
        ])
      )
    },
    narrowed() {
      return Object.values(this.params).some(Boolean)
    },
    knownIsHash() {
      return !this.known || /^[0-9a-f]{64}$/.test(this.known)
    },
    done() {
      const {done = 0, total = 0} = this.head?.verifying ?? {}
      return total ? done / total : 0
    },
    actionOptions() {
      return this.actions.map(value => ({value, label: this.word(value)}))
    },
    /** @returns {Fact[]} */
    facts() {
      const {t} = satmText
      const {seq, hash, at, daily} = this.head
      return [
        {label: t('audit.entries'), value: satmFormat.number(seq)},
        {label: t('audit.last'), at},
        {label: t('audit.head'), value: hash, copy: hash},
        {
          label: t('audit.daily', {day: daily?.noted_on ?? ''}),
          value: daily?.hash ?? '',
          copy: daily?.hash
        }
      ]
    },
    outcome() {
      const {ok, entries, bad_seq, code, why, seconds} = this.report
      const {t} = satmText
      if (ok) return t('audit.right', {n: entries, s: seconds})
      const said = satmText.told(`audit.code.${code}`, why)
      return bad_seq ? t('audit.wrong', {seq: bad_seq, why: said}) : said
    },
    columns() {
      const {t} = satmText
      const left = {align: 'left'}
      return [
        {
          name: 'seq',
          label: t('audit.seq'),
          field: 'seq',
          sortable: true,
          align: 'right',
          classes: 'satm-number'
        },
        {name: 'at', label: t('audit.when'), field: 'at', ...left},
        {
          name: 'what',
          label: t('audit.what'),
          field: row => this.word(row.action),
          classes: 'text-weight-medium',
          ...left
        },
        {name: 'who', label: t('audit.who'), field: this.who, ...left},
        {
          name: 'told',
          label: t('audit.told'),
          field: 'id',
          style: 'white-space: normal; max-width: 420px',
          classes: 'satm-wrap',
          ...left
        }
      ]
    }
  },
  watch: {
    version: 'load',
    params() {
      this.place = {...this.place, page: 1}
    }
  },
  created() {
    this.load()
  },
  methods: {
    async load() {
      try {
        this.head = await satmApi.get('audit/head')
        this.actions = await satmApi.get('audit/actions')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    async verify() {
      this.verifying = true
      this.report = null
      this.problem = null
      const look = setInterval(async () => {
        this.head = await satmApi.get('audit/head').catch(() => this.head)
      }, SATM_VERIFY_LOOK_MS)
      try {
        const body = this.known ? {known_hash: this.known} : {}
        this.report = await satmApi.send('POST', 'audit/verify', body)
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      clearInterval(look)
      this.verifying = false
      this.$emit('changed')
    },
    /** @param {string} action */
    word(action) {
      return satmText.told(`event.${action}`, action)
    },
    who(entry) {
      if (entry.actor === 'system') return satmText.t('actor.system')
      if (entry.actor === this.g.user.id) return satmText.t('actor.you')
      return satmFormat.short(entry.actor)
    },
    clear() {
      this.filters = {action: null, from: '', to: '', subject: '', search: ''}
    }
  }
})
