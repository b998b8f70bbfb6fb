// @ts-check
/**
 * What the routes of the overview answer, for the type checker; nothing runs here (see types.js).
 *
 * @typedef {object} Need
 * @property {string} kind
 * @property {'critical' | 'warning' | 'info'} severity
 * @property {string} act
 * @property {string} message
 * @property {string} hint
 * @property {Record<string, any> | null} said
 * @property {number} n
 * @property {number | null} sats
 * @property {string | null} subject_id
 * @property {string | null} since
 *
 * @typedef {object} Summary
 * @property {string} day the operator's today
 * @property {string} first_day of what "recent" means
 * @property {{cash_outs: number, distributed_sats: number, commission_sats: number}} today
 * @property {{count: number, sats: number}} held
 * @property {{count: number, sats: number}} failed_shares
 * @property {{active: number, with_balance: number, remaining: Amount[]}} clients
 * @property {{average: number | null, configured: number | null, expected: number | null, cash_outs: number}} commission
 * @property {number | null} paid_after_s
 * @property {{pending: number, late: number, waiting: Amount[]}} deposits
 *
 * @typedef {object} Amount
 * @property {string} currency
 * @property {string} amount
 *
 * @typedef {object} Funds
 * @property {SourceWallet | null} source
 * @property {{id: string, balance_sats: number, problem: string | null} | null} commission
 *
 * @typedef {object} SourceWallet
 * @property {string} id
 * @property {number} balance_sats
 * @property {string | null} problem
 * @property {string[]} prefunded coins
 * @property {number} pace_days
 * @property {number | null} runway_days
 *
 * @typedef {object} Charts
 * @property {string} first
 * @property {string} last
 * @property {string} currency
 * @property {number} distributed_sats
 * @property {number} commission_sats
 * @property {{day: string, cash_outs: number, distributed_sats: number, commission_sats: number}[]} days
 * @property {Record<string, Prices>} prices by currency
 * @property {{top: ClientPart[], others: number, others_sats: number, sats: number}} clients
 *
 * @typedef {object} Prices
 * @property {{day: string, price: string, sats: number, fiat: string}[]} days
 * @property {string} low
 * @property {string} high
 * @property {string} last
 *
 * @typedef {object} ClientPart
 * @property {string} client_id
 * @property {string | null} username
 * @property {number} sats
 * @property {number} shares
 * @property {number} part
 *
 * A picture with the table of the same numbers; `rows` are texts, one for each point.
 * @typedef {object} Picture
 * @property {'bar' | 'line'} type
 * @property {boolean} [lying]
 * @property {string[]} labels
 * @property {{label: string, role: string, values: (number | null)[]}[]} series
 * @property {string[]} head
 * @property {string[][]} rows
 */
