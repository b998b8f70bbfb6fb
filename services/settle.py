"""Settle one cash-out: plan it on the books as they are and commit everything at once.

What is written for a plan is here and nowhere else; what a plan says is in domain/plan.py.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from loguru import logger

from .. import clock, crud
from ..adapters import ledger, wallet_rows
from ..adapters.audit import SYSTEM, record
from ..adapters.ledger import Entry
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.alert_said import said
from ..domain.eligibility import settle_problem
from ..domain.money import decimal_text
from ..domain.plan import (
    LegKind,
    Plan,
    caps_minor,
    leg_key,
    make_plan,
)
from ..domain.states import (
    HOLD_REASONS,
    CashOutState,
    CommissionState,
    HoldCode,
    ShareState,
    states_before,
)
from ..errors import PreviewOutdated, StateConflict, ensure
from . import receivables
from .alerts import raise_alert
from .gates import Standing, refuse_if_stopped, refuse_subjects
from .owed import show_owed
from .pool import books_of, read_plan_input, refuse_unfunded, stated_facts
from .secret import installation_secret
from .settled_rows import cash_out_columns, share_row

SETTLED_BY_PLAN = "settled"


@dataclass(frozen=True)
class Settled:
    """How it ended: completed, or held because nobody had a balance."""

    state: CashOutState
    plan: Plan | None


async def settle_cash_out(
    cash_out_id: str,
    *,
    by_hand: bool = False,
    actor: str = SYSTEM,
    shown_hash: str | None = None,
) -> Settled:
    """Settle a pending cash-out, once.

    Raises StateConflict when it is not pending (any more), a HOLD error when it must wait as it is
    (no source wallet, prefunded balance short, incoming-only mode, switched off), PreviewOutdated
    when a person was shown another plan, DatabaseBusy to try again, InvariantViolation when nothing
    may move at all. After an error nothing has changed.
    """
    settled = await settlement(
        settling(cash_out_id, by_hand=by_hand, actor=actor, shown_hash=shown_hash)
    )
    log_settled(settled)
    return settled


def settling(
    cash_out_id: str, *, by_hand: bool, actor: str, shown_hash: str | None = None
) -> Callable[[BooksConnection], Awaitable[Settled]]:
    """What settling does inside its transaction; a preview runs it and rolls back."""

    async def work(conn: BooksConnection) -> Settled:
        standing = await refuse_if_stopped(conn, by_hand=by_hand)
        cash_out = await claim(conn, cash_out_id)
        refuse_subjects(standing.halts, cash_out, ())
        plan = await plan_for(conn, cash_out, standing)
        found = plan.value if isinstance(plan, HoldCode) else plan.hash
        if shown_hash not in (None, found):
            raise PreviewOutdated("This cash-out would be settled otherwise than it was shown")
        if isinstance(plan, HoldCode):
            await hold(conn, cash_out, plan, actor=actor)
            return Settled(CashOutState.HELD, None)
        refuse_subjects(standing.halts, cash_out, {share.client_id for share in plan.shares})
        await refuse_unfunded(conn, plan)
        await write_plan(conn, cash_out, plan, actor)
        return Settled(CashOutState.COMPLETED, plan)

    return work


def log_settled(settled: Settled) -> None:
    """Say in the log what was committed."""
    if settled.plan is not None:
        given, plan = settled.plan.given, settled.plan
        logger.info(
            f"event=cash_out_settled id={given.lamassu_transaction_id}"
            f" total_sats={plan.split.total_sats} base_sats={plan.split.base_sats}"
            f" shares={len(plan.shares)} failed_sats={plan.failed_sats} plan={plan.hash}"
        )


async def find(conn: BooksConnection, cash_out_id: str) -> Row:
    """The cash-out as it is. Raises StateConflict when it is gone."""
    row = await conn.row(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE id = :id", {"id": cash_out_id}
    )
    if row is None:
        raise StateConflict("This cash-out does not exist")
    return row


async def claim(conn: BooksConnection, cash_out_id: str) -> Row:
    """Take a pending cash-out; the compare-and-set that lets only one settlement through."""
    hit = await conn.changed(
        "UPDATE satoshimachine.lamassu_transactions SET status = 'processing'"
        " WHERE id = :id AND status = 'pending'",
        {"id": cash_out_id},
    )
    if hit != 1:
        raise StateConflict("This cash-out is not waiting to be settled")
    return await find(conn, cash_out_id)


async def plan_for(conn: BooksConnection, cash_out: Row, standing: Standing) -> Plan | HoldCode:
    """The plan on the books as they are, or why this cash-out must wait for a person.

    The rule may have changed since the row was stored, hence the second look at its numbers.
    """
    books = books_of(standing)
    stated = stated_facts(cash_out)
    source_row = json.loads(cash_out["source_row"])
    problem = settle_problem(source_row, books.settings.split_rule, stated)
    if problem is not None:
        return problem
    given = await read_plan_input(conn, cash_out, books, stated)
    if not caps_minor(given) and not given.settle_without_clients:
        return HoldCode.NO_CLIENT_BALANCE
    return make_plan(given)


async def hold(
    conn: BooksConnection, cash_out: Row, code: HoldCode, *, actor: str = SYSTEM
) -> None:
    """Move a cash-out that is being looked at to `held`, with an alert."""
    now_us = clock.now_us()
    await conn.execute(
        "UPDATE satoshimachine.lamassu_transactions SET status = 'held', hold_code = :code,"
        " error_message = NULL WHERE id = :id",
        {"id": cash_out["id"], "code": code.value},
    )
    await record(
        conn,
        "cash_out_held",
        cash_out["id"],
        {"code": code.value},
        actor=actor,
        now_us=now_us,
        before={"status": CashOutState.PENDING.value},
        after={"status": CashOutState.HELD.value},
    )
    await alert_held(conn, cash_out["id"], cash_out["lamassu_transaction_id"], code)


async def alert_held(
    conn: BooksConnection, cash_out_id: str, lamassu_id: str, code: HoldCode
) -> None:
    """Tell the operator that a cash-out waits for them."""
    await raise_alert(
        conn,
        f"held:{cash_out_id}",
        "cash_out_held",
        "warning",
        said("cash_out_held", lamassu_id=lamassu_id, hold=HOLD_REASONS[code], hold_code=code.value),
        cash_out_id,
    )


async def write_plan(conn: BooksConnection, cash_out: Row, plan: Plan, actor: str) -> None:
    """Write cash-out, shares, ledger, audit and all wallet rows of a plan. Nothing is committed."""
    now_us = clock.now_us()
    secret = await installation_secret(conn)
    ids = await wallet_rows.write_legs(
        conn,
        plan.legs(),
        cash_out_id=cash_out["id"],
        secret=secret,
        memo=memo_for(cash_out, plan),
        now_us=now_us,
    )
    await conn.insert_rows(
        "satoshimachine.dca_payments",
        [share_row(cash_out, plan, share, ids, now_us) for share in plan.shares],
    )
    await ledger.post(
        conn, SETTLED_BY_PLAN, entries_of(plan), now_us=now_us, cash_out_id=cash_out["id"]
    )
    await receivables.withhold(conn, plan, now_us)
    hit = await conn.changed(COMPLETE, cash_out_columns(cash_out, plan, now_us))
    ensure(hit == 1, "the claimed cash-out was lost")
    await record(
        conn,
        "cash_out_settled",
        cash_out["id"],
        {
            "plan_hash": plan.hash,
            "total_sats": plan.split.total_sats,
            "base_sats": plan.split.base_sats,
            "commission_sats": plan.split.commission_sats,
            "confirmed_sats": plan.confirmed_sats,
            "failed_sats": plan.failed_sats,
            "drawn_minor": plan.drawn_minor,
        },
        actor=actor,
        now_us=now_us,
        before={"status": CashOutState.PENDING.value},
        after={"status": CashOutState.COMPLETED.value},
    )
    for share in plan.shares:
        if share.state is ShareState.FAILED:
            await show_owed(conn, share.client_id, share.problem or "")
    if plan.commission_state is CommissionState.FAILED:
        await raise_alert(
            conn,
            f"commission:{cash_out['id']}",
            "commission_failed",
            "warning",
            said(
                "commission_failed",
                sats=plan.split.commission_sats,
                problem=str(plan.commission_problem),
            ),
            cash_out["id"],
        )


COMPLETE = """
    UPDATE satoshimachine.lamassu_transactions SET
        status = 'completed', hold_code = NULL, error_message = NULL, split_rule = :split_rule,
        effective_commission = :effective_commission, funding_mode = :funding_mode,
        source_wallet_id = :source_wallet_id, commission_wallet_id = :commission_wallet_id,
        commission_status = :commission_status, commission_message = :commission_message,
        total_sats = :total_sats, base_sats = :base_sats, commission_sats = :commission_sats,
        drawn_minor = :drawn_minor, confirmed_sats = :confirmed_sats, failed_sats = :failed_sats,
        operator_remainder_sats = :operator_remainder_sats, clients_count = :clients_count,
        plan_hash = :plan_hash, plan_json = :plan_json, processed_us = :processed_us
    WHERE id = :id AND status = 'processing'
"""


def memo_for(cash_out: Row, plan: Plan) -> str:
    """What the payer and the payee read in LNbits' own wallet page."""
    fiat = decimal_text(plan.given.fiat_minor, plan.given.currency)
    return f"Bitcoin ATM sale of {fiat} {plan.given.currency}"


def entries_of(plan: Plan) -> list[Entry]:
    """The double entries of a plan: sats by where they lie, fiat by whom it was charged to."""
    lamassu_id, currency = plan.given.lamassu_transaction_id, plan.given.currency
    entries = [
        Entry(ledger.SOLD, ledger.SAT, -plan.split.total_sats, lamassu_id),
        Entry(ledger.OPERATOR, ledger.SAT, plan.operator_remainder_sats, lamassu_id),
        Entry(
            (
                ledger.COMMISSION_OWED
                if plan.commission_state is CommissionState.FAILED
                else ledger.COMMISSION
            ),
            ledger.SAT,
            plan.split.commission_sats,
            leg_key(lamassu_id, LegKind.COMMISSION),
        ),
        Entry(ledger.DISPENSED, currency, plan.drawn_minor, lamassu_id),
    ]
    for share in plan.shares:
        key = leg_key(lamassu_id, LegKind.SHARE, share.client_id)
        paid = share.state is ShareState.CONFIRMED
        account = (ledger.paid_account if paid else ledger.owed_account)(share.client_id)
        entries.append(Entry(account, ledger.SAT, share.sats, key, share.client_id))
        entries.append(
            Entry(
                ledger.client_account(share.client_id),
                currency,
                -share.fiat_minor,
                key,
                share.client_id,
            )
        )
    return entries


async def note_attempt(cash_out_id: str, message: str) -> None:
    """Say on the cash-out what the last attempt met; it stays pending."""

    async def work(conn: BooksConnection) -> None:
        await conn.execute(
            "UPDATE satoshimachine.lamassu_transactions SET error_message = :message,"
            " attempts = attempts + 1 WHERE id = :id AND status = 'pending'",
            {"id": cash_out_id, "message": message},
        )

    await settlement(work)


async def wait_for_halt(cash_out_id: str, message: str, halt_id: str) -> None:
    """It stays pending, and out of the queue until that halt is lifted."""

    async def work(conn: BooksConnection) -> None:
        await conn.execute(
            "UPDATE satoshimachine.lamassu_transactions SET error_message = :message,"
            " halt_id = :halt WHERE id = :id AND status = 'pending'",
            {"id": cash_out_id, "message": message, "halt": halt_id},
        )

    await settlement(work)


async def mark_failed(cash_out_id: str, message: str) -> None:
    """An invariant refused it: out of the queue, for a person."""
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> None:
        hit = await conn.changed(
            "UPDATE satoshimachine.lamassu_transactions SET status = 'failed',"
            f" error_message = :message WHERE id = :id AND status IN ({states_before('failed')})",
            {"id": cash_out_id, "message": message},
        )
        if hit:
            said, after = {"message": message}, {"status": CashOutState.FAILED.value}
            await record(conn, "cash_out_failed", cash_out_id, said, now_us=now_us, after=after)

    await settlement(work)


# Without those that wait for a halt to be lifted.
PENDING = (
    "FROM satoshimachine.lamassu_transactions WHERE status = 'pending'"
    " AND NOT EXISTS (SELECT 1 FROM satoshimachine.halts h"
    " WHERE h.id = halt_id AND h.lifted_us IS NULL)"
)


async def pending_ids(limit: int) -> list[str]:
    """Pending cash-outs in the order of settlement (design.md 3.5)."""
    rows = await crud.fetch_rows(
        f"SELECT id {PENDING} ORDER BY COALESCE(confirmed_at_us, created_us), id LIMIT :limit",
        {"limit": limit},
    )
    return [str(row["id"]) for row in rows]


async def pending_count() -> int:
    """How many there are, of which a pass takes some."""
    row = await crud.fetch_row(f"SELECT COUNT(*) AS n {PENDING}")
    return int(row["n"]) if row else 0
