"""Corrections of what clients have and owe: fiat balances, claims for what was paid too much.

No sat moves here.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from .. import clock, crud
from ..adapters import ledger
from ..adapters.ledger import Entry
from ..database import BooksConnection
from ..domain.days import instant_us
from ..domain.money import CURRENCY_EXPONENT, decimal_text, minor_from_whole
from ..errors import BadInput, StateConflict
from . import receivables
from .corrections import Correction, client_row, need, write
from .effects import Effect


async def adjust_balance(conn: BooksConnection, one: Correction) -> Effect:
    """A client's fiat balance up or down, counted from a moment on as a deposit is."""
    client_id = need(one.request.client_id, "client_id")
    await client_row(conn, client_id)
    currency = one.request.currency or (await crud.get_settings(conn)).currency
    amount = minor_of(need(one.request.amount, "amount"), currency)
    if amount == 0:
        raise BadInput("The amount is 0", hint="Enter what the balance changes by.")
    now_us = clock.now_us()
    effective_us = instant_us(one.request.effective_at) if one.request.effective_at else now_us
    if effective_us > now_us:
        raise BadInput(
            "A balance cannot count from a moment in the future", hint="Choose a moment up to now."
        )
    account = ledger.client_account(client_id)
    before = await balance(conn, account, currency)
    if before + amount < 0:
        raise StateConflict(
            f"The client has {decimal_text(before, currency)} {currency} left, and no balance falls"
            " below zero",
            hint="Take at most that; sats that were paid too much are recovered from later shares.",
        )
    await ledger.post(
        conn,
        "balance_adjusted",
        [
            Entry(ledger.DEPOSITS, currency, -amount, one.id, client_id),
            Entry(account, currency, amount, one.id, client_id),
        ],
        now_us=now_us,
    )
    texts = [decimal_text(minor, currency) for minor in (before, before + amount)]
    await write(
        conn,
        one,
        before={"balance": texts[0], "currency": currency},
        after={"balance": texts[1], "currency": currency},
        client_id=client_id,
        currency=currency,
        amount_minor=amount,
        effective_us=effective_us,
    )
    effect = Effect(done=True)
    effect.change("balance", texts[0], texts[1], unit=currency, client_id=client_id)
    return effect


def minor_of(whole: Decimal, currency: str) -> int:
    """Whole units in minor ones, exactly. Raises BadInput for more decimals than there are."""
    amount = minor_from_whole(Fraction(whole), currency)
    if amount is None:
        decimals = CURRENCY_EXPONENT[currency]
        raise BadInput(
            f"{currency} has {decimals} decimals and the amount has more",
            hint="Enter the amount as it can be paid in cash.",
        )
    return amount


async def balance(conn: BooksConnection, account: str, unit: str) -> int:
    """What an account of the ledger holds."""
    row = await conn.row(
        "SELECT balance FROM satoshimachine.ledger_balances WHERE account = :a AND unit = :u",
        {"a": account, "u": unit},
    )
    return int(row["balance"]) if row else 0


async def recover_overpayment(conn: BooksConnection, one: Correction) -> Effect:
    """Claim sats back from a client: so many percent of each later share are kept."""
    client_id = need(one.request.client_id, "client_id")
    await client_row(conn, client_id)
    sats, pace = need(one.request.sats, "sats"), need(one.request.pace_percent, "pace_percent")
    effect = await _claim(conn, one, client_id, receivables.CLAIMED, sats, pace)
    effect.remark(
        "recovered_from_shares",
        f"{pace} % of each later share are kept until it is paid back; at least 1 sat moves.",
        pace=pace,
    )
    return effect


async def write_off(conn: BooksConnection, one: Correction) -> Effect:
    """Give up a claim, or a part of it."""
    client_id = need(one.request.client_id, "client_id")
    known = await receivables.owed(conn, client_id)
    owed = int(known["owed_sats"]) if known else 0
    sats = owed if one.request.sats is None else one.request.sats
    if not 0 < sats <= owed:
        raise StateConflict(
            f"This client owes {owed} sats",
            hint="Nothing is left to write off." if not owed else f"Write off at most {owed} sats.",
        )
    return await _claim(conn, one, client_id, receivables.WRITTEN_OFF, -sats, None)


async def _claim(
    conn: BooksConnection,
    one: Correction,
    client_id: str,
    kind: str,
    amount_sats: int,
    pace: int | None,
) -> Effect:
    changed = await receivables.change(
        conn,
        client_id,
        kind,
        amount_sats,
        now_us=clock.now_us(),
        pace_percent=pace,
        correction_id=one.id,
    )
    await write(
        conn,
        one,
        before={"owed_sats": changed.before_sats},
        after={"owed_sats": changed.after_sats, "pace_percent": changed.pace_percent},
        client_id=client_id,
        sats=abs(amount_sats),
        pace_percent=changed.pace_percent,
    )
    effect = Effect(done=True)
    effect.change("owed", changed.before_sats, changed.after_sats, client_id=client_id)
    return effect
