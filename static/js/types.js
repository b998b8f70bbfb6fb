// @ts-check
/**
 * What the API answers, for the type checker; nothing runs here.
 *
 * Sats are integers, fiat is decimal text, instants are ISO 8601 in UTC. `null` means "not known
 * (yet)", never zero.
 *
 * @typedef {'live' | 'running' | 'late' | 'failing' | 'stopped' | 'halted' | 'setup' | 'waiting'} FeedState
 *
 * @typedef {object} Gate
 * @property {string} message
 * @property {string} hint
 * @property {number} since_us
 * @property {Record<string, unknown>} facts
 *
 * @typedef {object} Alert
 * @property {string} id
 * @property {string} kind
 * @property {'critical' | 'warning' | 'info'} severity
 * @property {string} message
 * @property {string} hint
 * @property {string | null} subject_id
 * @property {string} last_at
 * @property {number} times
 *
 * @typedef {object} Poll
 * @property {string} id
 * @property {string} cause
 * @property {string} started_at
 * @property {string | null} finished_at
 * @property {string | null} result
 * @property {number} rows_read
 * @property {number} new_rows
 * @property {number} settled
 * @property {number} left_pending
 * @property {string | null} error_code
 * @property {string | null} error_message
 * @property {string | null} hint
 *
 * @typedef {object} Check
 * @property {string} name
 * @property {boolean | null} ok
 * @property {string} detail
 * @property {string} hint
 * @property {string | null} code
 *
 * @typedef {object} Status
 * @property {string} version
 * @property {string} now
 * @property {FeedState} state
 * @property {string} state_message
 * @property {string | null} state_since
 * @property {boolean} configured
 * @property {boolean} polling_enabled
 * @property {string | null} health the worst state of the last check
 * @property {number} poll_interval_s
 * @property {Poll | null} last_poll
 * @property {string | null} last_successful_poll
 * @property {string | null} next_poll_at
 * @property {number | null} clock_difference_us
 * @property {Record<string, Gate>} gates
 * @property {Record<string, number>} cash_outs
 * @property {number} failed_shares
 * @property {number} failed_sats
 * @property {number} pending_deposits
 * @property {string} currency
 * @property {string} time_zone
 * @property {{phase: string, done: number, total: number, per_minute: number | null}} progress
 * @property {Check[]} readiness
 * @property {Alert[]} alerts
 * @property {string} doorbell
 *
 * @typedef {object} Config
 * @property {string} id
 * @property {string} host
 * @property {number} port
 * @property {string} database_name
 * @property {string} username
 * @property {string | null} source_wallet_id
 * @property {string | null} commission_wallet_id
 * @property {boolean} use_ssh_tunnel
 * @property {string | null} ssh_host
 * @property {number} ssh_port
 * @property {string | null} ssh_username
 * @property {string | null} ssh_host_fingerprint
 * @property {boolean} has_password
 * @property {boolean} has_ssh_password
 * @property {boolean} has_ssh_private_key
 * @property {Record<string, string>} secrets_set when each was set, where that is known
 * @property {string} updated_at
 * @property {string | null} test_connection_last
 * @property {boolean | null} test_connection_success
 *
 * @typedef {object} TestStep
 * @property {string} name
 * @property {boolean | null} ok
 * @property {string} detail
 * @property {string | null} code
 * @property {string | null} hint
 *
 * @typedef {object} TestResult
 * @property {boolean} success
 * @property {string} message
 * @property {string | null} [code]
 * @property {string | null} [hint]
 * @property {TestStep[]} steps
 *
 * @typedef {object} CashOut
 * @property {string} id
 * @property {string} lamassu_transaction_id
 * @property {string} status
 * @property {string | null} hold_code
 * @property {string | null} reason
 * @property {string | null} error_message
 * @property {string | null} device_id
 * @property {string | null} machine_name
 * @property {string} crypto_code
 * @property {string} fiat_code
 * @property {string | null} fiat
 * @property {number | null} crypto_amount
 * @property {number | null} received_sats
 * @property {number | null} commission_percentage
 * @property {number} discount
 * @property {number | null} effective_commission
 * @property {string | null} raw_ticker_price
 * @property {string | null} transaction_time
 * @property {string | null} confirmed_at
 * @property {string | null} observed_at
 * @property {string | null} processed_at
 * @property {string | null} changed_at
 * @property {number} attempts
 * @property {string | null} operator_reason
 * @property {string | null} split_rule
 * @property {string | null} funding_mode
 * @property {number | null} total_sats
 * @property {number | null} base_sats
 * @property {number | null} commission_sats
 * @property {string | null} commission_status
 * @property {string | null} commission_message
 * @property {string | null} drawn
 * @property {number | null} confirmed_sats
 * @property {number | null} failed_sats
 * @property {number | null} operator_remainder_sats
 * @property {number | null} clients_count
 * @property {string | null} plan_hash
 * @property {Record<string, unknown>} [source_row]
 * @property {Record<string, unknown> | null} [changed_row]
 * @property {HistoryEvent[]} [events]
 *
 * @typedef {object} HistoryEvent
 * @property {string} at
 * @property {string} actor
 * @property {string} action
 * @property {Record<string, any>} detail
 *
 * @typedef {object} Share
 * @property {string} id
 * @property {string} client_id
 * @property {string | null} username
 * @property {number} amount_sats
 * @property {string} fiat
 * @property {string} currency
 * @property {string | null} payment_hash
 * @property {string} status
 * @property {string | null} error_message
 *
 * @typedef {object} Client
 * @property {string} id
 * @property {string} user_id
 * @property {string} wallet_id
 * @property {string | null} username
 * @property {string} dca_mode
 * @property {number | null} fixed_mode_daily_limit
 * @property {string} status
 * @property {{currency: string, remaining_balance: string}[]} balances
 *
 * @typedef {object} Deposit
 * @property {string} id
 * @property {string} client_id
 * @property {string | null} username
 * @property {boolean} overdue pending for more than 48 hours
 * @property {string} amount_decimal
 * @property {string} currency
 * @property {string} status
 * @property {string | null} notes
 * @property {string} created_at
 *
 * @typedef {object} Problem
 * @property {number} status 0: no answer came
 * @property {string} detail
 * @property {string} hint
 * @property {string} [original] the API's own sentence, where `detail` says it in another language
 * @property {string} code
 * @property {Record<string, string>} fields field -> what is wrong with it
 * @property {string[]} missing fields the server asks for
 */
