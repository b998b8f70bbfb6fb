"""What every client has and why: opening + deposits + corrections - shares = closing (SAT-13, S1).

Three witnesses that know nothing of each other: the stored balance, the ledger's entries, and the
rows of deposits and shares. Fiat is only ever compared with fiat of the same currency (C-SAT-a),
and each table is summed by itself before the sums are laid side by side (C-SAT-b).

Read in slices of clients, each a short read of its own, so that nobody waits long for a report.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from ..adapters.ledger import SAT
from ..database import BooksConnection, Row, own
from ..domain import earlier
from .periods import Period

CLIENTS_PER_SLICE = 25
CLIENTS_MAX = 20_000  # what one answer may carry

# Postings of the ledger by what they mean for a client's fiat. One that is not named here is a
# correction, so that a new kind of it is never taken for a deposit or a share.
DEPOSIT_POSTINGS = ("deposit_confirmed",)
SHARE_POSTINGS = ("settled", "share_retried", "share_cancelled")
TAKEOVER = "takeover"


@dataclass(frozen=True)
class ClientLine:
    """One client in one currency; fiat in minor units, sats as sats.

    `stored` is what the balance says now; `later` is what was moved after the period, so that
    closing + later is what the ledger makes of it now.
    """

    client_id: str
    username: str | None
    status: str | None
    currency: str
    opening: int
    deposits: int
    corrections: int
    shares: int
    later: int
    stored: int
    by_rows: int  # what the rows of deposits and shares make of it, corrections by the ledger
    deposits_count: int
    shares_count: int
    received_sats: int
    owed_sats: int

    @property
    def closing(self) -> int:
        """At the end of the period."""
        return self.opening + self.deposits + self.corrections - self.shares

    @property
    def calculated(self) -> int:
        """What the ledger's entries make of it now."""
        return self.closing + self.later

    @property
    def discrepancy(self) -> int:
        """Stored less calculated, by the witness that is further off; 0 is right."""
        by_ledger, by_rows = self.stored - self.calculated, self.stored - self.by_rows
        return by_ledger if abs(by_ledger) >= abs(by_rows) else by_rows

    @property
    def ok(self) -> bool:
        """All witnesses agree, to the minor unit (C-SAT-i)."""
        return self.discrepancy == 0


async def read_clients(period: Period) -> list[ClientLine]:
    """A line per client and currency, the worst discrepancy first, then by name."""
    ids = await own(_everybody)
    found: list[ClientLine] = []
    for start in range(0, len(ids), CLIENTS_PER_SLICE):
        found += await _lines_of(ids[start : start + CLIENTS_PER_SLICE], period)
    return worst_first(found)


async def client_lines(client_id: str, period: Period) -> list[ClientLine]:
    """The same of one client."""
    return await _lines_of([client_id], period)


def worst_first(lines: list[ClientLine]) -> list[ClientLine]:
    """What needs a person stands at the top; the rest by name."""

    def key(line: ClientLine) -> tuple[Any, ...]:
        name = (line.username or line.client_id).casefold()
        return -abs(line.discrepancy), name, line.client_id, line.currency

    return sorted(lines, key=key)


async def _everybody(conn: BooksConnection) -> list[str]:
    """Clients that are there, and those that only the ledger knows: a client's row that was
    deleted must not hide what they have.
    """
    rows = await conn.rows(
        "SELECT id FROM satoshimachine.dca_clients UNION"
        " SELECT SUBSTR(account, 8) FROM satoshimachine.ledger_balances"
        " WHERE account LIKE 'client:%' LIMIT :most",
        {"most": CLIENTS_MAX},
    )
    return sorted(str(row["id"]) for row in rows)


async def _lines_of(ids: list[str], period: Period) -> list[ClientLine]:
    """All sums of one slice, read at one moment."""
    accounts = [f"client:{one}" for one in ids]

    async def work(conn: BooksConnection) -> list[ClientLine]:
        entries = await conn.rows_in(ENTRIES, accounts, _bounds(period))
        stored = await conn.rows_in(STORED, accounts)
        deposits = await conn.rows_in(DEPOSIT_ROWS, ids, {"earlier": earlier.DECIDED_BY})
        origin = "origin" if await conn.row(TOOK_OVER) else "'observed'"
        shares = await conn.rows_in(SHARE_ROWS.replace("{origin}", origin), ids)
        clients = await conn.rows_in(CLIENTS, ids)
        return _assemble(entries, stored, deposits, shares, clients)

    return await own(work)


def _bounds(period: Period) -> dict[str, int]:
    return {"start": period.start_us, "end": period.end_us}


CLIENTS = "SELECT id, username, status FROM satoshimachine.dca_clients WHERE id IN ({marks})"
STORED = (
    "SELECT account, unit, balance FROM satoshimachine.ledger_balances WHERE account IN ({marks})"
)
# One row a kind of entry and sign: the sign tells an earlier extension's deposits from its shares.
ENTRIES = f"""
    SELECT account, unit, posting, CASE WHEN amount > 0 THEN 1 ELSE 0 END AS up,
        SUM(CASE WHEN created_us < :start THEN amount ELSE 0 END) AS before_it,
        SUM(CASE WHEN created_us >= :start AND created_us < :end THEN amount ELSE 0 END) AS in_it,
        SUM(CASE WHEN created_us >= :end THEN amount ELSE 0 END) AS after_it
    FROM satoshimachine.ledger_entries WHERE account IN ({{marks}}) AND unit <> '{SAT}'
    GROUP BY account, unit, posting, CASE WHEN amount > 0 THEN 1 ELSE 0 END
"""
# What an earlier extension left stands in the ledger as its opening entries.
DEPOSIT_ROWS = """
    SELECT client_id, currency, COUNT(*) AS n, SUM(amount_minor) AS minor
    FROM satoshimachine.dca_deposits WHERE client_id IN ({marks}) AND status = 'confirmed'
        AND COALESCE(decided_by, '') <> :earlier
    GROUP BY client_id, currency
"""
# Where nothing was taken over all shares are our own, and an index alone holds these columns.
TOOK_OVER = (
    "SELECT row_id FROM satoshimachine.earlier_rows WHERE table_name = 'dca_payments' LIMIT 1"
)
SHARE_ROWS = """
    SELECT client_id, currency, status, origin, COUNT(*) AS n, SUM(amount_sats) AS sats,
        SUM(fiat_minor) AS minor
    FROM (SELECT client_id, currency, status, {origin} AS origin, amount_sats, fiat_minor
        FROM satoshimachine.dca_payments WHERE client_id IN ({marks})) of_them
    GROUP BY client_id, currency, status, origin
"""


class _Sums:
    """What was found of one client in one currency."""

    def __init__(self) -> None:
        self.opening = self.deposits = self.corrections = self.shares = self.later = 0
        self.stored = self.by_rows = self.deposits_count = self.shares_count = 0
        self.received_sats = self.owed_sats = 0


def _assemble(
    entries: list[Row],
    stored: list[Row],
    deposits: list[Row],
    shares: list[Row],
    clients: list[Row],
) -> list[ClientLine]:
    sums: dict[tuple[str, str], _Sums] = defaultdict(_Sums)
    for row in entries:
        _add_entries(sums[_client(row), str(row["unit"])], row)
    for row in stored:
        if row["unit"] != SAT:
            sums[_client(row), str(row["unit"])].stored = int(row["balance"])
    for row in deposits:
        one = sums[str(row["client_id"]), str(row["currency"])]
        one.deposits_count += int(row["n"])
        one.by_rows += int(row["minor"])
    for row in shares:
        _add_shares(sums[str(row["client_id"]), str(row["currency"])], row)
    known = {str(row["id"]): row for row in clients}
    return [
        ClientLine(
            client_id=client_id,
            username=known[client_id]["username"] if client_id in known else None,
            status=known[client_id]["status"] if client_id in known else None,
            currency=currency,
            **vars(one),
        )
        for (client_id, currency), one in sums.items()
    ]


def _client(row: Row) -> str:
    return str(row["account"]).removeprefix("client:")


def _add_entries(one: _Sums, row: Row) -> None:
    posting, in_it = str(row["posting"]), int(row["in_it"])
    one.opening += int(row["before_it"])
    one.later += int(row["after_it"])
    every = int(row["before_it"]) + in_it + int(row["after_it"])
    took_over = posting == TAKEOVER
    if posting in DEPOSIT_POSTINGS or (took_over and row["up"]):
        one.deposits += in_it
    elif posting in SHARE_POSTINGS or took_over:
        one.shares -= in_it
    else:
        one.corrections += in_it
    if posting not in (*DEPOSIT_POSTINGS, *SHARE_POSTINGS):
        one.by_rows += every  # only the ledger knows these


def _add_shares(one: _Sums, row: Row) -> None:
    status, ours = str(row["status"]), row["origin"] == "observed"
    if ours and status != "cancelled":
        one.by_rows -= int(row["minor"])
    if status == "confirmed":
        one.shares_count += int(row["n"])
        one.received_sats += int(row["sats"])
    elif ours and status == "failed":
        one.shares_count += int(row["n"])
        one.owed_sats += int(row["sats"])
