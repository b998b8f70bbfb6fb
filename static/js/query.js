// @ts-check
/**
 * What the address says before its hash: the filters of a table (`?status=held&from=2026-01-31`)
 * and what is open. Written without the router, so that dialogs stay open; read by every part that
 * shows it, so that a link, a reload and Back show the same.
 */
const satmQuery = {
  state: Vue.reactive({search: window.location.search}),

  /** Once somebody else may have written the address. */
  refresh() {
    satmQuery.state.search = window.location.search
  },

  /**
   * @param {string} name
   * @returns {string}
   */
  get(name) {
    return new URLSearchParams(satmQuery.state.search).get(name) ?? ''
  },

  /** @param {Record<string, string | number | null>} changes empty values are taken out */
  set(changes) {
    const address = new URL(window.location.href)
    for (const [name, value] of Object.entries(changes)) {
      if (value) address.searchParams.set(name, String(value))
      else address.searchParams.delete(name)
    }
    // A comma means itself in a query; people read it more easily than its code.
    address.search = address.searchParams.toString().replaceAll('%2C', ',')
    if (address.href !== window.location.href) {
      window.history.replaceState(window.history.state, '', address)
    }
    satmQuery.refresh()
  }
}
