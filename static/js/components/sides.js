// @ts-check
// The sides of one cash-out next to each other: Lamassu, what was stored and planned, the ledger,
// the wallets; and between them where they agree and which link differs first.
satmComponent('satm-sides', {
  props: {
    cashOutId: {type: String, required: true},
    version: {type: Number, default: 0}
  },
  data() {
    return {
      /** @type {Sides | null} */
      found: null,
      problem: null
    }
  },
  computed: {
    links() {
      const first = this.found.first_difference?.link
      return this.found.links.map(({link, verdict}) => ({
        link,
        verdict,
        first: link === first,
        look: satmWords.verdict[verdict],
        label: satmText.t(`link.${link}`),
        says: satmText.t(`verdict.${verdict}`)
      }))
    },
    lamassu() {
      const {lamassu, stored} = this.found
      const names = ['crypto_atoms', 'fiat', 'fiat_code', 'status']
      names.push('commission_percentage', 'discount', 'dispense_confirmed')
      return names.map(name => ({
        name,
        value: this.text(lamassu?.[name]),
        stored: this.text(stored[name]),
        differs: !!lamassu && lamassu[name] !== stored[name]
      }))
    },
    plan() {
      const {plan} = this.found
      const names = ['total_sats', 'base_sats', 'commission_sats']
      names.push('confirmed_sats', 'failed_sats', 'operator_remainder_sats')
      return names.map(name => ({
        name: satmText.t(`side.${name}`),
        value: satmFormat.sats(plan[name])
      }))
    },
    shares() {
      return this.found.shares.map(share => ({
        key: share.leg_key + share.client_id + share.amount_sats,
        name: satmFormat.short(share.client_id),
        value: satmFormat.sats(share.amount_sats),
        state: share.status,
        look: satmWords.share[share.status] ?? {icon: 'help_outline'}
      }))
    },
    ledger() {
      return this.found.ledger.map(({seq, account, amount, unit}) => ({
        key: seq,
        name: account,
        value: `${satmFormat.number(amount)} ${unit}`
      }))
    },
    wallets() {
      return this.found.wallet_rows.map(row => ({
        key: row.id + row.wallet_id,
        name: satmFormat.short(row.wallet_id),
        id: row.id,
        value: `${satmFormat.number(row.amount.original_value)} msat`,
        status: row.status
      }))
    }
  },
  watch: {
    cashOutId: 'load',
    version: 'load'
  },
  created() {
    this.load()
  },
  methods: {
    async load() {
      const id = encodeURIComponent(this.cashOutId)
      try {
        this.found = await satmApi.get(`transactions/${id}/sides`)
        this.problem = null
      } catch (error) {
        this.problem = satmApi.problem(error)
      }
    },
    text(value) {
      return value === null || value === undefined ? '–' : String(value)
    }
  }
})
