// @ts-check
// The runbook: what shows each of the six failures now, what to do, the real buttons; incidents;
// whom to call. `act` is what the page's frame does.
satmComponent('satm-runbook', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed', 'open', 'act'],
  data() {
    return {
      /** @type {Runbook | null} */
      book: null,
      /** @type {Problem | null} */
      problem: null,
      printing: false,
      running: false,
      halting: false,
      correcting: false,
      correction: {
        actions: [
          'adjust_balance',
          'recover_overpayment',
          'write_off',
          'compensate',
          'pay_missing',
          'restore_wallet_row'
        ]
      }
    }
  },
  computed: {
    /** @returns {Fact[]} */
    backup() {
      const {t} = satmText
      const {parts, bytes, schema_version, restored_at, audit_seq, audit_hash} =
        this.book.backup
      const size = bytes === null ? '' : satmFormat.number(bytes)
      return [
        {label: t('backup.parts'), value: parts.join(', ')},
        {label: t('backup.bytes'), value: size},
        {label: t('backup.schema'), value: String(schema_version)},
        {label: t('backup.restored'), at: restored_at},
        {
          label: t('runbook.fact.audit_seq'),
          value: satmFormat.number(audit_seq)
        },
        {
          label: t('runbook.fact.audit_hash'),
          value: audit_hash,
          copy: audit_hash
        }
      ]
    },
    backupText() {
      const database = this.book.backup.database
      return ['1', '2', database, '3', '4', '5'].map(one =>
        satmText.t(`backup.${one}`)
      )
    }
  },
  watch: {version: 'load'},
  created() {
    this.load()
  },
  methods: {
    async load() {
      try {
        this.book = await satmApi.get('runbook')
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    /** @param {string} name */
    act(name) {
      const place = satmRunbook.PLACES[name]
      if (place) this.$router.push(satmAddress.to(place[0], place[1]))
      else if (name === 'reconcile') this.running = true
      else if (name === 'halt') this.halting = true
      else if (name === 'correct') this.correcting = true
      else this.$emit('act', name)
    },
    begun() {
      this.$router.push(satmAddress.to('books', {view: 'reconciliation'}))
    },
    changed() {
      this.load()
      this.$emit('changed')
    }
  }
})
