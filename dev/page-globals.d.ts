// What LNbits' page brings as globals before our scripts run (lnbits.md 6). Only their names: the
// libraries' own types are not installed.
declare const LNbits: any
declare const Quasar: any
declare const Vue: any
declare const Chart: any
declare const moment: any
declare const windowMixin: any
declare const _: any

interface Window {
  app: any
  i18n: any
  [name: string]: any
}
