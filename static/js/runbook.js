// @ts-check
/**
 * The shape of the runbook: how many steps each page has, what its buttons do, and how many lines
 * each phase's checklist has. The words are in i18n/en-runbook.js.
 */
const satmRunbook = {
  STEPS: {
    duplicate: 5,
    connection: 5,
    unpaid: 6,
    balance: 5,
    commission: 5,
    wallet: 4
  },
  ACTS: {
    duplicate: ['stop', 'reconcile', 'findings', 'correct', 'audit'],
    connection: ['test', 'host-key', 'connection', 'poll'],
    unpaid: ['failed', 'held', 'wallets', 'process', 'halt'],
    balance: ['balances', 'audit', 'reconcile', 'correct', 'findings'],
    commission: ['stop', 'commission', 'settings', 'simulate', 'correct'],
    wallet: ['connection', 'wallets', 'failed', 'setup', 'poll']
  },
  ICONS: {
    stop: 'pause',
    halt: 'pan_tool',
    test: 'network_check',
    'host-key': 'vpn_key',
    connection: 'dns',
    poll: 'refresh',
    process: 'playlist_add_check',
    simulate: 'science',
    reconcile: 'compare_arrows',
    correct: 'edit',
    settings: 'tune'
  },
  /** Where a button that leads elsewhere leads. */
  PLACES: {
    findings: ['books', {view: 'reconciliation'}],
    failed: ['cash-outs', {shares: 'failed'}],
    held: ['cash-outs', {status: 'held'}],
    wallets: ['books', {view: 'reports'}],
    balances: ['books', {view: 'reports'}],
    commission: ['books', {view: 'reports'}],
    audit: ['books', {view: 'audit'}],
    setup: ['setup', {}]
  },
  /** Lines of each phase; the server knows the same numbers. */
  LINES: [5, 7, 3, 6, 4],
  SEVERITIES: ['critical', 'high', 'medium', 'low'],
  OUTCOMES: ['mended', 'accepted', 'false_alarm'],
  SIGNERS: ['operator', 'technical', 'owner'],

  /**
   * @param {string} failure
   * @returns {string[]}
   */
  steps(failure) {
    const count = satmRunbook.STEPS[failure] ?? 0
    return Array.from({length: count}, (_, at) =>
      satmText.t(`runbook.${failure}.${at + 1}`)
    )
  },

  /**
   * @param {number} phase
   * @returns {{line: number, text: string}[]}
   */
  lines(phase) {
    const count = satmRunbook.LINES[phase - 1]
    return Array.from({length: count}, (_, at) => ({
      line: at + 1,
      text: satmText.t(`phase.${phase}.${at + 1}`)
    }))
  },

  /**
   * @param {string} failure
   * @returns {string}
   */
  title(failure) {
    return satmText.t(`runbook.${failure}`)
  },

  /**
   * What a sign is called.
   * @param {Sign} sign
   * @returns {string}
   */
  sign({source, name}) {
    const words = {check: 'health.name', alert: 'alertKind', finding: 'code'}
    return satmText.told(`${words[source]}.${name}`, name)
  },

  /**
   * What a sign says and asks for, in the reader's language.
   * @param {Sign} sign
   * @returns {{message: string, hint: string}}
   */
  said({source, name, message, hint, said}) {
    if (source === 'alert') {
      const alert = {kind: name, message, hint, said}
      return {message: satmAlert.said(alert), hint: satmAlert.hint(alert)}
    }
    if (source === 'finding' || !said) return {message, hint}
    const check = /** @type {HealthCheck} */ ({...said, detail: message, hint})
    return {message: satmHealth.said(check), hint: satmHealth.hint(check)}
  },

  /**
   * @param {{name: string, kind: string, value: any}[]} facts
   * @returns {Fact[]}
   */
  facts(facts) {
    return facts.map(({name, kind, value}) => {
      const label = satmText.t(`runbook.fact.${name}`)
      if (value === null) return {label}
      if (kind === 'at') return {label, at: value}
      if (kind === 'sats') return {label, value: satmFormat.sats(value)}
      if (kind === 'number') return {label, value: satmFormat.number(value)}
      return value ? {label, value, copy: value} : {label}
    })
  },

  /**
   * How everything stood at a step of an incident, line by line.
   * @param {{[fact: string]: any}} evidence
   * @returns {Fact[]}
   */
  evidence(evidence) {
    const {t} = satmText
    const {number, sats} = satmFormat
    const {failed_shares, findings, wallets, audit_head, cash_outs} = evidence
    const counted = Object.entries(cash_outs).map(
      ([state, n]) => `${t(`cashOut.${state}`)}: ${number(n)}`
    )
    const bad = Object.keys(evidence.checks).filter(
      name => evidence.checks[name] === 'bad'
    )
    const wallet = role =>
      wallets[role] ? sats(wallets[role].balance_sats) : ''
    const hash = audit_head.hash
    return [
      {label: t('health'), kind: 'health', state: evidence.health},
      {
        label: t('health.bad'),
        value: bad
          .map(one => satmText.told(`health.name.${one}`, one))
          .join(', ')
      },
      {
        label: t('runbook.fact.automatic'),
        value: t(evidence.automatic ? 'runbook.on' : 'runbook.off')
      },
      {
        label: t('halts'),
        value: [...evidence.gates, ...evidence.halts].join(', ')
      },
      {label: t('tab.cash-outs'), value: counted.join(', ')},
      {
        label: t('runbook.fact.failed_shares'),
        value: `${number(failed_shares.count)} · ${sats(failed_shares.sats)}`
      },
      {
        label: t('runbook.fact.findings'),
        value: `${number(findings.open)} · ${sats(findings.sats)}`
      },
      {label: t('runbook.fact.alerts'), value: number(evidence.alerts.length)},
      {label: t('runbook.fact.source_sats'), value: wallet('source')},
      {label: t('runbook.fact.commission_sats'), value: wallet('commission')},
      {
        label: t('runbook.fact.last_success'),
        at: evidence.last_successful_poll
      },
      {label: t('runbook.fact.audit_seq'), value: number(audit_head.seq)},
      {
        label: t('runbook.fact.audit_hash'),
        value: hash,
        copy: hash
      }
    ]
  }
}
