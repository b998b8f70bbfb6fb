// @ts-check
/**
 * The one table of states: icon and Quasar role of every state word. The word itself is in the
 * dictionaries under `<kind>.<state>`. No role: neutral.
 *
 * @typedef {{icon: string, color?: string}} Look
 * @type {Record<string, Record<string, Look>>}
 */
const satmWords = {
  feed: {
    live: {icon: 'check_circle', color: 'positive'},
    running: {icon: 'sync', color: 'info'},
    late: {icon: 'schedule', color: 'warning'},
    failing: {icon: 'error', color: 'negative'},
    stopped: {icon: 'pause_circle_filled', color: 'warning'},
    halted: {icon: 'pan_tool', color: 'negative'},
    setup: {icon: 'build', color: 'info'},
    waiting: {icon: 'hourglass_empty', color: 'info'}
  },
  cashOut: {
    pending: {icon: 'hourglass_empty', color: 'info'},
    watching: {icon: 'visibility', color: 'info'},
    held: {icon: 'pan_tool', color: 'warning'},
    processing: {icon: 'sync', color: 'info'},
    completed: {icon: 'check_circle', color: 'positive'},
    failed: {icon: 'error', color: 'negative'},
    skipped: {icon: 'block'}
  },
  share: {
    confirmed: {icon: 'check_circle', color: 'positive'},
    failed: {icon: 'error', color: 'negative'},
    cancelled: {icon: 'undo'}
  },
  commission: {
    paid: {icon: 'check_circle', color: 'positive'},
    kept: {icon: 'account_balance_wallet'},
    failed: {icon: 'error', color: 'negative'},
    none: {icon: 'remove'}
  },
  client: {
    active: {icon: 'check_circle', color: 'positive'},
    inactive: {icon: 'pause_circle_filled'}
  },
  tally: {
    ok: {icon: 'check_circle', color: 'positive'},
    mismatch: {icon: 'error', color: 'negative'}
  },
  deposit: {
    pending: {icon: 'hourglass_empty', color: 'info'},
    confirmed: {icon: 'check_circle', color: 'positive'},
    cancelled: {icon: 'block'}
  },
  correction: {
    proposed: {icon: 'hourglass_empty', color: 'info'},
    executed: {icon: 'check_circle', color: 'positive'},
    rejected: {icon: 'block'}
  },
  severity: {
    critical: {icon: 'error', color: 'negative'},
    warning: {icon: 'warning', color: 'warning'},
    info: {icon: 'info', color: 'info'}
  },
  alert: {
    open: {icon: 'notifications_active', color: 'negative'},
    acknowledged: {icon: 'visibility', color: 'warning'},
    resolved: {icon: 'check_circle', color: 'positive'}
  },
  delivery: {
    waiting: {icon: 'hourglass_empty', color: 'info'},
    sent: {icon: 'check_circle', color: 'positive'},
    failed: {icon: 'error', color: 'negative'}
  },
  channel: {
    off: {icon: 'pause_circle_filled'}
  },
  verdict: {
    match: {icon: 'check_circle', color: 'positive'},
    mismatch: {icon: 'error', color: 'negative'},
    error: {icon: 'remove_circle_outline', color: 'warning'},
    in_flight: {icon: 'hourglass_empty', color: 'info'}
  },
  finding: {
    open: {icon: 'error', color: 'negative'},
    acknowledged: {icon: 'visibility', color: 'warning'},
    resolved: {icon: 'check_circle', color: 'positive'}
  },
  run: {
    queued: {icon: 'hourglass_empty', color: 'info'},
    running: {icon: 'sync', color: 'info'},
    done: {icon: 'check_circle', color: 'positive'},
    cancelled: {icon: 'block'},
    failed: {icon: 'error', color: 'negative'}
  },
  setupState: {
    done: {icon: 'check_circle', color: 'positive'},
    todo: {icon: 'radio_button_unchecked', color: 'info'},
    blocked: {icon: 'lock'},
    attention: {icon: 'warning', color: 'warning'},
    best: {icon: 'thumb_up', color: 'positive'}
  },
  health: {
    ok: {icon: 'check_circle', color: 'positive'},
    warn: {icon: 'warning', color: 'warning'},
    bad: {icon: 'error', color: 'negative'},
    unknown: {icon: 'help_outline'}
  },
  halt: {
    settlement: {icon: 'pan_tool', color: 'negative'},
    everything: {icon: 'pan_tool', color: 'negative'},
    intake: {icon: 'pan_tool', color: 'negative'},
    machine: {icon: 'pan_tool', color: 'warning'},
    client: {icon: 'pan_tool', color: 'warning'}
  },
  incident: {
    open: {icon: 'flag', color: 'negative'},
    closed: {icon: 'check_circle', color: 'positive'}
  },
  incidentSeverity: {
    critical: {icon: 'error', color: 'negative'},
    high: {icon: 'warning', color: 'negative'},
    medium: {icon: 'warning', color: 'warning'},
    low: {icon: 'info', color: 'info'}
  },
  review: {
    late: {icon: 'schedule', color: 'warning'},
    signed: {icon: 'check_circle', color: 'positive'}
  },
  check: {
    true: {icon: 'check_circle', color: 'positive'},
    warned: {icon: 'warning', color: 'warning'},
    false: {icon: 'error', color: 'negative'},
    null: {icon: 'remove_circle_outline'}
  }
}
