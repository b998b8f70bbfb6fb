// @ts-check
// Alerts: what holds now, what was, who took it; and the clients that can be told.
satmComponent('satm-alerts', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['changed', 'open'],
  data() {
    return {
      place: {page: 1, sortBy: 'last_us', descending: true},
      state: 'open',
      shown: false,
      alertId: ''
    }
  },
  computed: {
    states() {
      return ['open', 'resolved'].map(value => ({
        value,
        label: satmText.t(`alerts.state.${value}`)
      }))
    },
    columns() {
      const {t} = satmText
      const left = {align: 'left'}
      return [
        {
          name: 'severity',
          label: t('alerts.severity'),
          field: 'severity',
          ...left
        },
        {
          name: 'message',
          label: t('alerts.what'),
          field: 'message',
          classes: 'satm-wrap',
          style: 'white-space: normal',
          ...left
        },
        {
          name: 'last_us',
          label: t('alerts.last'),
          field: 'last_at',
          sortable: true,
          ...left
        },
        {name: 'state', label: t('state'), field: 'state', ...left}
      ]
    }
  },
  methods: {
    /** @param {AlertShown} alert */
    said(alert) {
      return satmAlert.said(alert)
    },
    /** @param {AlertShown} alert */
    hint(alert) {
      return satmAlert.hint(alert)
    },
    show(row) {
      this.alertId = row.id
      this.shown = true
    }
  }
})
