// @ts-check
/**
 * What the routes of health answer, for the type checker; nothing runs here (see types.js).
 *
 * @typedef {object} HealthCheck
 * @property {string} name
 * @property {string} state ok, warn, bad or unknown
 * @property {string | null} since
 * @property {string} detail
 * @property {string} hint
 * @property {string} code
 * @property {Record<string, string | number>} facts
 *
 * @typedef {object} Health
 * @property {string} state
 * @property {string} at
 * @property {string | null} checked_at
 * @property {HealthCheck[]} checks
 *
 * @typedef {object} Halt
 * @property {string} id
 * @property {string} scope
 * @property {string} subject
 * @property {string | null} subject_name
 * @property {string} cause person, or what was found by itself
 * @property {string} reason
 * @property {string} set_by
 * @property {string} set_at
 *
 * @typedef {object} Resuming
 * @property {boolean} needed
 * @property {string | null} step
 * @property {{at: string, by: string, detail: string}[]} steps
 * @property {{status: string, mismatches: number, errors: number} | null} run
 * @property {string | null} watched_until
 *
 * @typedef {object} Schedule
 * @property {string} name
 * @property {string | null} last_at
 * @property {string | null} next_at
 * @property {{done: number, of: number} | null} progress
 *
 * @typedef {object} WeeklyReport
 * @property {string} id
 * @property {string} state
 * @property {string} made_at
 */
