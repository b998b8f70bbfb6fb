// @ts-check
/**
 * What the routes of alerts answer, for the type checker; nothing runs here (see types.js).
 *
 * @typedef {object} Delivery
 * @property {string} id
 * @property {string} event
 * @property {'waiting' | 'sent' | 'failed'} status
 * @property {number} attempts
 * @property {string | null} last_at
 * @property {string | null} last_result
 *
 * @typedef {object} SaidAlert an alert, or what needs somebody because of one
 * @property {string} kind
 * @property {string} message
 * @property {string} hint
 * @property {Record<string, any> | null} said its code and facts; null: it has only the sentence
 *
 * @typedef {object} AlertOnly
 * @property {string} id
 * @property {string} severity
 * @property {'open' | 'acknowledged' | 'resolved'} state
 * @property {string} first_at
 * @property {string} last_at
 * @property {string | null} told_at
 * @property {string | null} escalated_at
 * @property {string | null} acknowledged_at
 * @property {string | null} note
 * @property {string | null} resolved_at
 * @property {Delivery[]} deliveries
 *
 * @typedef {SaidAlert & AlertOnly} AlertShown
 *
 * @typedef {object} Channel
 * @property {string} id
 * @property {string} name
 * @property {string} kind
 * @property {string | null} host
 * @property {string} min_severity
 * @property {number} level
 * @property {boolean} enabled
 * @property {boolean} has_url
 * @property {boolean} has_secret
 * @property {Delivery | null} last
 *
 * @typedef {object} AlertRule
 * @property {string} kind
 * @property {string | null} unit
 * @property {number | null} threshold
 * @property {string} severity
 * @property {number} cooldown_s
 * @property {number} escalate_s
 * @property {boolean} can_wait
 * @property {boolean} told
 * @property {boolean} changed
 *
 * @typedef {object} AlertSettings
 * @property {boolean} quiet_hours
 * @property {number} quiet_from_minute
 * @property {number} quiet_to_minute
 * @property {boolean} allow_private_addresses
 * @property {AlertRule[]} rules
 *
 * @typedef {object} ClientNotice
 * @property {string} client_id
 * @property {string | null} username
 * @property {'late' | 'waiting' | 'corrected'} why
 * @property {number | null} sats
 * @property {string[]} ways
 * @property {string | null} told_at
 */
