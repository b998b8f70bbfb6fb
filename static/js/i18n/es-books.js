// @ts-check
// Textos del marco de los libros; en-books.js tiene las mismas claves.
// prettier-ignore
Object.assign(satmTextsEs, {
  'tab.books': 'Libros',
  'books': 'Partes de los libros',
  'books.reconciliation': 'Conciliación',
  'books.reports': 'Informes',
  'books.audit': 'Auditoría',
  'books.alerts': 'Alertas',
  'books.runbook': 'Manual'
})
