// @ts-check
/**
 * What the routes of the reports answer, for the type checker; nothing runs here (see types.js).
 *
 * @typedef {object} BooksReport
 * @property {string} at
 * @property {{from: string | null, to: string, time_zone: string}} period
 * @property {{clients: number, shares: number, deposits: number, splits: number}} wrong
 * @property {any[]} clients
 * @property {any} processing
 * @property {any[]} shares
 * @property {any[]} deposits
 * @property {any[]} splits
 *
 * @typedef {object} ReportColumn
 * @property {string} name
 * @property {string} label
 * @property {(row: any) => string} value
 * @property {'right'} [align]
 *
 * @typedef {object} ReportSection
 * @property {string} name
 * @property {number | null} wrong lines that need a person; null: nothing here can be wrong
 * @property {'client' | 'cash-out'} [opens]
 * @property {any[]} rows each with a `key`
 * @property {ReportColumn[]} columns
 * @property {{label: string, value: string}[]} [facts]
 */
