// @ts-check
// What every part of the page says about corrections.

/** As domain/corrections.py names them. */
const satmCorrectionReasons = [
  'counted_wrong',
  'wrong_commission',
  'paid_twice',
  'not_paid',
  'wrong_client',
  'wallet_lost',
  'client_left',
  'damaged_books',
  'goodwill',
  'other'
]

/**
 * What the button of a correction does, with its sum.
 * @param {any} shown a preview
 */
function satmCorrectionVerb(shown) {
  const sum =
    shown.amount ?? (shown.worth_sats ? satmFormat.sats(shown.worth_sats) : '')
  if (shown.approval.needed) return satmText.t('correction.propose', {sum})
  return satmText.t('correction.act', {sum}).trim()
}
