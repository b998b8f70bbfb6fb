"""Which correction does what, as an action of a preview (services/preview.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import crud
from ..database import BooksConnection
from ..domain.corrections import KINDS, CorrectionKind
from ..domain.money import decimal_text
from ..models_previews import PreviewRequest
from . import approval, correct_claims, correct_payments, correct_rows, effects
from .correct_claims import minor_of
from .corrections import Correction, Work, doing, need, proposed
from .effects import Effect
from .rehearsal import Action

APPROVE = "approve_correction"
WORK: Mapping[CorrectionKind, Work] = {
    CorrectionKind.ADJUST_BALANCE: correct_claims.adjust_balance,
    CorrectionKind.RECOVER_OVERPAYMENT: correct_claims.recover_overpayment,
    CorrectionKind.WRITE_OFF: correct_claims.write_off,
    CorrectionKind.PAY_MISSING: correct_payments.pay_missing,
    CorrectionKind.COMPENSATE: correct_payments.compensate,
    CorrectionKind.SETTLE_TO_WALLET: correct_payments.settle_to_wallet,
    CorrectionKind.CANCEL_SHARE: correct_payments.cancel_share,
    CorrectionKind.RESTORE_WALLET_ROW: correct_rows.restore_wallet_row,
}


def is_correction(request: PreviewRequest) -> bool:
    """Giving a failed share up is one when it comes with a reason of corrections."""
    cancels = request.action == CorrectionKind.CANCEL_SHARE.value
    return request.action in KINDS and (not cancels or request.reason_code is not None)


async def correcting(request: PreviewRequest, actor: str) -> Action:
    """The action. Raises NotFound or StateConflict for one that is not proposed (any more)."""
    if request.action == APPROVE:
        correction_id = need(request.correction_id, "correction_id")
        asked = await proposed(correction_id)
        one = Correction(correction_id, asked, actor, approved=True)
    else:
        one = Correction(need(request.correction_id, "correction_id"), request, actor)

    async def work(conn: BooksConnection) -> Effect:
        return await doing(conn, one, WORK[one.kind])

    return work


async def amounts(request: PreviewRequest, effect: Effect) -> dict[str, Any]:
    """What it is about: in sats or fiat, what that is worth, and whether a second person is asked.

    `typed`: the text that must be typed for a large sum in fiat.
    """
    asked = request
    if request.action == APPROVE:
        asked = await proposed(need(request.correction_id, "correction_id"))
    settings = await crud.get_settings()
    sats: int | None = effects.amount_sats(effect)
    amount = typed = None
    if asked.action == CorrectionKind.ADJUST_BALANCE.value and asked.amount is not None:
        currency = asked.currency or settings.currency
        minor = minor_of(asked.amount, currency)
        amount = f"{'+' if minor > 0 else ''}{decimal_text(minor, currency)} {currency}"
        sats = await approval.worth_sats(currency, minor)
        if sats is not None and sats > settings.typed_amount_above_sats:
            typed = decimal_text(minor, currency)
    elif not sats:
        sats = _claimed(asked, effect)
    asks = await approval.needed(settings, sats)
    return {
        "amount": amount,
        "worth_sats": sats,
        "typed_amount": typed,
        "approval": {"needed": asks and request.action != APPROVE, "given_now": False}
        | ({"given_now": True} if request.action == APPROVE else {}),
    }


def _claimed(asked: PreviewRequest, effect: Effect) -> int:
    """The sats of a correction that moves none."""
    owed = [one for one in effect.changes if one["code"] == "owed"]
    shares = [share["sats"] for one in effect.cash_outs for share in one["shares"]]
    return sum(abs(int(one["after"]) - int(one["before"])) for one in owed) or sum(shares)
