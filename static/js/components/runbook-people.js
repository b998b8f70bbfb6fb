// @ts-check
// Whom to call and when; what was changed in the runbook; who signed it and when it is due again.
satmComponent('satm-runbook-people', {
  props: {
    /** @type {any} */
    book: {type: Object, required: true}
  },
  emits: ['changed'],
  data() {
    return {
      editing: false,
      /** @type {any} */
      contact: {},
      signing: false
    }
  },
  computed: {
    people() {
      return /** @type {RunbookContact[]} */ (this.book.contacts).map(row => ({
        ...row,
        title: satmText.t(`role.${row.role}`),
        when: satmText.t(`role.${row.role}.when`),
        facts: this.facts(row)
      }))
    },
    due() {
      const {due_at} = this.book.review
      return due_at && satmText.t('review.due', {day: satmFormat.when(due_at)})
    },
    logged() {
      const {changes, signoffs} = this.book
      const all = /** @type {Logged[]} */ ([...changes, ...signoffs])
      all.sort((a, b) => b.at.localeCompare(a.at))
      return all.map(row => ({
        ...row,
        title: row.role
          ? satmText.t('review.signedBy', {
              role: satmText.t(`role.${row.role}`)
            })
          : satmText.t('review.changed')
      }))
    }
  },
  methods: {
    /**
     * @param {RunbookContact} row
     * @returns {Fact[]}
     */
    facts(row) {
      const {t} = satmText
      const {after_minutes, above_sats} = row
      return [
        {label: t('contact.name'), value: row.name},
        {label: t('contact.email'), value: row.email},
        {label: t('contact.phone'), value: row.phone},
        {label: t('contact.available'), value: row.available},
        {
          label: t('contact.after_minutes'),
          value: after_minutes === null ? '' : satmFormat.number(after_minutes)
        },
        {
          label: t('contact.above_sats'),
          value: above_sats === null ? '' : satmFormat.sats(above_sats)
        }
      ]
    },
    edit(row) {
      this.contact = row
      this.editing = true
    }
  }
})
