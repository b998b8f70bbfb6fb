// @ts-check
// One of the clients, found by name at the server as it is typed.
const SATM_CLIENTS_SHOWN = 20

satmComponent('satm-client-field', {
  props: {
    modelValue: {type: String, default: null},
    label: {type: String, required: true},
    dense: {type: Boolean, default: false},
    error: {type: String, default: ''}
  },
  emits: ['update:model-value', 'named'],
  data() {
    return {
      /** @type {{value: string, label: string, caption: string}[]} */
      options: [],
      /** @type {{value: string, label: string} | null} */
      chosen: null
    }
  },
  watch: {
    modelValue: {immediate: true, handler: 'name'}
  },
  methods: {
    /** @param {Client} client */
    option(client) {
      return {
        value: client.id,
        label: client.username || satmFormat.short(client.user_id),
        caption: client.balances
          .map(one => satmFormat.fiat(one.remaining_balance, one.currency))
          .join(' · ')
      }
    },
    /** The name of a client that is only known by id, as from the address. */
    async name() {
      const id = this.modelValue
      if (!id) this.chosen = null
      if (!id || this.chosen?.value === id) return
      this.chosen = {value: id, label: satmFormat.short(id)}
      try {
        const path = `clients/${encodeURIComponent(id)}`
        const client = await satmApi.get(path)
        if (id === this.modelValue) this.chosen = this.option(client)
      } catch {
        // The id is shown: a client that is gone can still be filtered by.
      }
      this.$emit('named', this.chosen?.label ?? '')
    },
    /**
     * @param {string} text
     * @param {(found: () => void) => void} update
     * @param {() => void} abort
     */
    async filter(text, update, abort) {
      try {
        const page = await satmApi.get('clients', {
          search: text,
          limit: SATM_CLIENTS_SHOWN,
          sortby: 'username',
          direction: 'asc'
        })
        update(() => (this.options = page.data.map(this.option)))
      } catch (error) {
        abort()
        satmApi.complain(error)
      }
    },
    choose(option) {
      this.chosen = option
      this.$emit('named', option?.label ?? '')
      this.$emit('update:model-value', option?.value ?? null)
    }
  }
})
