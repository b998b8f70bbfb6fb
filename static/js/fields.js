// @ts-check
/**
 * What a field of a form says: its label, its hint, and what the server found wrong with it.
 *
 * @param {string} prefix of the texts
 * @param {string} name as the API calls it
 * @param {Problem | null | undefined} problem
 */
function satmField(prefix, name, problem) {
  const wrong = problem?.fields[name]
  return {
    label: satmText.t(`${prefix}.${name}`),
    hint: satmText.told(`${prefix}.${name}.hint`, ''),
    error: !!wrong,
    'error-message': wrong,
    'data-test': `field-${name}`
  }
}

/** Secrets of a connection: `null` stays as it is. */
const SATM_SECRETS = {
  password: null,
  ssh_password: null,
  ssh_private_key: null,
  ssh_key_passphrase: null
}

/** A connection before anything was saved. */
const SATM_CONNECTION = {
  use_ssh_tunnel: true,
  ssh_host: '',
  ssh_port: 22,
  ssh_username: '',
  host: '127.0.0.1',
  port: 5432,
  database_name: 'lamassu',
  username: '',
  source_wallet_id: null,
  commission_wallet_id: null
}

/**
 * The fields of a connection as a form starts with them.
 * @param {Config | null} config
 * @returns {Record<string, any>}
 */
function satmConnectionForm(config) {
  const names = Object.keys(SATM_CONNECTION)
  if (!config) return {...SATM_CONNECTION}
  return Object.fromEntries(names.map(name => [name, config[name]]))
}

/**
 * The secrets that were typed or are to be removed.
 * @param {Record<string, string | null>} secrets
 */
function satmGivenSecrets(secrets) {
  return Object.fromEntries(
    Object.entries(secrets).filter(([, value]) => value !== null)
  )
}

/** What the parts of a form have in common: they write into the form they are given. */
const SATM_PART = {
  form: {type: Object, required: true},
  problem: {type: Object, default: null}
}

/** And those of the connection: secrets, and what is stored of them. */
const SATM_CONNECTION_PART = {
  ...SATM_PART,
  secrets: {type: Object, required: true},
  config: {type: Object, default: null}
}

/**
 * A secret's field.
 * @param {string} name
 * @param {{problem: Problem | null, config: Config | null}} part
 */
function satmSecret(name, {problem, config}) {
  return {
    label: satmText.t(`form.${name}`),
    hint: satmText.told(`form.${name}.hint`, ''),
    error: problem?.fields[name] ?? '',
    'is-set': !!config?.[`has_${name}`],
    'set-at': config?.secrets_set?.[name] ?? null,
    'data-test': `field-${name}`
  }
}
