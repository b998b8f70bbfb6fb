// @ts-check
// Textos del marco y del resumen; en-overview.js tiene las mismas claves.
// prettier-ignore
Object.assign(satmTextsEs, {
  'tabs': 'Partes de la página',
  'tab.overview': 'Resumen',
  'tab.cash-outs': 'Ventas',
  'tab.clients': 'Clientes',
  'tab.deposits': 'Depósitos',
  'tab.setup': 'Ajustes'
})
