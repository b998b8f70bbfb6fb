// @ts-check
// Texts of the books' frame; es-books.js has the same keys.
// prettier-ignore
Object.assign(satmTextsEn, {
  'tab.books': 'Books',
  'books': 'Parts of the books',
  'books.reconciliation': 'Reconciliation',
  'books.reports': 'Reports',
  'books.audit': 'Audit trail',
  'books.alerts': 'Alerts',
  'books.runbook': 'Runbook'
})
