// @ts-check
// Currency, time zone, limits and how often Lamassu is asked.
satmComponent('satm-setup-terms', {
  mixins: [SATM_STEP],
  data() {
    return {
      form: satmPick(this.settings, [
        'currency',
        'time_zone',
        'poll_interval_s',
        'max_daily_limit',
        'typed_amount_above_sats',
        'settle_without_clients',
        'api_tokens_may_move_money'
      ])
    }
  },
  methods: {
    save() {
      this.act(() => satmApi.send('PUT', 'settings', this.form))
    }
  }
})
