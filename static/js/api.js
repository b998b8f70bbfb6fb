// @ts-check
/**
 * The extension's HTTP API. Nothing else of the page makes requests.
 *
 * A request that may move money or write a fact carries an Idempotency-Key. When no answer came,
 * the same request made again carries the same key, so that it happens once.
 */
const satmApi = {
  BASE: '/satmachineadmin/api/v1/dca/',

  /** Keys of requests that were never answered, by what they ask for.
   * @type {Map<string, string>}
   */
  unanswered: new Map(),

  /**
   * @param {string} path
   * @param {Record<string, unknown>} [params] left out when null or empty
   * @returns {Promise<any>}
   */
  async get(path, params = {}) {
    const query = satmApi.query(params)
    const address = satmApi.BASE + path + (query ? `?${query}` : '')
    return (await LNbits.api.request('GET', address, null)).data
  },

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  async send(method, path, body) {
    const address = satmApi.BASE + path
    return (await LNbits.api.request(method, address, null, body)).data
  },

  /**
   * A request that must happen once.
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  async once(method, path, body) {
    const asked = JSON.stringify([method, path, body])
    const key = satmApi.unanswered.get(asked) || satmApi.newKey()
    satmApi.unanswered.set(asked, key)
    try {
      const options = {headers: {'Idempotency-Key': key}}
      const address = satmApi.BASE + path
      const answer = await LNbits.api.request(
        method,
        address,
        null,
        body,
        options
      )
      satmApi.unanswered.delete(asked)
      return answer.data
    } catch (error) {
      const status = error?.response?.status ?? 0
      if (status >= 400 && status < 500) satmApi.unanswered.delete(asked)
      throw error
    }
  },

  /** A random key; crypto.randomUUID exists only on https and localhost. */
  newKey() {
    if (crypto.randomUUID) return crypto.randomUUID()
    const bytes = crypto.getRandomValues(new Uint8Array(16))
    return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(
      ''
    )
  },

  /**
   * @param {Record<string, unknown>} params
   * @returns {string}
   */
  query(params) {
    const given = Object.entries(params).filter(
      ([, value]) => value !== null && value !== undefined && value !== ''
    )
    return new URLSearchParams(
      given.map(([name, value]) => [name, String(value)])
    ).toString()
  },

  /**
   * What went wrong, in the API's own words; in another language by its code, with the API's
   * sentence below it, which names the very thing.
   * @param {any} error
   * @returns {Problem}
   */
  problem(error) {
    const response = error?.response
    const body = response?.data ?? {}
    /** @type {Problem} */
    const problem = {
      status: response?.status ?? 0,
      detail: satmText.t('error.noAnswer'),
      hint: satmText.t('error.noAnswerHint'),
      code: String(body.code ?? ''),
      fields: {},
      missing: Array.isArray(body.missing) ? body.missing : []
    }
    if (response) {
      problem.detail =
        typeof body.detail === 'string'
          ? body.detail
          : satmText.t('error.status', {status: String(response.status)})
      problem.hint = typeof body.hint === 'string' ? body.hint : ''
      satmApi.translate(problem)
    } else if (!error?.request) {
      console.error(error)
      problem.detail = String(error?.message ?? error)
      problem.hint = ''
    }
    for (const {field, message} of body.errors ?? []) {
      problem.fields[field] = message
    }
    return problem
  },

  /** @param {Problem} problem */
  translate(problem) {
    const {code, detail, hint} = problem
    const said = satmText.find(`errorSaid.${code}`)
    if (satmText.language() === 'en' || said === undefined) return
    const usual = satmTextsEn[`errorHint.${code}`] === hint.replaceAll("'", '’')
    problem.detail = said
    problem.hint = usual ? satmText.t(`errorHint.${code}`) : ''
    problem.original = usual || !hint ? detail : `${detail}. ${hint}`
  },

  /**
   * The result of a click, for a few seconds.
   * @param {string} message
   * @param {string} [type]
   */
  say(message, type = 'positive') {
    Quasar.Notify.create({message, type, timeout: 5000})
  },

  /**
   * A click that failed; what stays on the page says more.
   * @param {any} error
   */
  complain(error) {
    const {detail, hint, original} = satmApi.problem(error)
    Quasar.Notify.create({
      message: detail,
      caption: [hint, original].filter(Boolean).join(' · '),
      type: 'negative',
      timeout: 10000,
      actions: [{icon: 'close', round: true, 'aria-label': satmText.t('close')}]
    })
  }
}
