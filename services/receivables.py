"""What clients were paid too much and still owe: entries with before and after, never below zero.

The claim is no balance of the ledger: no sat moves when it is made. Each sat that is withheld is
the operator's by the plan of its cash-out (domain/receivable.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..database import BooksConnection, Row
from ..domain.plan import LegKind, Plan, leg_key
from ..errors import ensure

CLAIMED, WITHHELD, GIVEN_BACK, WRITTEN_OFF = "claimed", "withheld", "given_back", "written_off"


@dataclass(frozen=True)
class Change:
    """What one entry did."""

    before_sats: int
    after_sats: int
    pace_percent: int


async def owed(conn: BooksConnection, client_id: str) -> Row | None:
    """What a client owes and at which pace, or None who never owed."""
    return await conn.row(
        "SELECT * FROM satoshimachine.receivables WHERE client_id = :client", {"client": client_id}
    )


async def change(
    conn: BooksConnection,
    client_id: str,
    kind: str,
    amount_sats: int,
    *,
    now_us: int,
    pace_percent: int | None = None,
    share_key: str | None = None,
    correction_id: str | None = None,
) -> Change:
    """Append an entry and move what is owed with it. Raises InvariantViolation below zero."""
    known = await owed(conn, client_id)
    before = int(known["owed_sats"]) if known else 0
    number = int(known["last_number"]) + 1 if known else 1
    pace = pace_percent or (int(known["pace_percent"]) if known else 100)
    after = before + amount_sats
    ensure(after >= 0, "more would be withheld than is owed", client=client_id)
    await conn.insert_rows(
        "satoshimachine.receivable_entries",
        [
            {
                "client_id": client_id,
                "number": number,
                "kind": kind,
                "amount_sats": amount_sats,
                "balance_before": before,
                "balance_after": after,
                "pace_percent": pace,
                "share_key": share_key,
                "correction_id": correction_id,
                "created_us": now_us,
            }
        ],
    )
    row = {"client_id": client_id, "owed_sats": after, "pace_percent": pace, "last_number": number}
    await conn.insert_rows(
        "satoshimachine.receivables",
        [row],
        on_conflict="ON CONFLICT (client_id) DO UPDATE SET owed_sats = excluded.owed_sats,"
        " pace_percent = excluded.pace_percent, last_number = excluded.last_number",
    )
    return Change(before, after, pace)


async def withhold(conn: BooksConnection, plan: Plan, now_us: int) -> None:
    """What a plan keeps of its shares."""
    for share in plan.shares:
        if share.withheld_sats:
            key = leg_key(plan.given.lamassu_transaction_id, LegKind.SHARE, share.client_id)
            kept = -share.withheld_sats
            await change(conn, share.client_id, WITHHELD, kept, now_us=now_us, share_key=key)


async def give_back(conn: BooksConnection, share: Row, now_us: int) -> None:
    """A cancelled share was never delivered: what was kept of it is owed again."""
    sats = int(share["withheld_sats"] or 0)
    if sats:
        key = str(share["leg_key"])
        await change(conn, share["client_id"], GIVEN_BACK, sats, now_us=now_us, share_key=key)
