// @ts-check
// A client's own page: balance sheet, deposits and shares, to be read together and printed. Opened
// by address, so that it can be linked to: `?client_page=<id>`.
satmComponent('satm-client-page', {
  props: {version: {type: Number, required: true}},
  emits: ['changed', 'open'],
  data() {
    return {
      /** @type {any} */
      sheet: null,
      problem: null,
      editing: false,
      correcting: false,
      busy: false,
      deposits: {page: 1, sortBy: 'created_at', descending: true},
      shares: {page: 1, sortBy: 'cash_out_us', descending: true}
    }
  },
  computed: {
    id() {
      return satmQuery.get('client_page')
    },
    shown: {
      get() {
        return this.id !== ''
      },
      set(open) {
        if (!open) satmQuery.set({client_page: ''})
      }
    },
    path() {
      return `clients/${encodeURIComponent(this.id)}`
    },
    title() {
      if (!this.sheet) return satmText.t('client')
      return this.sheet.username || satmFormat.short(this.sheet.user_id)
    },
    active() {
      return this.sheet?.status === 'active'
    },
    /** @returns {Fact[]} */
    facts() {
      const {t} = satmText
      const {short, sats, number} = satmFormat
      const sheet = this.sheet
      return [
        {label: t('client.mode'), value: satmClientMode(sheet)},
        {
          label: t('client.user'),
          copy: sheet.user_id,
          value: sheet.user_name || short(sheet.user_id),
          plain: true
        },
        {
          label: t('client.wallet'),
          copy: sheet.wallet_id,
          value: sheet.wallet_name || short(sheet.wallet_id),
          plain: true
        },
        {label: t('list.shares'), value: number(sheet.shares)},
        {label: t('list.received'), value: sats(sheet.lifetime_sats)},
        {
          label: t('part.owed'),
          value: sheet.owed_sats ? sats(sheet.owed_sats) : ''
        },
        {
          label: t('client.corrected'),
          value: sheet.corrected_sats ? sats(sheet.corrected_sats) : ''
        },
        {
          label: t('client.claimed'),
          value: sheet.claimed_back_sats
            ? t('client.claimed.value', {
                sats: sats(sheet.claimed_back_sats),
                pace: sheet.pace_percent
              })
            : ''
        },
        {label: t('list.lastShare'), at: sheet.last_share_at},
        {label: t('list.since'), at: sheet.created_at},
        {label: t('list.asOf'), at: sheet.as_of}
      ]
    },
    corrections() {
      const actions = ['adjust_balance', 'recover_overpayment', 'compensate']
      if (this.sheet.claimed_back_sats) actions.push('write_off')
      return {actions, client_id: this.id}
    },
    sheets() {
      const {t} = satmText
      return this.sheet.sheets.map(one => {
        const money = amount => satmFormat.fiat(amount, one.currency)
        return {
          currency: one.currency,
          lines: [
            {label: t('sheet.opening'), value: money(one.opening)},
            {
              label: t('sheet.deposits'),
              value: `+ ${money(one.total_deposits)}`
            },
            one.adjusted_minor && {
              label: t('sheet.corrections'),
              value: money(one.adjusted)
            },
            {label: t('sheet.shares'), value: `− ${money(one.total_payments)}`},
            {
              label: t('sheet.balance'),
              value: money(one.remaining_balance),
              result: true
            }
          ].filter(Boolean),
          cost:
            one.average_cost &&
            t('sheet.cost', {
              sats: satmFormat.sats(one.sats),
              cost: money(one.average_cost)
            })
        }
      })
    },
    depositColumns() {
      const {t} = satmText
      const left = {align: 'left'}
      return [
        {
          name: 'created_at',
          label: t('list.writtenDown'),
          field: row => satmFormat.when(row.created_at),
          sortable: true,
          ...left
        },
        {
          name: 'amount_minor',
          label: t('deposit.amount'),
          field: row => satmFormat.fiat(row.amount_decimal, row.currency),
          sortable: true,
          align: 'right',
          classes: 'satm-number'
        },
        {name: 'status', label: t('state'), field: 'status', ...left},
        {name: 'notes', label: t('deposit.notes'), field: 'notes', ...left}
      ]
    },
    shareColumns() {
      const {t} = satmText
      const {number, fiat} = satmFormat
      const left = {align: 'left'}
      const amount = {align: 'right', classes: 'satm-number'}
      return [
        {
          name: 'cash_out_us',
          label: t('cashOut'),
          field: row => satmFormat.when(row.transaction_time),
          sortable: true,
          ...left
        },
        {
          name: 'amount_sats',
          label: 'sats',
          field: row => number(row.amount_sats),
          sortable: true,
          ...amount
        },
        {
          name: 'fiat_minor',
          label: t('charged'),
          field: row => fiat(row.fiat, row.currency),
          sortable: true,
          ...amount
        },
        {name: 'status', label: t('state'), field: 'status', ...left},
        {name: 'hash', label: t('paymentHash'), field: 'id', ...left}
      ]
    }
  },
  watch: {
    id: {immediate: true, handler: 'start'},
    version: 'load',
    '$route.fullPath'() {
      satmQuery.refresh()
    }
  },
  methods: {
    start() {
      this.sheet = null
      this.problem = null
      this.deposits = {...this.deposits, page: 1}
      this.shares = {...this.shares, page: 1}
      this.load()
    },
    async load() {
      const id = this.id
      if (!id) return
      try {
        const sheet = await satmApi.get(`${this.path}/sheet`)
        if (id !== this.id) return
        this.sheet = sheet
        this.problem = null
      } catch (error) {
        if (id === this.id) this.problem = satmApi.problem(error)
      }
    },
    async pause() {
      this.busy = true
      try {
        const status = this.active ? 'inactive' : 'active'
        await satmApi.send('PUT', this.path, {status})
        satmApi.say(satmText.t('saved'))
        this.$emit('changed')
      } catch (error) {
        satmApi.complain(error)
      }
      this.busy = false
    },
    print() {
      window.print()
    }
  }
})
