// @ts-check
// One finding: what differs, on which sides, what to do, and its life. From here a correction is
// previewed, or a person says that they know.
satmComponent('satm-finding-dialog', {
  props: {
    modelValue: {type: Boolean, required: true},
    findingId: {type: String, required: true},
    version: {type: Number, required: true}
  },
  emits: ['update:model-value', 'changed', 'open'],
  data() {
    return {
      /** @type {any} */
      row: null,
      problem: null,
      note: '',
      busy: '',
      correcting: false,
      processing: false,
      /** @type {any} */
      request: {}
    }
  },
  computed: {
    shown: {
      get() {
        return this.modelValue
      },
      set(value) {
        this.$emit('update:model-value', value)
      }
    },
    name() {
      return satmText.told(`code.${this.row.code}`, this.row.code)
    },
    advice() {
      return satmText.told(`advice.${this.row.advice}`, this.row.what_to_do)
    },
    how() {
      const {resolution} = this.row
      return resolution === 'resolved by itself'
        ? satmText.t('finding.byItself')
        : resolution
    },
    /** Corrections are a part of their own; without it a person can acknowledge. */
    corrections() {
      if (this.row.status === 'resolved') return []
      if (!window.app.component('satm-correction-dialog')) return []
      const others = ['acknowledge', 'process']
      return this.row.mend.filter(action => !others.includes(action))
    },
    /** A sale that Lamassu has and we do not, as the dialog that settles it knows one. */
    missingSale() {
      if (!this.row) return null
      const {status, mend, subject_id} = this.row
      if (status === 'resolved' || !mend.includes('process')) return null
      return {lamassu_transaction_id: subject_id}
    },
    /** @returns {Fact[]} */
    facts() {
      const {t} = satmText
      const {row} = this
      const kind = satmText.told(`subject.${row.subject_kind}`, '')
      return [
        {label: t('recon.link'), value: t(`link.${row.link}`)},
        {label: kind, copy: row.subject_id, value: row.subject_id},
        {
          label: t('client'),
          value: row.client_name ?? satmFormat.short(row.client_id)
        },
        {
          label: t('recon.difference'),
          value:
            row.difference_sats === null
              ? ''
              : satmFormat.sats(row.difference_sats)
        },
        {label: t('recon.firstSeen'), at: row.first_at},
        {label: t('recon.lastSeen'), at: row.last_at},
        {label: t('recon.times'), value: satmFormat.number(row.times)}
      ].filter(fact => fact.value !== '–')
    },
    canNote() {
      return this.note.length >= 3 && !this.busy
    }
  },
  watch: {
    findingId: {immediate: true, handler: 'start'},
    version() {
      if (this.findingId) this.load()
    }
  },
  methods: {
    start() {
      this.row = null
      this.note = ''
      this.problem = null
      this.correcting = false
      this.processing = false
      this.request = {}
      if (this.findingId) this.load()
    },
    async load() {
      const id = this.findingId
      try {
        const row = await satmApi.get(`findings/${encodeURIComponent(id)}`)
        if (id === this.findingId) this.row = row
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    /** @param {'notes' | 'acknowledge'} what */
    async say(what) {
      this.busy = what
      try {
        const path = `findings/${encodeURIComponent(this.findingId)}/${what}`
        this.row = await satmApi.once('POST', path, {note: this.note})
        this.note = ''
        this.problem = null
        this.$emit('changed')
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
      this.busy = ''
    },
    correct() {
      const {id, client_id, cash_out_id, leg_key} = this.row
      const given = {client_id, cash_out_id, leg_key, finding_id: id}
      const known = Object.entries(given).filter(([, value]) => value)
      this.request = {
        ...Object.fromEntries(known),
        action: this.corrections[0],
        actions: this.corrections
      }
      // The dialog fills its form when it comes in, so it must be there before.
      this.$nextTick(() => (this.correcting = true))
    },
    corrected() {
      this.load()
      this.$emit('changed')
    },
    who(actor) {
      return actor === 'system' ? satmText.t('actor.system') : actor
    }
  }
})
