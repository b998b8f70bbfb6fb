// @ts-check
/**
 * What the routes of the runbook answer, for the type checker; nothing runs here (see types.js).
 *
 * @typedef {object} Sign
 * @property {string} source check, alert or finding
 * @property {string} name
 * @property {string} state ok, warn, bad or unknown
 * @property {string | null} since
 * @property {string} message
 * @property {string} hint
 * @property {Record<string, any> | null} said the same by its code and facts
 * @property {number | null} count
 * @property {number | null} sats
 *
 * @typedef {object} Failure
 * @property {string} name
 * @property {string} severity
 * @property {string} state
 * @property {string | null} since
 * @property {Sign[]} signs
 * @property {{name: string, kind: string, value: any}[]} facts
 *
 * @typedef {object} RunbookContact
 * @property {string} role
 * @property {string} name
 * @property {string} email
 * @property {string} phone
 * @property {string} available
 * @property {number | null} after_minutes
 * @property {number | null} above_sats
 *
 * @typedef {object} Logged
 * @property {string} id
 * @property {string | null} role
 * @property {string} name
 * @property {string} note
 * @property {string} at
 *
 * @typedef {object} Runbook
 * @property {string} at
 * @property {Failure[]} failures
 * @property {RunbookContact[]} contacts
 * @property {Logged[]} changes
 * @property {Logged[]} signoffs
 * @property {{due_at: string | null, late: boolean}} review
 * @property {{[fact: string]: any}} backup
 *
 * @typedef {object} IncidentEntry
 * @property {string} id
 * @property {string} kind opened, phase, note or closed
 * @property {number | null} phase
 * @property {number[]} done
 * @property {string} note
 * @property {string} at
 * @property {string} actor
 * @property {{[fact: string]: any}} evidence
 * @property {string} evidence_sha256
 *
 * @typedef {object} Incident
 * @property {string} id
 * @property {string} failure
 * @property {string} severity
 * @property {string} state open or closed
 * @property {string} note
 * @property {string} opened_at
 * @property {string | null} closed_at
 * @property {string | null} outcome
 * @property {number | null} sats
 * @property {number | null} clients
 * @property {number | null} cash_outs
 * @property {IncidentEntry[]} [entries]
 */
