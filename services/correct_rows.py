"""Corrections that put a row back as it was: a share of ours, a movement's rows in LNbits.

Somebody changed or deleted it past the product. What it was is known to the sat: from the plan, the
movement, and the ids that derive from its key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lnbits.helpers import urlsafe_short_hash

from .. import clock
from ..adapters import ledger, wallet_rows
from ..database import BooksConnection, Row, stored_time
from ..domain.money import MSAT_PER_SAT, whole_from_minor
from ..domain.plan import Leg, LegKind, leg_key
from ..domain.states import ShareState
from ..errors import NotFound, StateConflict
from . import effects
from .corrections import Correction, need, write
from .effects import Effect
from .retry import moved_leg
from .secret import installation_secret

# What of a wallet row is money or identity; its memo and time are for people.
ROW_FACTS = ("wallet_id", "amount", "fee", "status", "payment_hash", "preimage")


async def put_share_back(
    conn: BooksConnection, one: Correction, client: Row, cash_out: Row
) -> Effect | None:
    """Our row of a share that was planned and paid; None when that is not what is missing."""
    key = leg_key(cash_out["lamassu_transaction_id"], LegKind.SHARE, client["id"])
    known = await conn.row(
        "SELECT id FROM satoshimachine.dca_payments WHERE leg_key = :key", {"key": key}
    )
    if known is not None:
        raise StateConflict(
            "This client has a share of this cash-out",
            hint="Retry it if it failed; give more as compensation.",
        )
    plan = json.loads(cash_out["plan_json"] or "{}")
    planned = {share["client_id"]: share for share in plan.get("shares", ())}.get(client["id"])
    if planned is None:
        return None
    moved = await conn.row(
        "SELECT * FROM satoshimachine.settlement_legs WHERE leg_key = :key", {"key": key}
    )
    if moved is None and planned["state"] == ShareState.CONFIRMED.value:
        raise StateConflict(
            "The plan has paid this share, and its movement is missing, too",
            hint="A database was changed or put back: compare it with a backup first.",
        )
    state = await _state_of(conn, key, str(client["id"]), moved)
    row = _share_row(cash_out, planned, key, moved, state)
    await conn.insert_rows("satoshimachine.dca_payments", [row])
    effect = Effect(done=True)
    effect.change("share_row", None, int(planned["sats"]), client_id=client["id"], of=key)
    effect.remark("row_put_back", "Only its row is missing: it is put back, no sat moves.")
    effect.cash_outs.append(effects.show_row(cash_out, effects.OTHER))
    await write(
        conn,
        one,
        before={"row": None},
        after={"row": key, "sats": int(planned["sats"])},
        client_id=client["id"],
        cash_out_id=cash_out["id"],
    )
    return effect


async def _state_of(
    conn: BooksConnection, key: str, client_id: str, moved: Row | None
) -> ShareState:
    """What the movement and the ledger say became of this share."""
    if moved is not None:
        return ShareState.CONFIRMED
    row = await conn.row(
        "SELECT COALESCE(SUM(amount), 0) AS sats FROM satoshimachine.ledger_entries"
        " WHERE account = :account AND unit = :unit AND reference = :key",
        {"account": ledger.owed_account(client_id), "unit": ledger.SAT, "key": key},
    )
    return ShareState.FAILED if row and int(row["sats"]) else ShareState.CANCELLED


def _share_row(
    cash_out: Row, planned: dict[str, Any], key: str, moved: Row | None, state: ShareState
) -> dict[str, Any]:
    """The row as the settlement wrote it, or as a later retry left it."""
    currency, fiat = str(cash_out["fiat_code"]), int(planned["fiat_minor"])
    whole, sats = whole_from_minor(fiat, currency), int(planned["sats"])
    withheld = int(planned.get("withheld_sats") or 0)
    sold_us = int(cash_out["confirmed_at_us"] or cash_out["created_us"] or 0)
    return {
        "id": urlsafe_short_hash(),
        "client_id": planned["client_id"],
        "amount_sats": sats,
        "amount_fiat": whole.numerator / whole.denominator,
        "exchange_rate": (sats + withheld) * whole.denominator / whole.numerator,
        "transaction_type": planned["mode"],
        "lamassu_transaction_id": cash_out["lamassu_transaction_id"],
        "payment_hash": moved["payment_hash"] if moved is not None else None,
        "status": state.value,
        "created_at": stored_time(int(cash_out["processed_us"] or clock.now_us())),
        "transaction_time": stored_time(sold_us),
        "leg_key": key,
        "cash_out_id": cash_out["id"],
        "wallet_id": moved["to_wallet_id"] if moved is not None else planned["wallet_id"],
        "currency": currency,
        "fiat_minor": fiat,
        "cash_out_us": sold_us,
        "error_message": None if moved is not None else planned["problem"],
        "attempts": 1,
        "updated_us": clock.now_us(),
        "withheld_sats": withheld or None,
    }


@dataclass(frozen=True)
class Movement:
    """A movement with what its wallet rows are made of."""

    leg: Leg
    cash_out_id: str | None
    moved_us: int


async def restore_wallet_row(conn: BooksConnection, one: Correction) -> Effect:
    """A movement's rows in LNbits' payments, as they were: same checking id, hash and amount."""
    key = need(one.request.leg_key, "leg_key")
    found = await _movement(conn, key)
    secret = await installation_secret(conn)
    wanted = wallet_rows.rows_of(found.leg, secret, "Bitcoin ATM sale", found.moved_us)
    effect = Effect()
    for row in wanted:
        await _put_back(conn, effect, row)
    if not effect.done:
        raise StateConflict("Both rows of this movement are as they should be")
    await write(
        conn,
        one,
        before={change["of"]: change["before"] for change in effect.changes},
        after={change["of"]: change["after"] for change in effect.changes},
        cash_out_id=found.cash_out_id,
        client_id=found.leg.client_id if found.leg.kind is not LegKind.COMMISSION else None,
    )
    return effect


async def _movement(conn: BooksConnection, key: str) -> Movement:
    row = await conn.row(
        "SELECT * FROM satoshimachine.settlement_legs WHERE leg_key = :key", {"key": key}
    )
    if row is not None:
        leg = await moved_leg(conn, key)
        if leg.kind is not LegKind.SHARE:
            leg = Leg(key, leg.kind, leg.from_wallet_id, leg.to_wallet_id, leg.amount_sats)
        return Movement(leg, row["cash_out_id"], int(row["moved_us"]))
    row = await conn.row(
        "SELECT l.*, c.client_id, c.cash_out_id FROM satoshimachine.correction_legs l"
        " JOIN satoshimachine.corrections c ON c.id = l.correction_id WHERE l.leg_key = :key",
        {"key": key},
    )
    if row is None:
        raise NotFound("There is no such movement")
    leg = Leg(
        key,
        LegKind.CORRECTION,
        row["from_wallet_id"],
        row["to_wallet_id"],
        int(row["amount_sats"]),
        row["client_id"],
    )
    return Movement(leg, row["cash_out_id"], int(row["moved_us"]))


async def _put_back(conn: BooksConnection, effect: Effect, row: dict[str, Any]) -> None:
    """One side of the movement: nothing when it is right, else written as it was."""
    name = str(row["checking_id"])
    found = await conn.rows(
        f"SELECT {', '.join(ROW_FACTS)} FROM apipayments WHERE checking_id = :id LIMIT 2",
        {"id": name},
    )
    if len(found) > 1:
        raise StateConflict(
            "A row of this movement is in two wallets",
            hint="Somebody copied it there by SQL; take the copy away the same way.",
        )
    if not found:
        await conn.insert_rows("apipayments", [row])
        before = None
    else:
        facts = {column: row[column] for column in ROW_FACTS}
        if all(found[0][column] == value for column, value in facts.items()):
            return
        changes = ", ".join(f"{column} = :{column}" for column in facts)
        await conn.execute(
            f"UPDATE apipayments SET {changes} WHERE checking_id = :id", {**facts, "id": name}
        )
        before = _told(found[0])
    effect.done = True
    effect.change("wallet_row", before, _told(row), of=name)


def _told(row: Any) -> str:
    sats = int(row["amount"]) // MSAT_PER_SAT
    return f"{sats} sats in wallet {row['wallet_id']}, {row['status']}"
