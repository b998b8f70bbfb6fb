// @ts-check
// Texts of the frame and of the overview; es-overview.js has the same keys.
// prettier-ignore
Object.assign(satmTextsEn, {
  'tabs': 'Parts of the page',
  'tab.overview': 'Overview',
  'tab.cash-outs': 'Cash-outs',
  'tab.clients': 'Clients',
  'tab.deposits': 'Deposits',
  'tab.setup': 'Setup'
})
