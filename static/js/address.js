// @ts-check
/**
 * The address of a tab, so that it can be linked to and Back works: `#cash-outs`, and before it the
 * filters of its table as a plain query, `?status=held&machine=...#cash-outs`. A tab reads its
 * filters from `$route.query`.
 *
 * Tabs and tiles go there by the router. Quasar closes open dialogs when the route changes, so what
 * a dialog keeps in the address is written without it (page.js, `openCashOut`).
 */
const satmAddress = {
  TABS: ['overview', 'cash-outs', 'clients', 'deposits', 'books', 'setup'],

  /** The tab of an address; the overview where it names none of ours.
   * @param {string} hash
   * @returns {string}
   */
  tab(hash) {
    const named = hash.replace('#', '')
    return satmAddress.TABS.includes(named) ? named : satmAddress.TABS[0]
  },

  /** A place of the page, for the router.
   * @param {string} tab
   * @param {Record<string, string>} [query] filters of the tab's table
   */
  to(tab, query = {}) {
    return {path: window.location.pathname, hash: `#${tab}`, query}
  }
}
