"""Every action that moves money, done inside a transaction and told as an effect.

A preview runs it and rolls back; an execution runs the same and commits. So what is shown is what
the real code does, and not what another piece of code thinks it would do.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection

from ..adapters.audit import SYSTEM
from ..database import BooksConnection, Row
from ..domain.eligibility import SourceRow, classify
from ..domain.states import CashOutState, SplitRule
from ..errors import (
    DatabaseBusy,
    DatabaseFailed,
    InvariantViolation,
    NotReady,
    PollingDisabled,
    SatMachineError,
    WaitsForHalt,
)
from ..models import ProcessRequest
from . import effects, retry, settle
from .cash_outs import admitting, skipping
from .effects import Effect
from .gates import refuse_if_stopped
from .intake import storing
from .observe import Looked

# The wallets are locked while a poll is rehearsed, so it ends at whichever comes first; what is
# left is counted, and waits for the next poll.
PLANNED_MAX = 100
SHOWN_MAX = 200  # with those that are held or still running
LEGS_MAX = 3_000
LOCKED_S_MAX = 1.0

Action = Callable[[BooksConnection], Awaitable[Effect]]


def processing(
    row: SourceRow, data: ProcessRequest, actor: str, clock_difference_us: int
) -> Action:
    """Take this sale in, whatever was known of it, and settle it by what the person stated."""
    admit = admitting(row, data, actor, clock_difference_us)

    async def work(conn: BooksConnection) -> Effect:
        effect = Effect()
        before = await _known(conn, str(row["id"]))
        if before is not None and before["status"] == CashOutState.COMPLETED.value:
            effect.cash_outs.append(effects.show_row(before, effects.OTHER))
            effect.remark("already_settled", "It was settled before; nothing is paid again.")
            return effect
        await storing([row], clock_difference_us)(conn)
        cash_out_id = await admit(conn)
        settled = await settle.settling(cash_out_id, by_hand=True, actor=actor)(conn)
        cash_out = await settle.find(conn, cash_out_id)
        stored = before is not None
        if settled.plan is None:
            effect.cash_outs.append(effects.show_row(cash_out, effects.HELD, stored=stored))
        else:
            effect.cash_outs.append(effects.show_planned(cash_out, settled.plan, stored=stored))
            effect.legs += [effects.show_leg(leg) for leg in settled.plan.legs()]
            effect.done = True
        await effects.name_everybody(conn, effect)
        return effect

    return work


async def _known(conn: BooksConnection, lamassu_id: str) -> Row | None:
    return await conn.row(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE lamassu_transaction_id = :id",
        {"id": lamassu_id},
    )


def retrying_share(share_id: str, actor: str) -> Action:
    """Move a failed share's sats to the client's wallet of today."""

    async def work(conn: BooksConnection) -> Effect:
        before = await retry.failed_share(conn, share_id)
        outcome = await retry.retrying_share(share_id, by_hand=True, actor=actor)(conn)
        share = before if isinstance(outcome, str) else outcome
        effect = Effect(done=not isinstance(outcome, str))
        cash_out = await settle.find(conn, share["cash_out_id"])
        shown = {**effects.show_share(share)}
        if isinstance(outcome, str):
            shown["problem"] = outcome
            effect.remark("still_failed", f"It still cannot be delivered: {outcome}", why=outcome)
        else:
            effect.legs.append(effects.show_leg(await retry.moved_leg(conn, str(share["leg_key"]))))
        effect.cash_outs.append(effects.show_row(cash_out, effects.OTHER, shares=[shown]))
        await effects.name_everybody(conn, effect)
        return effect

    return work


def retrying_commission(cash_out_id: str, actor: str) -> Action:
    """Move a failed commission to the commission wallet of today."""

    async def work(conn: BooksConnection) -> Effect:
        outcome = await retry.retrying_commission(cash_out_id, by_hand=True, actor=actor)(conn)
        effect = Effect(done=not isinstance(outcome, str))
        cash_out = await settle.find(conn, cash_out_id)
        effect.cash_outs.append(effects.show_row(cash_out, effects.OTHER))
        if isinstance(outcome, str):
            effect.remark("still_failed", f"It still cannot be delivered: {outcome}", why=outcome)
        else:
            effect.legs.append(effects.show_leg(outcome))
        await effects.name_everybody(conn, effect)
        return effect

    return work


def cancelling_share(share_id: str, reason: str, actor: str) -> Action:
    """Give a failed share up: fiat back to the client, sats to the operator; no wallet moves."""

    async def work(conn: BooksConnection) -> Effect:
        share = await retry.cancelling_share(share_id, reason, actor)(conn)
        cash_out = await settle.find(conn, share["cash_out_id"])
        shown = effects.show_share(share)
        effect = Effect(done=True)
        effect.cash_outs.append(effects.show_row(cash_out, effects.OTHER, shares=[shown]))
        await effects.name_everybody(conn, effect)
        return effect

    return work


def skipping_cash_out(cash_out_id: str, reason: str, actor: str) -> Action:
    """The operator says no; no wallet moves."""

    async def work(conn: BooksConnection) -> Effect:
        before = await settle.find(conn, cash_out_id)
        await skipping(cash_out_id, reason, actor)(conn)
        return Effect([effects.show_row(before, effects.OTHER)], done=True)

    return work


def polling(looked: Looked, *, armed: bool) -> Action:
    """Take in what was read, then settle what waits, oldest first, as a tick does.

    Only ever rolled back: a poll is executed by the tick itself, one commit per cash-out.
    `armed` False: nobody switched automatic work on yet, and wants to know what it would do.
    """

    async def work(conn: BooksConnection) -> Effect:
        effect, until = Effect(), time.monotonic() + LOCKED_S_MAX
        standing = await refuse_if_stopped(conn, by_hand=not armed)
        known = await _stored(conn, list(looked.rows))
        before = {str(row["lamassu_transaction_id"]): row for row in known}
        rows = [looked.rows[lamassu_id] for lamassu_id in before]
        unknown = [row for lamassu_id, row in looked.rows.items() if lamassu_id not in before]
        rows += _first_ones(unknown, standing.settings.split_rule, effect)
        await storing(rows, looked.clock_difference_us)(conn)
        fresh = looked.rows.keys() - before.keys()
        await _settle_in_order(conn, effect, fresh, armed, until)
        shown = {one["lamassu_transaction_id"] for one in effect.cash_outs}
        for row in await _stored(conn, [str(row["id"]) for row in rows]):
            lamassu_id = str(row["lamassu_transaction_id"])
            if lamassu_id in shown or not _is_news(before.get(lamassu_id), row):
                continue
            held = row["status"] == CashOutState.HELD.value
            outcome = effects.HELD if held else effects.WAITING
            if len(effect.cash_outs) < SHOWN_MAX:
                stored = lamassu_id not in fresh
                effect.cash_outs.append(effects.show_row(row, outcome, stored=stored))
            else:
                effect.more[outcome] += 1
        effect.done = True  # a poll that pays nothing still takes in what it read
        if looked.not_read:
            text = f"Lamassu has {looked.not_read} rows more that were not read for this."
            effect.remark("not_read", text, n=looked.not_read)
        await effects.name_everybody(conn, effect)
        return effect

    return work


def _first_ones(unknown: list[SourceRow], rule: SplitRule, effect: Effect) -> list[SourceRow]:
    """The unknown rows worth taking in: as many as can be shown; the others are only counted."""
    kept: list[SourceRow] = []
    counted: Counter[str] = Counter()
    for row in sorted(unknown, key=lambda row: row.get("confirmed_at") or row.get("created") or ""):
        state = classify(row, rule).state
        if state is None:
            continue
        payable = state is CashOutState.PENDING
        counted[state.value] += 1
        if counted[state.value] <= (PLANNED_MAX if payable else SHOWN_MAX):
            kept.append(row)
        elif payable:
            effect.unplanned += 1
        else:
            held = state is CashOutState.HELD
            effect.more[effects.HELD if held else effects.WAITING] += 1
    return kept


def _is_news(before: Row | None, row: Row) -> bool:
    """Would the poll be the one that says so? What is pending is counted by itself."""
    if row["status"] not in (CashOutState.HELD.value, CashOutState.WATCHING.value):
        return False
    news = (row["status"], row["hold_code"])
    return before is None or (before["status"], before["hold_code"]) != news


async def _stored(conn: BooksConnection, lamassu_ids: list[str]) -> list[Row]:
    return await conn.rows_in(
        "SELECT * FROM satoshimachine.lamassu_transactions"
        " WHERE lamassu_transaction_id IN ({marks})",
        lamassu_ids,
    )


async def _settle_in_order(
    conn: BooksConnection, effect: Effect, fresh: Collection[str], armed: bool, until: float
) -> None:
    """Each plan on the books as the ones before it leave them; up to the first that must wait."""
    rows = await conn.rows(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE status = 'pending'"
        " ORDER BY COALESCE(confirmed_at_us, created_us), id LIMIT :most",
        {"most": PLANNED_MAX},
    )
    counted = await conn.row(
        "SELECT COUNT(*) AS n FROM satoshimachine.lamassu_transactions WHERE status = 'pending'"
    )
    for row in rows:
        if effect.cash_outs and (time.monotonic() > until or len(effect.legs) >= LEGS_MAX):
            break
        stored = row["lamassu_transaction_id"] not in fresh
        try:
            settled = await settle.settling(row["id"], by_hand=not armed, actor=SYSTEM)(conn)
        except WaitsForHalt as exc:
            waits = effects.show_row(row, effects.WAITING, stored=stored, why=exc.message)
            effect.cash_outs.append(waits)
            continue
        except (DatabaseBusy, DatabaseFailed, InvariantViolation, NotReady, PollingDisabled):
            raise
        except SatMachineError as exc:
            # It waits as it is, and newer ones do not overtake it (design.md 3.5).
            waits = effects.show_row(row, effects.WAITING, stored=stored, why=exc.message)
            effect.cash_outs.append(waits)
            effect.remark("waits", exc.message, hint=exc.hint)
            break
        cash_out = await settle.find(conn, row["id"])
        if settled.plan is None:
            effect.cash_outs.append(effects.show_row(cash_out, effects.HELD, stored=stored))
            continue
        effect.cash_outs.append(effects.show_planned(cash_out, settled.plan, stored=stored))
        effect.legs += [effects.show_leg(leg) for leg in settled.plan.legs()]
    left = effect.unplanned + (int(counted["n"]) if counted else 0) - len(effect.cash_outs)
    if left:
        effect.more[effects.WAITING] += left
        effect.remark("more", f"{left} cash-outs more wait; a later poll settles them.", n=left)
