// @ts-check
/**
 * What a check of health says, in the reader's language: by its code and facts, the server's own
 * sentence where we have no text.
 */
const satmHealth = {
  /** @param {HealthCheck} check */
  said(check) {
    return satmHealth.text('healthSaid', check, check.detail)
  },

  /** @param {HealthCheck} check */
  hint(check) {
    return check.hint && satmHealth.text('healthHint', check, check.hint)
  },

  /**
   * @param {string} kind
   * @param {HealthCheck} check
   * @param {string} own the server's sentence
   */
  text(kind, check, own) {
    // What something said of itself has more in the server's words, which are English.
    const passedOn = 'message' in check.facts
    if (passedOn && satmText.language() === 'en') return own
    const text = satmText.find(`${kind}.${check.code}`)
    if (text === undefined) return own
    const {scope} = check.facts
    const word = scope && {scope: satmText.told(`halt.${scope}`, `${scope}`)}
    return satmText.fill(text, {...check.facts, ...(word || {})})
  }
}
