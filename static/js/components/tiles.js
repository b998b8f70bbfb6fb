// @ts-check
// The numbers of the overview, each a link to the rows behind it.
satmComponent('satm-tiles', {
  props: {
    summary: {type: Object, default: null},
    funds: {type: Object, default: null},
    problem: {type: Object, default: null}
  },
  emits: ['retry'],
  computed: {
    tiles() {
      const summary = /** @type {Summary | null} */ (this.summary)
      const funds = /** @type {Funds | null} */ (this.funds)
      return [
        ...(summary ? [...this.today(summary), ...this.waiting(summary)] : []),
        ...(funds ? this.wallets(funds) : []),
        ...(summary ? this.recent(summary) : [])
      ]
    }
  },
  methods: {
    /** @param {Summary} summary */
    today({today, day}) {
      const {t} = satmText
      const to = satmAddress.to('cash-outs', {
        status: 'completed',
        from: day,
        to: day
      })
      const note = t('tile.cashOuts', {n: today.cash_outs})
      return [
        this.tile(
          'distributed',
          'call_split',
          today.distributed_sats,
          to,
          note
        ),
        this.tile(
          'commission',
          'monetization_on',
          today.commission_sats,
          to,
          note
        )
      ]
    },
    /** @param {Summary} summary */
    waiting({held, failed_shares, deposits}) {
      const {t} = satmText
      const {number, sats} = satmFormat
      const late = t('tile.deposits.late', {n: deposits.late})
      const amounts = deposits.waiting.map(one =>
        satmFormat.fiat(one.amount, one.currency)
      )
      return [
        {
          name: 'held',
          icon: 'pan_tool',
          color: held.count ? 'warning' : undefined,
          value: number(held.count),
          note: held.count ? sats(held.sats) : t('tile.none'),
          to: satmAddress.to('cash-outs', {status: 'held'})
        },
        {
          name: 'failed',
          icon: 'error',
          color: failed_shares.count ? 'negative' : undefined,
          value: number(failed_shares.count),
          note: failed_shares.count ? sats(failed_shares.sats) : t('tile.none'),
          to: satmAddress.to('cash-outs', {shares: 'failed'})
        },
        {
          name: 'deposits',
          icon: 'savings',
          color: deposits.late ? 'warning' : undefined,
          value: number(deposits.pending),
          note: deposits.late ? late : amounts.join(' · ') || t('tile.none'),
          to: satmAddress.to('deposits', {status: 'pending'})
        }
      ]
    },
    /** @param {Funds} funds */
    wallets({source, commission}) {
      const {t} = satmText
      return [
        {
          ...this.wallet('source', 'account_balance_wallet', source),
          note: source?.problem ? t('tile.wallet.problem') : this.runway(source)
        },
        {
          ...this.wallet('commissionWallet', 'account_balance', commission),
          note: commission?.problem
            ? t('tile.wallet.problem')
            : t(commission ? 'tile.wallet.balance' : 'wallet.kept')
        }
      ]
    },
    /** How long the source wallet lasts, or why it needs no filling. */
    runway(source) {
      const {t} = satmText
      if (!source) return t('wallet.missing')
      if (!source.prefunded.length) return t('tile.source.credit')
      const days = source.runway_days
      if (days === null) return t('tile.source.noPace', {n: source.pace_days})
      return t('tile.source.runway', {n: days})
    },
    wallet(name, icon, wallet) {
      const own = this.g.user.wallets.some(one => one.id === wallet?.id)
      const short = wallet?.runway_days !== null && wallet?.runway_days < 3
      return {
        name,
        icon,
        color: wallet?.problem
          ? 'negative'
          : short && wallet?.prefunded?.length
            ? 'warning'
            : undefined,
        value: satmFormat.sats(wallet?.balance_sats),
        to: own ? `/wallet/${wallet.id}` : satmAddress.to('setup')
      }
    },
    /** @param {Summary} summary */
    recent({clients, commission, paid_after_s, first_day, day}) {
      const {t} = satmText
      const {percent, duration, number} = satmFormat
      const left = clients.remaining.map(one =>
        satmFormat.fiat(one.amount, one.currency)
      )
      const expected = t('tile.average.expected', {
        configured: percent(commission.configured),
        expected: percent(commission.expected)
      })
      return [
        {
          name: 'clients',
          icon: 'group',
          value: `${number(clients.with_balance)} / ${number(clients.active)}`,
          note: left.join(' · ') || t('tile.clients.none'),
          to: satmAddress.to('clients', {status: 'active'})
        },
        {
          name: 'average',
          icon: 'analytics',
          value: percent(commission.average),
          note: commission.cash_outs ? expected : t('tile.noSales'),
          to: satmAddress.to('cash-outs', {
            status: 'completed',
            from: first_day,
            to: day
          })
        },
        {
          name: 'paidAfter',
          icon: 'timer',
          value: duration(paid_after_s),
          note: t(
            paid_after_s === null ? 'tile.noSales' : 'tile.paidAfter.median'
          ),
          to: satmAddress.to('cash-outs', {status: 'completed'})
        }
      ]
    },
    tile(name, icon, sats, to, note) {
      return {name, icon, value: satmFormat.sats(sats), note, to}
    }
  }
})
