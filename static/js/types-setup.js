// @ts-check
/**
 * What the setup's routes answer, for the type checker; nothing runs here.
 *
 * @typedef {object} OwnWallet
 * @property {string} id
 * @property {string} name
 * @property {number} balance_sats
 * @property {boolean} usable
 *
 * @typedef {object} SetupStep
 * @property {string} name
 * @property {'done' | 'todo' | 'blocked' | 'attention'} state
 * @property {string} code
 * @property {string} message
 * @property {Record<string, any>} facts
 *
 * @typedef {object} Setup
 * @property {boolean} armed
 * @property {string | null} next
 * @property {boolean} start_at_arming
 * @property {string | null} start_at
 * @property {SetupStep[]} steps
 *
 * @typedef {object} RuleFit
 * @property {string} rule
 * @property {number} base_sats
 * @property {number} commission_sats
 * @property {number} profit_sats
 * @property {number} difference_sats
 * @property {number} misses
 * @property {number} held
 *
 * @typedef {object} SaleFit
 * @property {string} lamassu_transaction_id
 * @property {string | null} time
 * @property {string | null} machine_name
 * @property {string | null} fiat
 * @property {string} currency
 * @property {number | null} total_sats
 * @property {number | null} profit_sats
 * @property {string | null} profit
 * @property {Record<string, {base_sats?: number, commission_sats?: number, problem?: string}>} rules
 *
 * @typedef {object} SplitChoice
 * @property {string | null} best
 * @property {number} compared
 * @property {RuleFit[]} rules
 * @property {SaleFit[]} sales
 */
