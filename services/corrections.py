"""Corrections: what a person puts right, shown first, then done once, by new entries only.

Every kind runs inside the transaction of its preview (services/preview.py): its rows, postings and
movements, one row of `corrections`, an audit entry with before and after, and the finding it mends
are one commit. Undoing one is another correction.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.corrections import CorrectionKind
from ..errors import BadInput, NotFound, StateConflict
from ..models_previews import PreviewRequest
from . import effects, findings
from .effects import Effect
from .gates import refuse_if_stopped

T = TypeVar("T")
Work = Callable[[BooksConnection, "Correction"], Awaitable[Effect]]


@dataclass(frozen=True)
class Correction:
    """A correction that is shown or done now."""

    id: str
    request: PreviewRequest
    actor: str
    approved: bool = False  # by the second person

    @property
    def kind(self) -> CorrectionKind:
        """What it does."""
        return CorrectionKind(self.request.action)


def need(value: T | None, name: str) -> T:
    """Raise BadInput for an argument that this kind cannot do without."""
    if value is None:
        raise BadInput(f"{name} is needed for this", hint=f"Give {name}.", missing=[name])
    return value


async def client_row(conn: BooksConnection, client_id: str) -> Row:
    """Raises NotFound."""
    row = await conn.row(
        "SELECT * FROM satoshimachine.dca_clients WHERE id = :id", {"id": client_id}
    )
    if row is None:
        raise NotFound("There is no such client")
    return row


async def settled_cash_out(conn: BooksConnection, cash_out_id: str) -> Row:
    """By our id or Lamassu's. Raises NotFound, or StateConflict when it was not settled."""
    row = await conn.row(
        "SELECT * FROM satoshimachine.lamassu_transactions"
        " WHERE id = :id OR lamassu_transaction_id = :id",
        {"id": cash_out_id},
    )
    if row is None:
        raise NotFound("There is no such cash-out")
    if row["status"] != "completed" or row["origin"] != "observed":
        raise StateConflict("This cash-out was not settled by this extension")
    return row


async def doing(conn: BooksConnection, one: Correction, work: Work) -> Effect:
    """Do a correction inside a transaction, with everything that belongs to each of them."""
    need(one.request.reason_code, "reason_code")
    need(one.request.note, "note")
    if one.kind is not CorrectionKind.RESTORE_WALLET_ROW:
        # That one repairs what may have stopped money work.
        await refuse_if_stopped(conn, by_hand=True)
    effect = await work(conn, one)
    if one.request.finding_id is not None and effect.done:
        await findings.resolve(
            conn,
            one.request.finding_id,
            actor=one.actor,
            resolution=f"{one.kind.value}: {one.request.note}",
            correction_id=one.id,
        )
    await effects.name_everybody(conn, effect)
    return effect


async def write(
    conn: BooksConnection,
    one: Correction,
    *,
    row_id: str | None = None,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    **facts: Any,
) -> None:
    """The row of an executed correction and its audit entry. `facts`: columns of its own.

    A proposed one becomes executed; done by somebody else meanwhile, StateConflict is raised.
    """
    now_us, row = clock.now_us(), _row(one, row_id, before, after, facts)
    if one.approved and row_id in (None, one.id):
        changes = ", ".join(f"{name} = :{name}" for name in row)
        hit = await conn.changed(
            f"UPDATE satoshimachine.corrections SET {changes}"
            " WHERE id = :id AND status = 'proposed'",
            {**row, "id": one.id},
        )
        if hit != 1:
            raise StateConflict("This correction was decided meanwhile")
    else:
        proposed = {"id": row_id or one.id, "proposed_us": now_us, "proposed_by": one.actor}
        await conn.insert_rows("satoshimachine.corrections", [{**proposed, **row}])
    detail = {
        **{name: value for name, value in facts.items() if value is not None},
        "correction_id": row_id or one.id,
        "reason_code": row["reason_code"],
        "reason": row["note"],
        "finding_id": row["finding_id"],
        "approved": one.approved,
    }
    await record(
        conn,
        f"corrected_{one.kind.value}",
        str(row["cash_out_id"] or row["client_id"] or one.id),
        detail,
        actor=one.actor,
        now_us=now_us,
        before=before,
        after=after,
    )


def _row(
    one: Correction,
    row_id: str | None,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """The columns of an executed correction."""
    now_us, request = clock.now_us(), one.request
    return {
        "batch_id": one.id if row_id not in (None, one.id) else None,
        "kind": one.kind.value,
        "status": "executed",
        "client_id": None,
        "cash_out_id": None,
        "share_id": None,
        "account": None,
        "currency": None,
        "amount_minor": None,
        "sats": None,
        "pace_percent": None,
        "effective_us": None,
        **facts,
        "reason_code": need(request.reason_code, "reason_code").value,
        "note": request.note,
        "finding_id": request.finding_id,
        "request": json.dumps(request.stored(), default=str),
        "before_json": json.dumps(before, sort_keys=True),
        "after_json": json.dumps(after, sort_keys=True),
        "decided_us": now_us,
        "decided_by": one.actor,
        "approved_us": now_us if one.approved else None,
    }


async def propose(
    conn: BooksConnection, one: Correction, sats: int, changes: Sequence[Mapping[str, Any]]
) -> None:
    """Keep a correction above the limit until the second person agrees."""
    now_us = clock.now_us()
    await conn.insert_rows(
        "satoshimachine.corrections",
        [
            {
                "id": one.id,
                "kind": one.kind.value,
                "status": "proposed",
                "client_id": one.request.client_id,
                "sats": sats,
                "reason_code": need(one.request.reason_code, "reason_code").value,
                "note": one.request.note,
                "finding_id": one.request.finding_id,
                "request": json.dumps(one.request.stored(), default=str),
                "after_json": json.dumps({"shown": list(changes)}),
                "proposed_us": now_us,
                "proposed_by": one.actor,
            }
        ],
    )
    detail = {"kind": one.kind.value, "sats": sats, "reason": one.request.note}
    await record(
        conn, "correction_proposed", one.id, detail, actor=one.actor, now_us=now_us, after=detail
    )


async def proposed(correction_id: str) -> PreviewRequest:
    """What a proposed correction asks for. Raises NotFound or StateConflict."""
    row = await crud.fetch_row(
        "SELECT status, request FROM satoshimachine.corrections WHERE id = :id",
        {"id": correction_id},
    )
    if row is None:
        raise NotFound("There is no such correction")
    if row["status"] != "proposed":
        raise StateConflict(f"This correction is {row['status']}, not proposed")
    return PreviewRequest(**json.loads(row["request"]))


async def reject(correction_id: str, reason: str, actor: str) -> None:
    """A proposed correction is not to be done. Raises NotFound, StateConflict."""

    async def work(conn: BooksConnection) -> None:
        await _reject(conn, correction_id, reason, actor)

    await settlement(work)


async def _reject(conn: BooksConnection, correction_id: str, reason: str, actor: str) -> None:
    now_us = clock.now_us()
    hit = await conn.changed(
        "UPDATE satoshimachine.corrections SET status = 'rejected', decided_us = :now,"
        " decided_by = :actor WHERE id = :id AND status = 'proposed'",
        {"now": now_us, "actor": actor, "id": correction_id},
    )
    if hit != 1:
        known = await conn.row(
            "SELECT status FROM satoshimachine.corrections WHERE id = :id", {"id": correction_id}
        )
        if known is None:
            raise NotFound("There is no such correction")
        raise StateConflict(f"This correction is {known['status']}, not proposed")
    await record(
        conn,
        "correction_rejected",
        correction_id,
        {"reason": reason},
        actor=actor,
        now_us=now_us,
        before={"status": "proposed"},
        after={"status": "rejected"},
    )
