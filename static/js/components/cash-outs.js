// @ts-check
// Cash-outs as the server pages, filters, sorts and searches them. What is asked is in the address.
const SATM_ASKED = [
  'status',
  'from',
  'to',
  'machine',
  'coin',
  'currency',
  'client',
  'shares',
  'search'
]
// Names for people in the address, and the server's own.
const SATM_SORTS = {
  time: 'confirmed_at_us',
  fiat: 'fiat_minor',
  total: 'total_sats',
  state: 'status'
}
const SATM_SORT_FIRST = '-time'

satmComponent('satm-cash-outs', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['open', 'setup'],
  data() {
    return {facets: null, filtering: false, clientName: '', typed: ''}
  },
  computed: {
    /** @returns {Record<string, string>} */
    asked() {
      const found = SATM_ASKED.map(name => [name, satmQuery.get(name)])
      return Object.fromEntries(found.filter(([, value]) => value))
    },
    sort() {
      const sort = satmQuery.get('sort')
      return SATM_SORTS[sort.replace('-', '')] ? sort : SATM_SORT_FIRST
    },
    place: {
      get() {
        const page = Math.trunc(Number(satmQuery.get('page')))
        return {
          page: page > 0 ? page : 1,
          sortBy: SATM_SORTS[this.sort.replace('-', '')],
          descending: this.sort.startsWith('-')
        }
      },
      set({page, sortBy, descending}) {
        const name = Object.keys(SATM_SORTS).find(
          one => SATM_SORTS[one] === sortBy
        )
        const sort = name ? (descending ? '-' : '') + name : ''
        satmQuery.set({
          sort: sort === SATM_SORT_FIRST ? '' : sort,
          page: page > 1 ? page : ''
        })
      }
    },
    sorts() {
      return Object.keys(SATM_SORTS).flatMap(name =>
        ['-', ''].map(sign => ({
          value: sign + name,
          label: satmText.t(`list.sort.${sign ? 'down' : 'up'}.${name}`)
        }))
      )
    },
    chips() {
      const {t} = satmText
      const {status, from, to, machine, ...plain} = this.asked
      const named = this.facets?.machines.find(one => one.id === machine)
      const chips = (status ?? '')
        .split(',')
        .filter(Boolean)
        .map(state => ({
          name: `status:${state}`,
          label: satmText.told(`cashOut.${state}`, state)
        }))
      const days = {from: satmFormat.day(from), to: satmFormat.day(to)}
      if (from && to) chips.push({name: 'days', label: t('list.between', days)})
      else if (from) chips.push({name: 'days', label: t('list.from', days)})
      else if (to) chips.push({name: 'days', label: t('list.to', days)})
      if (machine) {
        const label = named?.name || satmFormat.short(machine)
        chips.push({name: 'machine', label: `${t('machine')}: ${label}`})
      }
      for (const [name, value] of Object.entries(plain)) {
        const shown = name === 'client' ? this.clientName : value
        chips.push({name, label: t(`list.chip.${name}`, {value: shown})})
      }
      return chips
    },
    columns() {
      const {t} = satmText
      const {number, fiat, sats} = satmFormat
      const amount = {align: 'right', classes: 'satm-number'}
      const left = {align: 'left'}
      return [
        {
          name: 'confirmed_at_us',
          label: t('time'),
          field: 'transaction_time',
          sortable: true,
          ...left
        },
        {name: 'machine', label: t('machine'), field: this.machine, ...left},
        {name: 'coin', label: t('coin'), field: 'crypto_code', ...left},
        {
          name: 'fiat_minor',
          label: t('fiat'),
          field: row => fiat(row.fiat, row.fiat_code),
          sortable: true,
          ...amount
        },
        {
          name: 'total_sats',
          label: t('total'),
          field: row => sats(this.total(row)),
          sortable: true,
          ...amount
        },
        {
          name: 'base',
          label: t('base'),
          field: r => number(r.base_sats),
          ...amount
        },
        {
          name: 'commission',
          label: t('commission'),
          field: row => number(row.commission_sats),
          ...amount
        },
        {
          name: 'clients',
          label: t('clients'),
          field: row =>
            row.base_sats === null ? '–' : number(row.clients_count),
          ...amount
        },
        {
          name: 'status',
          label: t('state'),
          field: 'status',
          sortable: true,
          ...left
        },
        {name: 'open', label: '', field: 'id', align: 'right'}
      ]
    },
    visible() {
      const narrow = ['coin', 'base', 'clients']
      const names = this.columns.map(column => column.name)
      return this.$q.screen.lt.lg
        ? names.filter(name => !narrow.includes(name))
        : names
    },
    filtered() {
      return this.chips.length > 0
    },
    empty() {
      const {t} = satmText
      if (this.filtered)
        return {icon: 'filter_alt', text: t('cashOuts.noMatch')}
      if (this.status && !this.status.configured) {
        return {icon: 'build', text: t('cashOuts.setUp')}
      }
      return {icon: 'hourglass_empty', text: t('cashOuts.none')}
    }
  },
  watch: {
    'asked.search': {
      immediate: true,
      handler(search) {
        this.typed = search ?? ''
      }
    },
    typed(text) {
      const search = (text ?? '').trim()
      if (search !== (this.asked.search ?? '')) this.narrow({search})
    },
    version: 'loadFacets'
  },
  created() {
    satmQuery.refresh()
    this.loadFacets()
  },
  methods: {
    async loadFacets() {
      try {
        this.facets = await satmApi.get('facets')
      } catch {
        // The table says what is wrong; the menus are empty meanwhile.
      }
    },
    narrow(changes) {
      const sort = changes.sort === SATM_SORT_FIRST ? {sort: ''} : {}
      satmQuery.set({...changes, ...sort, page: ''})
    },
    remove(name) {
      const [field, state] = name.split(':')
      if (field === 'status') {
        const states = this.asked.status.split(',').filter(one => one !== state)
        this.narrow({status: states.join(',')})
      } else if (field === 'days') this.narrow({from: '', to: ''})
      else this.narrow({[field]: ''})
    },
    clear() {
      this.narrow(Object.fromEntries(SATM_ASKED.map(name => [name, ''])))
    },
    machine(row) {
      return row.machine_name || satmFormat.short(row.device_id)
    },
    /** Until it is settled, what the customer was asked to pay. */
    total(row) {
      return row.total_sats ?? row.crypto_amount
    },
    reason(row) {
      if (row.hold_code) {
        return satmText.told(`hold.${row.hold_code}`, row.reason)
      }
      return row.error_message || row.operator_reason || ''
    }
  }
})
