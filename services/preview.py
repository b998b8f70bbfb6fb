"""Whatever moves money: shown first, to the sat, then executed exactly as shown, once.

A preview rehearses the action inside a settlement transaction and rolls it back; only what was
shown is stored. Executing it takes the preview (compare and set), does the action again and
commits, all in one transaction, and only if the effect is still the one that was shown. A poll
settles many cash-outs: it is taken first, and each cash-out is settled only by the plan shown.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from .. import books, clock, crud
from ..adapters.audit import record
from ..adapters.lamassu_postgres import open_source
from ..adapters.settlement import Rollback, settlement
from ..database import BooksConnection, Row
from ..domain.corrections import CorrectionKind
from ..domain.days import US_PER_S, instant_us
from ..domain.states import CashOutState
from ..errors import (
    BadInput,
    NotConfigured,
    NotFound,
    PollingDisabled,
    PreviewOutdated,
    SatMachineError,
    StateConflict,
)
from ..models import ProcessRequest
from ..models_previews import ExecuteRequest, PreviewRequest
from . import approval, correct, effects, rehearsal
from .announce import announce_leg, announce_settled
from .cash_outs import fetch_sale
from .corrections import Correction, propose
from .effects import Effect
from .observe import META_CLOCK, full_comparison_due, look_only
from .readiness import require_ready
from .rehearsal import Action
from .source import source_settings

VALID_US = 600 * US_PER_S  # long enough to read it and ask somebody, short enough to be true
KEPT_US = 86_400 * US_PER_S  # a second execution gets the first one's answer for a day

POLL = "poll"
T = TypeVar("T")


@dataclass(frozen=True)
class ShownPlan:
    """A cash-out that a poll may settle, by this plan only."""

    lamassu_transaction_id: str
    plan_hash: str  # or the code of why it would be held


Poll = Callable[[Sequence[ShownPlan], str], Awaitable[None]]


async def make(request: PreviewRequest, actor: str) -> dict[str, Any]:
    """What this action would do now. Nothing is written but the preview itself.

    A poll from another start point is for looking only: nothing is stored, it has no id.
    """
    if request.action != CorrectionKind.RESTORE_WALLET_ROW.value:
        await require_ready()
    if correct.is_correction(request):
        request = request.copy(update={"correction_id": uuid4().hex})
    action = await _action(request, actor)

    async def work(conn: BooksConnection) -> Effect:
        raise Rollback(await action(conn))

    effect = await settlement(work)
    now_us = clock.now_us()
    settings = await crud.get_settings()
    amount = effects.amount_sats(effect, _given_up(request, effect))
    about: dict[str, Any] = {}
    if _corrects(request):
        about = await correct.amounts(request, effect)
        about["correction_id"] = request.correction_id
        amount = 0 if about["amount"] else about["worth_sats"]
    only_looking = request.start_at is not None
    shown = {
        "preview_id": None if only_looking else uuid4().hex,
        "expires_at": clock.iso(now_us + VALID_US),
        "action": request.action,
        "can_execute": effect.done and not only_looking,
        "amount_sats": amount,
        "typed_amount_sats": amount if amount > settings.typed_amount_above_sats else None,
        "cash_outs": effect.cash_outs,
        "legs": effect.legs,
        "totals": effects.totals(effect),
        "remarks": effect.remarks,
        "changes": effect.changes,
        **about,
    }
    if not only_looking:
        await _store(shown, request, effect, now_us, actor)
    return shown


def _corrects(request: PreviewRequest) -> bool:
    return request.action == correct.APPROVE or correct.is_correction(request)


def _given_up(request: PreviewRequest, effect: Effect) -> int:
    """The sats an action without legs is about."""
    if request.action == "cancel_share":
        return sum(int(share["sats"]) for one in effect.cash_outs for share in one["shares"])
    if request.action == "skip":
        return sum(one["total_sats"] or 0 for one in effect.cash_outs)
    return 0


async def _store(
    shown: dict[str, Any], request: PreviewRequest, effect: Effect, now_us: int, actor: str
) -> None:
    row = {
        "id": shown["preview_id"],
        "request": json.dumps(request.stored(), default=str),
        "shown": json.dumps(shown),
        "effect_hash": effect.hash(),
        "expires_us": now_us + VALID_US,
    }

    async def work(conn: BooksConnection) -> None:
        await conn.execute(
            "DELETE FROM satoshimachine.previews WHERE expires_us < :old",
            {"old": now_us - KEPT_US},
        )
        await conn.insert_rows("satoshimachine.previews", [row])
        detail = {"action": shown["action"], "amount_sats": shown["amount_sats"]}
        await record(conn, "preview_shown", row["id"], detail, actor=actor, now_us=now_us)

    await settlement(work)


async def execute(preview_id: str, typed: ExecuteRequest, actor: str, poll: Poll) -> Any:
    """Do what the preview showed, once; a second call gets the first one's answer.

    Raises NotFound, BadInput when the sum was not typed, PreviewOutdated when it expired or when
    the effect would be another one now, StateConflict while the first call still runs, and what the
    action itself raises. After any of them nothing was changed by this call; a poll may have
    settled some of the cash-outs shown.
    """
    preview = await _find(preview_id)
    if preview["result"] is not None:
        return json.loads(preview["result"])
    shown = json.loads(preview["shown"])
    _refuse(preview, shown, typed)
    request = PreviewRequest(**json.loads(preview["request"]))
    if request.action != CorrectionKind.RESTORE_WALLET_ROW.value:
        await require_ready()
    if request.action == POLL:
        return await _execute_poll(preview, shown, actor, poll)
    if request.action == correct.APPROVE:
        await approval.check(typed.passphrase, actor)
    elif shown.get("approval", {}).get("needed"):
        return await _propose(preview, shown, request, actor)
    action = await _action(request, actor)
    result = _result(shown, clock.now_us())

    async def work(conn: BooksConnection) -> None:
        await _take(conn, preview_id)
        effect = await action(conn)
        if effect.hash() != preview["effect_hash"]:
            raise PreviewOutdated("This would do something else now than what was shown")
        result["cash_outs"] = [
            {"id": one["id"], **_named(one, done=True)} for one in effect.cash_outs
        ]
        await _note(conn, shown, actor)
        await _finish(preview_id, result, conn)

    await settlement(work)
    if request.action == "process":
        await announce_settled()
    for leg in shown["legs"] if request.action.startswith("retry") or _corrects(request) else ():
        await announce_leg(leg["key"])
    return result


async def _propose(preview: Row, shown: dict[str, Any], request: PreviewRequest, actor: str) -> Any:
    """Above the limit of the second person nothing is done yet: it is kept for them to look at."""
    result = {**_result(shown, clock.now_us()), "done": False, "proposed": request.correction_id}
    one = Correction(str(request.correction_id), request, actor)

    async def work(conn: BooksConnection) -> None:
        await _take(conn, str(preview["id"]))
        await propose(conn, one, shown["worth_sats"] or 0, shown["changes"])
        await _finish(str(preview["id"]), result, conn)

    await settlement(work)
    return result


def _refuse(preview: Row, shown: dict[str, Any], typed: ExecuteRequest) -> None:
    if preview["executed_us"] is not None:
        raise StateConflict(
            "This preview is being executed, or was interrupted while it was",
            hint="Look at the cash-outs, then look again at what would be done now.",
        )
    if int(preview["expires_us"]) < clock.now_us():
        raise PreviewOutdated("This preview is too old")
    if not shown["can_execute"]:
        raise StateConflict("There is nothing to do here", hint="Look again later.")
    for name, unit in (("typed_amount_sats", " sats"), ("typed_amount", "")):
        wanted = shown.get(name)
        if wanted is not None and getattr(typed, name) != wanted:
            raise BadInput(
                f"Type the sum, {wanted}{unit}, to go on",
                hint="It is asked for large sums; the settings say from when on.",
                missing=[name],
            )


async def _execute_poll(preview: Row, shown: dict[str, Any], actor: str, poll: Poll) -> Any:
    """Take it, let the tick settle what was shown, and say what became of each."""
    preview_id = str(preview["id"])

    async def take(conn: BooksConnection) -> None:
        await _take(conn, preview_id)
        await _note(conn, shown, actor)

    await settlement(take)
    result = _result(shown, clock.now_us())
    plans = [
        ShownPlan(one["lamassu_transaction_id"], one["plan_hash"] or one["hold_code"])
        for one in shown["cash_outs"]
        if one["outcome"] in (effects.SETTLED, effects.HELD)
    ]
    try:
        await poll(plans, actor)
    except SatMachineError as exc:
        result.update(success=False, error=exc.answer())
        raise
    finally:
        result["cash_outs"] = [await _outcome(one) for one in shown["cash_outs"]]
        result["done"] = all(one["done"] for one in result["cash_outs"])
        await _finish(preview_id, result)
    return result


async def _outcome(one: dict[str, Any]) -> dict[str, Any]:
    """What became of a cash-out of a poll: as shown, or left for the next one."""
    row = await books.find_cash_out(one["lamassu_transaction_id"])
    if row is None:
        return {"id": None, **_named(one, done=False)}
    as_shown = row["status"] == one["status"] and row["plan_hash"] == one["plan_hash"]
    return {**_named(one, done=as_shown), "id": row["id"], "status": row["status"]}


def _named(one: dict[str, Any], *, done: bool) -> dict[str, Any]:
    names = ("lamassu_transaction_id", "outcome", "status")
    return {**{name: one[name] for name in names}, "done": done}


def _result(shown: dict[str, Any], now_us: int) -> dict[str, Any]:
    names = ("preview_id", "action", "amount_sats", "legs", "totals")
    return {
        "success": True,
        "done": True,
        "executed_at": clock.iso(now_us),
        **{name: shown[name] for name in names},
    }


async def pending_of(shown: Mapping[str, str]) -> dict[str, str]:
    """The pending ones of what was shown by Lamassu id: our id -> plan hash, in the same order."""
    hashes: dict[str, str] = {}
    for lamassu_id, plan_hash in shown.items():
        row = await books.find_cash_out(lamassu_id)
        if row is not None and row["status"] == CashOutState.PENDING.value:
            hashes[str(row["id"])] = plan_hash
    return hashes


async def _take(conn: BooksConnection, preview_id: str) -> None:
    """The compare-and-set that lets only one execution through."""
    now_us = clock.now_us()
    hit = await conn.changed(
        "UPDATE satoshimachine.previews SET executed_us = :now"
        " WHERE id = :id AND executed_us IS NULL AND expires_us >= :now",
        {"id": preview_id, "now": now_us},
    )
    if hit != 1:
        raise StateConflict("This preview was executed by another request a moment ago")


async def _note(conn: BooksConnection, shown: dict[str, Any], actor: str) -> None:
    detail = {
        "action": shown["action"],
        "amount_sats": shown["amount_sats"],
        "cash_outs": [one["lamassu_transaction_id"] for one in shown["cash_outs"]],
        "legs": len(shown["legs"]),
        "typed": (shown.get("typed_amount") or shown["typed_amount_sats"]) is not None,
    }
    await record(
        conn,
        "preview_executed",
        shown["preview_id"],
        detail,
        actor=actor,
        now_us=clock.now_us(),
    )


async def _finish(preview_id: str, result: Any, conn: BooksConnection | None = None) -> None:
    await crud.write(
        "UPDATE satoshimachine.previews SET result = :result WHERE id = :id",
        {"result": json.dumps(result), "id": preview_id},
        conn,
    )


async def _find(preview_id: str) -> Row:
    row = await crud.fetch_row(
        "SELECT * FROM satoshimachine.previews WHERE id = :id", {"id": preview_id}
    )
    if row is None:
        raise NotFound("There is no such preview", hint="Look again at what would be done now.")
    return row


# -- the actions ----------------------------------------------------------------------------------


async def _action(request: PreviewRequest, actor: str) -> Action:
    """The action with all it needs from outside. Raises BadInput when an argument is missing."""
    if request.action == POLL:
        return await _polling(request)
    if _corrects(request):
        return await correct.correcting(request, actor)
    if request.action == "process":
        return await _processing(request, actor)
    if request.action == "retry_share":
        return rehearsal.retrying_share(_given(request.share_id, "share_id"), actor)
    if request.action == "cancel_share":
        reason = _given(request.reason, "reason")
        return rehearsal.cancelling_share(_given(request.share_id, "share_id"), reason, actor)
    cash_out = await books.get_cash_out(_given(request.cash_out_id, "cash_out_id"))
    if request.action == "retry_commission":
        return rehearsal.retrying_commission(str(cash_out["id"]), actor)
    reason = _given(request.reason, "reason")
    return rehearsal.skipping_cash_out(str(cash_out["id"]), reason, actor)


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise BadInput(f"{name} is needed for this", hint=f"Give {name}.", missing=[name])
    return value


async def _processing(request: PreviewRequest, actor: str) -> Action:
    lamassu_id = _given(request.lamassu_id, "lamassu_id")
    config = await crud.get_config()
    if config is None:
        raise NotConfigured("No connection to Lamassu is saved")
    row = await fetch_sale(config, lamassu_id)
    difference_us = int(await crud.get_meta(META_CLOCK) or 0)
    return rehearsal.processing(row, request.statement or ProcessRequest(), actor, difference_us)


async def _polling(request: PreviewRequest) -> Action:
    """Lamassu is read before the transaction begins, so that nothing is locked meanwhile."""
    config = await crud.get_config()
    settings = await crud.get_settings()
    start_at_us = settings.start_at_us
    if request.start_at is not None:
        start_at_us = instant_us(request.start_at)
        if start_at_us > clock.now_us():
            raise BadInput("The start point is in the future", hint="Choose a moment up to now.")
    elif config is not None and not config.polling_enabled:
        raise PollingDisabled("Automatic work is switched off, so nothing would be polled")
    if config is None or start_at_us is None:
        raise NotConfigured("No connection to Lamassu is saved")
    changed = start_at_us != settings.start_at_us
    full = changed or await full_comparison_due(clock.now_us())
    async with open_source(source_settings(config)) as source:
        looked = await look_only(source, start_at_us=start_at_us, full=full)
    return rehearsal.polling(looked, armed=request.start_at is None)
