// @ts-check
/**
 * What the routes of reconciliations answer, for the type checker; nothing runs here (types.js).
 *
 * @typedef {'match' | 'mismatch' | 'error' | 'in_flight'} Verdict
 *
 * @typedef {object} Run
 * @property {string} id
 * @property {string} kind
 * @property {string} cause
 * @property {Record<string, any>} scope
 * @property {'queued' | 'running' | 'done' | 'cancelled' | 'failed'} status
 * @property {string} queued_at
 * @property {string | null} started_at
 * @property {string | null} reconciled_at
 * @property {string} phase
 * @property {number} done
 * @property {number} expected
 * @property {number} total
 * @property {number} matches
 * @property {number} mismatches
 * @property {number} errors
 * @property {number} in_flight
 * @property {string | null} error_message
 * @property {string | null} hint
 *
 * @typedef {object} Finding
 * @property {string} id
 * @property {string} code
 * @property {string} link
 * @property {string} subject_kind
 * @property {string} subject_id
 * @property {string | null} cash_out_id
 * @property {string | null} client_id
 * @property {string | null} client_name
 * @property {string | null} wallet_id
 * @property {string | null} leg_key
 * @property {string} expected
 * @property {string} actual
 * @property {number | null} difference_sats
 * @property {'open' | 'acknowledged' | 'resolved'} status
 * @property {string | null} resolution
 * @property {number} times
 * @property {string} first_at
 * @property {string} last_at
 * @property {string[]} mend
 * @property {string} advice
 * @property {string} what_to_do
 *
 * @typedef {object} Sides
 * @property {string} cash_out_id
 * @property {Verdict} verdict
 * @property {{link: string, verdict: Verdict}[]} links
 * @property {{link: string, what: string, expected: string, actual: string} | null} first_difference
 * @property {{link: string, what: string, expected: string, actual: string}[]} differences
 * @property {Problem | null} source_problem
 * @property {Record<string, string | null> | null} lamassu
 * @property {Record<string, string | null>} stored
 * @property {Record<string, any>} plan
 * @property {Record<string, any>[]} shares
 * @property {Record<string, any>[]} ledger
 * @property {Record<string, any>[]} movements
 * @property {Record<string, any>[]} wallet_rows
 * @property {Record<string, any>[]} information
 */
