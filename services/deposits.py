"""Deposits: cash that clients brought. Pending until a person counted it, final once confirmed."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from lnbits.helpers import urlsafe_short_hash

from .. import books, clock, crud
from ..adapters import ledger
from ..adapters.audit import record
from ..adapters.ledger import Entry
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row, stored_time
from ..domain.days import instant_us
from ..domain.money import CURRENCY_EXPONENT, minor_from_whole
from ..domain.states import DepositState
from ..errors import BadInput, StateConflict
from ..listing import stored_us
from ..models import CreateDeposit, UpdateDepositStatus

# Cash that nobody counted for two days is forgotten cash (SAT-49).
OVERDUE_US = 48 * 3600 * 1_000_000


def is_overdue(deposit: Row) -> bool:
    """Has this deposit been pending for too long?"""
    written_us = stored_us(deposit["created_at"])
    pending = deposit["status"] == DepositState.PENDING.value
    return pending and written_us is not None and clock.now_us() - written_us > OVERDUE_US


async def create_deposit(data: CreateDeposit, actor: str) -> Row:
    """Write down cash as pending. Raises NotFound for the client, BadInput for the amount."""
    await books.get_client(data.client_id)
    currency = data.currency or (await crud.get_settings()).currency
    amount_minor = minor_from_whole(Fraction(data.amount), currency)
    if amount_minor is None:
        decimals = CURRENCY_EXPONENT[currency]
        raise BadInput(
            f"{currency} has {decimals} decimals and the amount has more",
            hint="Enter the amount as it can be paid in cash.",
        )
    deposit_id, now_us = urlsafe_short_hash(), clock.now_us()

    async def work(conn: BooksConnection) -> None:
        row = {
            "id": deposit_id,
            "client_id": data.client_id,
            "amount": float(data.amount),
            "currency": currency,
            "status": DepositState.PENDING.value,
            "notes": data.notes,
            "created_at": stored_time(now_us),
            "amount_minor": amount_minor,
        }
        await conn.insert_rows("satoshimachine.dca_deposits", [row])
        await record(conn, "deposit_created", deposit_id, {}, actor=actor, now_us=now_us, after=row)

    await settlement(work)
    return await books.get_deposit(deposit_id)


async def decide_deposit(deposit_id: str, data: UpdateDepositStatus, actor: str) -> Row:
    """Confirm or cancel a pending deposit, once.

    Confirming credits the client's balance by a ledger entry in the same commit. Raises NotFound,
    BadInput, or StateConflict when it was decided before: a confirmed deposit is never edited.
    """
    await books.get_deposit(deposit_id)
    if data.status is DepositState.PENDING:
        raise BadInput(
            "A deposit cannot go back to pending", hint="Confirm or cancel a pending deposit."
        )
    now_us = clock.now_us()
    effective_us = _effective_us(data.effective_at, now_us)
    confirming = data.status is DepositState.CONFIRMED

    async def work(conn: BooksConnection) -> None:
        hit = await conn.changed(
            "UPDATE satoshimachine.dca_deposits SET status = :status, decided_us = :now,"
            " decided_by = :actor, confirmed_at = :confirmed_at, effective_us = :effective_us,"
            " notes = COALESCE(:notes, notes) WHERE id = :id AND status = 'pending'",
            {
                "status": data.status.value,
                "now": now_us,
                "actor": actor,
                "confirmed_at": stored_time(now_us) if confirming else None,
                "effective_us": effective_us if confirming else None,
                "notes": data.notes,
                "id": deposit_id,
            },
        )
        if hit != 1:
            raise StateConflict(
                "This deposit was confirmed or cancelled before",
                hint="A decided deposit stays as it is; a mistake is mended by a correction.",
            )
        deposit = await conn.row(
            "SELECT * FROM satoshimachine.dca_deposits WHERE id = :id", {"id": deposit_id}
        )
        if confirming and deposit is not None:
            await _credit(conn, deposit, now_us)
        await record(
            conn,
            f"deposit_{data.status.value}",
            deposit_id,
            {"effective_us": effective_us if confirming else None, "notes": data.notes},
            actor=actor,
            now_us=now_us,
            before={"status": DepositState.PENDING.value},
            after={"status": data.status.value},
        )

    await settlement(work)
    return await books.get_deposit(deposit_id)


async def _credit(conn: BooksConnection, deposit: Row, now_us: int) -> None:
    amount, client_id = int(deposit["amount_minor"]), str(deposit["client_id"])
    account = ledger.client_account(client_id)
    await ledger.post(
        conn,
        "deposit_confirmed",
        [
            Entry(ledger.DEPOSITS, deposit["currency"], -amount, deposit["id"], client_id),
            Entry(account, deposit["currency"], amount, deposit["id"], client_id),
        ],
        now_us=now_us,
    )


def _effective_us(stated: datetime | None, now_us: int) -> int:
    """From when the cash counts: now, or earlier when it lay in the machine before."""
    if stated is None:
        return now_us
    if instant_us(stated) > now_us:
        raise BadInput(
            "The cash cannot count from a moment in the future", hint="Choose a moment up to now."
        )
    return instant_us(stated)
