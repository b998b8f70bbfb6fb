// @ts-check
/**
 * What an alert says, in the reader's language: by its code and facts, by its kind where it has
 * only a sentence. In English that is the server's own sentence.
 */
const satmAlert = {
  /** @param {SaidAlert} alert */
  said(alert) {
    const text = satmAlert.text('alertSaid', alert)
    return text === undefined
      ? alert.message
      : satmText.fill(text, satmAlert.facts(alert))
  },

  /** @param {SaidAlert} alert */
  hint(alert) {
    return satmAlert.text('alertHint', alert) ?? alert.hint
  },

  /**
   * @param {string} what
   * @param {SaidAlert} alert
   */
  text(what, alert) {
    if (satmText.language() === 'en') return undefined
    return satmText.find(`${what}.${alert.said?.code ?? alert.kind}`)
  },

  /**
   * What a sentence is filled with; the server's words where it passes on what something else said.
   * @param {SaidAlert} alert
   * @returns {Record<string, unknown>}
   */
  facts(alert) {
    const {said, message} = alert
    if (!said) return {message}
    const {threshold, unit, hold, hold_code, status, problem} = said
    const {t, told} = satmText
    return {
      ...said,
      time: t(`alertTime.${unit}`, {n: threshold}),
      hold: told(`hold.${hold_code}`, hold),
      status: told(`cashOut.${status}`, status),
      problem: told(`because.${problem}`, problem)
    }
  }
}
