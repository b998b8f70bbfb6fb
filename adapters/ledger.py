"""Postings: double entries whose sum per unit is zero, each with its balance before and after.

Accounts, in sats: `sold` (where customers' sats come from, the only negative one), `paid:<client>`,
`owed:<client>` (failed shares, still in the source wallet), `operator` (base that no deposit
covers), `commission`, `commission_owed`. In a currency's minor units: `deposits` (where cash comes
from), `client:<id>` (what a client may still be charged), `dispensed` (what was charged),
`overpaid:<id>` (what an earlier extension charged beyond a client's balance).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..database import BooksConnection
from ..errors import ensure
from . import marker

SAT = "sat"
SOLD = "sold"
OPERATOR = "operator"
COMMISSION = "commission"
COMMISSION_OWED = "commission_owed"
DEPOSITS = "deposits"
DISPENSED = "dispensed"

LAST_ENTRY = ("", "")  # no account: stands for the whole ledger in `_balances`


def client_account(client_id: str) -> str:
    """What a client may still be charged, in a currency's minor units."""
    return f"client:{client_id}"


def paid_account(client_id: str) -> str:
    """Sats that reached a client's wallet."""
    return f"paid:{client_id}"


def owed_account(client_id: str) -> str:
    """Sats of a client's failed shares, still in the source wallet."""
    return f"owed:{client_id}"


def overpaid_account(client_id: str) -> str:
    """Fiat that was charged beyond a client's balance before this extension took over."""
    return f"overpaid:{client_id}"


@dataclass(frozen=True)
class Entry:
    """One side of a posting. `unit` is 'sat' or a currency, `amount` its sats or minor units."""

    account: str
    unit: str
    amount: int
    reference: str
    client_id: str | None = None


async def post(
    conn: BooksConnection,
    posting: str,
    entries: Sequence[Entry],
    *,
    now_us: int,
    cash_out_id: str | None = None,
) -> None:
    """Append entries that belong together and move the balances with them.

    Raises InvariantViolation when they do not sum to zero per unit or a balance would fall below
    zero; the database's CHECK says the same a second time.
    """
    entries = [entry for entry in entries if entry.amount != 0]
    if not entries:
        return
    sums: dict[str, int] = defaultdict(int)
    for entry in entries:
        sums[entry.unit] += entry.amount
    ensure(not any(sums.values()), "a posting does not sum to zero", posting=posting)

    balances = await _balances(conn, sorted({entry.account for entry in entries}))
    seq = balances.pop(LAST_ENTRY)[1]
    rows: list[dict[str, Any]] = []
    touched: dict[tuple[str, str], tuple[int, int]] = {}
    for entry in entries:
        key = (entry.account, entry.unit)
        before = touched.get(key, balances.get(key, (0, 0)))[0]
        after, seq = before + entry.amount, seq + 1
        ensure(
            after >= 0 or entry.account in (SOLD, DEPOSITS),
            f"account {entry.account} would fall below zero",
            posting=posting,
        )
        touched[key] = (after, seq)
        rows.append(
            {
                "seq": seq,
                "posting": posting,
                **vars(entry),
                "balance_before": before,
                "balance_after": after,
                "cash_out_id": cash_out_id,
                "created_us": now_us,
            }
        )
    await conn.insert_rows("satoshimachine.ledger_entries", rows)
    await conn.insert_rows(
        "satoshimachine.ledger_balances",
        [
            {"account": account, "unit": unit, "balance": balance, "last_seq": last_seq}
            for (account, unit), (balance, last_seq) in touched.items()
        ],
        on_conflict="ON CONFLICT (account, unit) DO UPDATE"
        " SET balance = excluded.balance, last_seq = excluded.last_seq",
    )
    conn.after_commit.append(partial(marker.advance, seq))


async def _balances(
    conn: BooksConnection, accounts: Sequence[str]
) -> dict[tuple[str, str], tuple[int, int]]:
    """(account, unit) -> (balance, its last entry), and the ledger's own last one, in one query."""
    found = await conn.rows_in(
        "SELECT account, unit, balance, last_seq FROM satoshimachine.ledger_balances"
        " WHERE account IN ({marks}) UNION ALL"
        " SELECT '', '', 0, COALESCE(MAX(seq), 0) FROM satoshimachine.ledger_entries",
        accounts,
    )
    return {
        (row["account"], row["unit"]): (int(row["balance"]), int(row["last_seq"])) for row in found
    }
