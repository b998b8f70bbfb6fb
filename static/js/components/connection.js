// @ts-check
// Where Lamassu is, how the last poll went, when the next one comes, and the connection test.
satmComponent('satm-connection', {
  props: {
    status: {type: Object, default: null},
    config: {type: Object, default: null},
    loading: {type: Boolean, default: false},
    problem: {type: Object, default: null},
    testing: {type: Boolean, default: false},
    result: {type: Object, default: null}
  },
  emits: ['open', 'test', 'retry'],
  computed: {
    /** @returns {Poll | null} */
    poll() {
      return this.status?.last_poll ?? null
    },
    /** @returns {Fact[]} */
    place() {
      const {t} = satmText
      const config = /** @type {Config} */ (this.config)
      const ssh = `${config.ssh_username}@${config.ssh_host}:${config.ssh_port}`
      const print = config.ssh_host_fingerprint
      const hostKey = print
        ? {copy: print, value: satmFormat.short(print)}
        : {value: t('hostKey.notAccepted')}
      return [
        config.use_ssh_tunnel
          ? {label: t('ssh'), copy: ssh, value: ssh}
          : {label: t('ssh'), value: t('ssh.off')},
        config.use_ssh_tunnel && {label: t('hostKey'), ...hostKey},
        {
          label: t('database'),
          value: `${config.database_name} · ${config.username}@${config.host}:${config.port}`
        },
        {label: t('wallet.source'), ...this.wallet(config.source_wallet_id)},
        {
          label: t('wallet.commission'),
          ...this.wallet(config.commission_wallet_id, t('wallet.kept'))
        },
        {label: t('clockDifference'), value: this.clock}
      ].filter(Boolean)
    },
    clock() {
      const us = this.status.clock_difference_us
      if (us === null) return ''
      return satmText.t(us < 0 ? 'clock.behind' : 'clock.ahead', {
        s: Math.round(Math.abs(us) / 1e5) / 10
      })
    },
    /** @returns {Fact[]} */
    lastPoll() {
      const {t} = satmText
      const next = {label: t('poll.next'), at: this.status.next_poll_at}
      if (!this.poll) return [{label: t('poll.last'), value: t('poll.never')}]
      const {cause, result, rows_read, new_rows, settled, left_pending} =
        this.poll
      const cell = satmText.told(`poll.cause.${cause}`, cause)
      const ended = result
        ? satmText.told(`poll.result.${result}`, result)
        : t('poll.result.running')
      return [
        {label: t('poll.last'), at: this.poll.started_at, note: cell},
        {
          label: t('poll.result'),
          value: ended,
          note: t('poll.counts', {
            read: rows_read ?? 0,
            fresh: new_rows ?? 0,
            settled: settled ?? 0,
            left: left_pending ?? 0
          })
        },
        {label: t('poll.success'), at: this.status.last_successful_poll},
        this.status.polling_enabled
          ? next
          : {...next, at: null, value: t('off')}
      ]
    }
  },
  methods: {
    /**
     * @param {string | null} id
     * @param {string} [none]
     */
    wallet(id, none) {
      if (!id) return {value: none ?? satmText.t('wallet.missing')}
      const own = this.g.user.wallets.find(wallet => wallet.id === id)
      return {copy: id, value: own?.name ?? satmFormat.short(id), plain: !!own}
    }
  }
})
