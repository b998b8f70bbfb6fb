// @ts-check
/**
 * Texts of the page in the language LNbits is set to; English where we have no other.
 *
 * A text may hold `{name}` parameters and two forms, `one | many`, chosen by `{n}`.
 */
const satmText = {
  /** @type {Record<string, Record<string, string>>} */
  languages: {en: satmTextsEn, es: satmTextsEs},

  /** LNbits' language; read on every call, so that a change is seen at once. */
  language() {
    const locale = Vue.unref(window.i18n?.global?.locale) || 'en'
    return String(locale).split('-')[0]
  },

  /**
   * @param {string} key
   * @param {Record<string, unknown>} [params]
   * @returns {string}
   */
  t(key, params = {}) {
    const found = satmText.find(key)
    return found === undefined ? key : satmText.fill(found, params)
  },

  /**
   * A text for a word of the server, or the server's own sentence where we have none.
   * @param {string} key
   * @param {string | null | undefined} fallback
   * @returns {string}
   */
  told(key, fallback) {
    const found = satmText.find(key)
    return found === undefined ? (fallback ?? '') : found
  },

  /**
   * @param {string} key
   * @returns {string | undefined}
   */
  find(key) {
    return satmText.languages[satmText.language()]?.[key] ?? satmTextsEn[key]
  },

  /**
   * @param {string} text
   * @param {Record<string, unknown>} params
   */
  fill(text, params) {
    const forms = text.split(' | ')
    const form = forms.length === 2 && params.n !== 1 ? forms[1] : forms[0]
    return form.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = params[name]
      if (value === undefined) return whole
      return typeof value === 'number'
        ? satmFormat.number(value)
        : String(value)
    })
  }
}
