"""Failed shares and failed commission: tried again to where they belong now, or given up by entry.

The sats lie in the source wallet of the cash-out they came from, whatever the settings say today.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from loguru import logger

from .. import clock, crud
from ..adapters import ledger, wallet_rows
from ..adapters.audit import SYSTEM, record
from ..adapters.ledger import Entry
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.money import MSAT_PER_SAT
from ..domain.plan import Leg, LegKind, leg_key
from ..domain.states import CashOutState, CommissionState, ShareState
from ..errors import (
    FundingShort,
    FundingUnusable,
    NotFound,
    OutgoingBlocked,
    StateConflict,
    StillFailed,
    ensure,
)
from . import receivables
from .alerts import resolve_alerts
from .gates import active_halts, refuse_if_stopped, refuse_subjects
from .owed import show_owed
from .secret import installation_secret

RETRIES_PER_TICK_MAX = 200  # one short transaction each; the rest comes at the next tick


async def retry_share(share_id: str, *, by_hand: bool = False, actor: str = SYSTEM) -> Row:
    """Move a failed share's sats to the client's current wallet.

    Raises NotFound, StateConflict when it is not failed, StillFailed when the wallet still cannot
    take it, FundingShort when the source wallet no longer holds the sats, DatabaseBusy.
    """
    outcome = await settlement(retrying_share(share_id, by_hand=by_hand, actor=actor))
    if isinstance(outcome, str):
        raise StillFailed(f"The share still cannot be delivered: {outcome}")
    logger.info(f"event=share_paid key={outcome['leg_key']} sats={outcome['amount_sats']}")
    return outcome


def retrying_share(
    share_id: str, *, by_hand: bool, actor: str, to_wallet_id: str | None = None
) -> Callable[[BooksConnection], Awaitable[Row | str]]:
    """The paid share, or why it still cannot be delivered, inside a transaction.

    `to_wallet_id`: a wallet that a person chose, in place of the client's own.
    """

    async def work(conn: BooksConnection) -> Row | str:
        await refuse_if_stopped(conn, by_hand=by_hand)
        share = await failed_share(conn, share_id)
        cash_out = await _cash_out(conn, share["cash_out_id"])
        refuse_subjects(await active_halts(conn), cash_out, {share["client_id"]})
        client = await conn.row(
            "SELECT wallet_id FROM satoshimachine.dca_clients WHERE id = :id",
            {"id": share["client_id"]},
        )
        wallet_id = to_wallet_id or (client["wallet_id"] if client else share["wallet_id"])
        lamassu_id = share["lamassu_transaction_id"]
        leg = Leg(
            leg_key(lamassu_id, LegKind.SHARE, share["client_id"]),
            LegKind.SHARE,
            cash_out["source_wallet_id"],
            wallet_id,
            int(share["amount_sats"]),
            share["client_id"],
        )
        problem = await _problem(conn, leg)
        if problem:
            await _note_share(conn, share_id, problem)
            if by_hand:
                await _note_asked(conn, share["cash_out_id"], leg, problem, actor)
            return problem
        payment_hash = await _move(conn, cash_out, leg)
        await _confirm_share(conn, share, wallet_id, payment_hash, actor)
        return await _share(conn, share_id)

    return work


async def retry_commission(cash_out_id: str, *, by_hand: bool = False, actor: str = SYSTEM) -> str:
    """Move a failed commission to the commission wallet that is set now; the key of its leg.

    Raises as retry_share.
    """
    outcome = await settlement(retrying_commission(cash_out_id, by_hand=by_hand, actor=actor))
    if isinstance(outcome, str):
        raise StillFailed(f"The commission still cannot be delivered: {outcome}")
    return outcome.key


def retrying_commission(
    cash_out_id: str, *, by_hand: bool, actor: str
) -> Callable[[BooksConnection], Awaitable[Leg | str]]:
    """The moved leg, or why it still cannot be delivered, inside a transaction."""

    async def work(conn: BooksConnection) -> Leg | str:
        await refuse_if_stopped(conn, by_hand=by_hand)
        cash_out = await _cash_out(conn, cash_out_id)
        if cash_out["commission_status"] != "failed":
            raise StateConflict("This commission is not waiting")
        refuse_subjects(await active_halts(conn), cash_out, ())
        config = await crud.get_config(conn)
        wallet_id = config.commission_wallet_id if config else None
        if not wallet_id or wallet_id == cash_out["source_wallet_id"]:
            return "no commission wallet is set"
        leg = Leg(
            leg_key(cash_out["lamassu_transaction_id"], LegKind.COMMISSION),
            LegKind.COMMISSION,
            cash_out["source_wallet_id"],
            wallet_id,
            int(cash_out["commission_sats"]),
        )
        problem = await _problem(conn, leg)
        if problem:
            await conn.execute(
                "UPDATE satoshimachine.lamassu_transactions SET commission_message = :m"
                " WHERE id = :id",
                {"m": problem, "id": cash_out_id},
            )
            if by_hand:
                await _note_asked(conn, cash_out_id, leg, problem, actor)
            return problem
        await _move(conn, cash_out, leg)
        await _confirm_commission(conn, cash_out_id, leg, actor)
        return leg

    return work


async def cancel_share(share_id: str, reason: str, actor: str) -> Row:
    """Give a failed share up: the client's fiat comes back, the sats become operator remainder.

    Raises NotFound or StateConflict.
    """
    return await settlement(cancelling_share(share_id, reason, actor))


def cancelling_share(
    share_id: str, reason: str, actor: str
) -> Callable[[BooksConnection], Awaitable[Row]]:
    """The share as it is afterwards, inside a transaction."""
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> Row:
        await refuse_if_stopped(conn, by_hand=True)
        share = await failed_share(conn, share_id)
        sats, fiat = int(share["amount_sats"]), int(share["fiat_minor"])
        hit = await conn.changed(
            "UPDATE satoshimachine.dca_payments SET status = 'cancelled', error_message = :reason,"
            " updated_us = :now WHERE id = :id AND status = 'failed'",
            {"reason": reason, "now": now_us, "id": share_id},
        )
        ensure(hit == 1, "the share changed under our lock")
        await conn.execute(
            "UPDATE satoshimachine.lamassu_transactions SET failed_sats = failed_sats - :sats,"
            " operator_remainder_sats = operator_remainder_sats + :sats,"
            " drawn_minor = drawn_minor - :fiat WHERE id = :id",
            {"sats": sats, "fiat": fiat, "id": share["cash_out_id"]},
        )
        await ledger.post(
            conn,
            "share_cancelled",
            _cancel_entries(share),
            now_us=now_us,
            cash_out_id=share["cash_out_id"],
        )
        await receivables.give_back(conn, share, now_us)
        await record(
            conn,
            "share_cancelled",
            share["cash_out_id"],
            {"share": share["leg_key"], "sats": sats, "fiat_minor": fiat, "reason": reason},
            actor=actor,
            now_us=now_us,
            before={"status": ShareState.FAILED.value},
            after={"status": ShareState.CANCELLED.value},
        )
        await show_owed(conn, share["client_id"], share["error_message"] or "")
        return await _share(conn, share_id)

    return work


def _cancel_entries(share: Row) -> list[Entry]:
    """The sats go from owed to the operator, the fiat back to the client."""
    key, client_id, currency = share["leg_key"], share["client_id"], share["currency"]
    sats, fiat = int(share["amount_sats"]), int(share["fiat_minor"])
    return [
        Entry(ledger.owed_account(client_id), ledger.SAT, -sats, key, client_id),
        Entry(ledger.OPERATOR, ledger.SAT, sats, key),
        Entry(ledger.client_account(client_id), currency, fiat, key, client_id),
        Entry(ledger.DISPENSED, currency, -fiat, key),
    ]


async def failed_share_ids(limit: int = RETRIES_PER_TICK_MAX) -> list[str]:
    """Failed shares, those tried longest ago first."""
    rows = await crud.fetch_rows(
        "SELECT id FROM satoshimachine.dca_payments"
        " WHERE status = 'failed' AND origin = 'observed' ORDER BY updated_us, id LIMIT :limit",
        {"limit": limit},
    )
    return [str(row["id"]) for row in rows]


async def failed_commission_ids(limit: int = RETRIES_PER_TICK_MAX) -> list[str]:
    """Cash-outs whose commission still lies in the source wallet."""
    rows = await crud.fetch_rows(
        "SELECT id FROM satoshimachine.lamassu_transactions WHERE commission_status = 'failed'"
        " AND status = 'completed' ORDER BY confirmed_at_us, id LIMIT :limit",
        {"limit": limit},
    )
    return [str(row["id"]) for row in rows]


async def failed_share(conn: BooksConnection, share_id: str) -> Row:
    """The share if it is failed. Raises NotFound or StateConflict."""
    share = await _share(conn, share_id)
    if share["status"] != ShareState.FAILED.value or share["origin"] != "observed":
        raise StateConflict(f"This share is {share['status']}, not failed")
    return share


async def _share(conn: BooksConnection, share_id: str) -> Row:
    row = await conn.row(
        "SELECT * FROM satoshimachine.dca_payments WHERE id = :id", {"id": share_id}
    )
    if row is None:
        raise NotFound("There is no such share")
    return row


async def _cash_out(conn: BooksConnection, cash_out_id: str) -> Row:
    row = await conn.row(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE id = :id", {"id": cash_out_id}
    )
    if row is None or row["status"] != CashOutState.COMPLETED.value:
        raise StateConflict("This cash-out was not settled")
    return row


async def moved_leg(conn: BooksConnection, key: str) -> Leg:
    """A movement that happened."""
    row = await conn.row(
        "SELECT * FROM satoshimachine.settlement_legs WHERE leg_key = :key", {"key": key}
    )
    ensure(row is not None, "a movement is missing")
    found: Any = row
    return Leg(
        key,
        LegKind(found["kind"]),
        found["from_wallet_id"],
        found["to_wallet_id"],
        int(found["amount_sats"]),
        key.rsplit(":", 1)[-1],
    )


async def _problem(conn: BooksConnection, leg: Leg) -> str | None:
    """Why the leg's target cannot take it. Raises when the source cannot give it."""
    if wallet_rows.outgoing_blocked():
        raise OutgoingBlocked("LNbits is in incoming-only mode")
    source_id = leg.from_wallet_id or ""
    problems = await wallet_rows.wallet_problems(conn, [source_id, leg.to_wallet_id])
    if problems[source_id]:
        raise FundingUnusable(f"The source wallet cannot be used: {problems[source_id]}")
    held_msat = (await wallet_rows.balances_msat(conn, [source_id]))[source_id]
    if held_msat < leg.amount_sats * MSAT_PER_SAT:
        raise FundingShort(
            f"The source wallet holds {held_msat // MSAT_PER_SAT} sats"
            f" and {leg.amount_sats} are needed"
        )
    if problems[leg.to_wallet_id]:
        return problems[leg.to_wallet_id]
    room = (await wallet_rows.rooms_sats(conn, [leg.to_wallet_id]))[leg.to_wallet_id]
    if room is not None and leg.amount_sats > room:
        return "the payment is larger than what this wallet may receive"
    return None


async def _move(conn: BooksConnection, cash_out: Row, leg: Leg) -> str:
    now_us = clock.now_us()
    ids = await wallet_rows.write_legs(
        conn,
        [leg],
        cash_out_id=cash_out["id"],
        secret=await installation_secret(conn),
        memo=f"Bitcoin ATM sale, {leg.kind.value} paid later",
        now_us=now_us,
    )
    return ids[leg.key].payment_hash


async def _confirm_share(
    conn: BooksConnection, share: Row, wallet_id: str, payment_hash: str, actor: str
) -> None:
    now_us, sats, client_id = clock.now_us(), int(share["amount_sats"]), share["client_id"]
    hit = await conn.changed(
        "UPDATE satoshimachine.dca_payments SET status = 'confirmed', wallet_id = :wallet,"
        " payment_hash = :hash, error_message = NULL, attempts = attempts + 1, updated_us = :now"
        " WHERE id = :id AND status = 'failed'",
        {"wallet": wallet_id, "hash": payment_hash, "now": now_us, "id": share["id"]},
    )
    ensure(hit == 1, "the share changed under our lock")
    await conn.execute(
        "UPDATE satoshimachine.lamassu_transactions SET failed_sats = failed_sats - :sats,"
        " confirmed_sats = confirmed_sats + :sats WHERE id = :id",
        {"sats": sats, "id": share["cash_out_id"]},
    )
    await ledger.post(
        conn,
        "share_retried",
        [
            Entry(ledger.owed_account(client_id), ledger.SAT, -sats, share["leg_key"], client_id),
            Entry(ledger.paid_account(client_id), ledger.SAT, sats, share["leg_key"], client_id),
        ],
        now_us=now_us,
        cash_out_id=share["cash_out_id"],
    )
    await record(
        conn,
        "share_paid",
        share["cash_out_id"],
        {"share": share["leg_key"], "sats": sats, "wallet_id": wallet_id},
        actor=actor,
        now_us=now_us,
        before={"status": ShareState.FAILED.value, "wallet_id": share["wallet_id"]},
        after={"status": ShareState.CONFIRMED.value, "wallet_id": wallet_id},
    )
    await show_owed(conn, client_id, share["error_message"] or "")


async def _confirm_commission(
    conn: BooksConnection, cash_out_id: str, leg: Leg, actor: str
) -> None:
    now_us = clock.now_us()
    hit = await conn.changed(
        "UPDATE satoshimachine.lamassu_transactions SET commission_status = 'paid',"
        " commission_wallet_id = :wallet, commission_message = NULL"
        " WHERE id = :id AND commission_status = 'failed'",
        {"wallet": leg.to_wallet_id, "id": cash_out_id},
    )
    ensure(hit == 1, "the commission changed under our lock")
    await ledger.post(
        conn,
        "commission_retried",
        [
            Entry(ledger.COMMISSION_OWED, ledger.SAT, -leg.amount_sats, leg.key),
            Entry(ledger.COMMISSION, ledger.SAT, leg.amount_sats, leg.key),
        ],
        now_us=now_us,
        cash_out_id=cash_out_id,
    )
    await resolve_alerts(conn, f"commission:{cash_out_id}", now_us)
    detail = {"wallet_id": leg.to_wallet_id, "sats": leg.amount_sats}
    await record(
        conn,
        "commission_paid",
        cash_out_id,
        detail,
        actor=actor,
        now_us=now_us,
        before={"commission_status": CommissionState.FAILED.value},
        after={"commission_status": CommissionState.PAID.value},
    )


async def _note_asked(
    conn: BooksConnection, cash_out_id: str, leg: Leg, problem: str, actor: str
) -> None:
    """A person asked for it, and it did not help; what the timer tries is not worth an entry."""
    detail = {"leg": leg.key, "message": problem}
    await record(
        conn, "retry_without_success", cash_out_id, detail, actor=actor, now_us=clock.now_us()
    )


async def _note_share(conn: BooksConnection, share_id: str, problem: str) -> None:
    await conn.execute(
        "UPDATE satoshimachine.dca_payments SET error_message = :problem,"
        " attempts = attempts + 1, updated_us = :now WHERE id = :id AND status = 'failed'",
        {"problem": problem, "now": clock.now_us(), "id": share_id},
    )
