// @ts-check
/** Numbers and instants as text in the user's own locale. Formats only: no amount is computed. */
const satmFormat = {
  NONE: '–',

  // LNbits' names for languages that are no language tags.
  TAGS: {br: 'pt-BR', cn: 'zh-CN', jp: 'ja', kr: 'ko', pi: 'en', we: 'cy'},

  /** The browser's own variant of LNbits' language if it has one, for example es-GT for es. */
  locale() {
    const language = satmText.language()
    const own = navigator.languages.find(tag => tag.split('-')[0] === language)
    return own || satmFormat.TAGS[language] || language
  },

  /**
   * @param {number | null | undefined} value
   * @returns {string}
   */
  number(value) {
    if (value === null || value === undefined) return satmFormat.NONE
    return new Intl.NumberFormat(satmFormat.locale()).format(value)
  },

  /**
   * @param {number | null | undefined} value
   * @returns {string}
   */
  sats(value) {
    if (value === null || value === undefined) return satmFormat.NONE
    return `${satmFormat.number(value)} sats`
  },

  /**
   * Decimal text with all its decimals, as the server wrote them.
   * @param {string | null | undefined} amount
   * @param {string} currency
   * @returns {string}
   */
  fiat(amount, currency) {
    if (amount === null || amount === undefined) return satmFormat.NONE
    const decimals = (String(amount).split('.')[1] || '').length
    const format = new Intl.NumberFormat(satmFormat.locale(), {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals
    })
    return `${format.format(/** @type {any} */ (amount))} ${currency}`
  },

  /**
   * @param {number | null | undefined} fraction 0.055 is 5.5 %
   * @returns {string}
   */
  percent(fraction) {
    if (fraction === null || fraction === undefined) return satmFormat.NONE
    return new Intl.NumberFormat(satmFormat.locale(), {
      style: 'percent',
      maximumFractionDigits: 4
    }).format(fraction)
  },

  /**
   * Local date and time.
   * @param {string | null | undefined} iso
   * @returns {string}
   */
  when(iso) {
    if (!iso) return satmFormat.NONE
    return new Intl.DateTimeFormat(satmFormat.locale(), {
      dateStyle: 'medium',
      timeStyle: 'short'
    }).format(new Date(iso))
  },

  /**
   * A calendar day, `2026-01-31`, whatever the zone.
   * @param {string | null | undefined} day
   * @returns {string}
   */
  day(day) {
    const moment = new Date(`${day}T00:00:00Z`)
    if (!day || isNaN(moment.getTime())) return day ?? ''
    return new Intl.DateTimeFormat(satmFormat.locale(), {
      dateStyle: 'medium',
      timeZone: 'UTC'
    }).format(moment)
  },

  /**
   * @param {string | null | undefined} iso
   * @returns {string}
   */
  utc(iso) {
    if (!iso) return ''
    return `${new Date(iso).toISOString().slice(0, 19).replace('T', ' ')} UTC`
  },

  /**
   * A span of time in its largest fitting unit, for example "3 min".
   * @param {number | null | undefined} s seconds
   * @returns {string}
   */
  duration(s) {
    if (s === null || s === undefined) return satmFormat.NONE
    const [unit, size] =
      s < 90
        ? ['second', 1]
        : s < 5400
          ? ['minute', 60]
          : s < 129600
            ? ['hour', 3600]
            : ['day', 86400]
    return new Intl.NumberFormat(satmFormat.locale(), {
      style: 'unit',
      unit: /** @type {any} */ (unit),
      unitDisplay: 'short'
    }).format(Math.round(s / Number(size)))
  },

  /**
   * A calendar day for an axis, without its year.
   * @param {string | null | undefined} day
   * @returns {string}
   */
  shortDay(day) {
    if (!day) return satmFormat.NONE
    return new Intl.DateTimeFormat(satmFormat.locale(), {
      day: 'numeric',
      month: 'short',
      timeZone: 'UTC'
    }).format(new Date(`${day}T00:00:00Z`))
  },

  /**
   * Microseconds since 1970, as the gates carry them.
   * @param {number | null | undefined} us
   * @returns {string | null}
   */
  isoFromUs(us) {
    return us ? new Date(us / 1000).toISOString() : null
  },

  /**
   * The value of a datetime-local field as an instant.
   * @param {string} local
   * @returns {string | null}
   */
  isoFromLocal(local) {
    const moment = local ? new Date(local) : null
    return moment && !isNaN(moment.getTime()) ? moment.toISOString() : null
  },

  /**
   * An instant as a datetime-local field takes it.
   * @param {string | null | undefined} iso
   * @returns {string}
   */
  localFromIso(iso) {
    if (!iso) return ''
    const moment = new Date(iso)
    const shifted = moment.getTime() - moment.getTimezoneOffset() * 60000
    return new Date(shifted).toISOString().slice(0, 16)
  },

  /**
   * An id that is too long for a line.
   * @param {string | null | undefined} id
   * @returns {string}
   */
  short(id) {
    if (!id) return satmFormat.NONE
    return id.length > 14 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id
  }
}
