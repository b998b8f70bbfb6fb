"""Reading the books: lookups and paged lists of clients, deposits, cash-outs and shares.

Every list has a limit, a stable order and its total; an offset past the end is an empty page of a
list that still says how long it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from lnbits.db import POSTGRES, FilterModel, Filters

from .crud import fetch_row, fetch_rows
from .database import BooksConnection, Row, db, own
from .errors import NotFound

PAGE_DEFAULT = 50
PAGE_MAX = 1000  # LNbits' own cap


@dataclass(frozen=True)
class Listing:
    """One list: its table, what it shows, and how it is ordered when nobody says."""

    table: str
    order: str
    model: type[FilterModel]


class CashOutFilters(FilterModel):
    """What cash-outs can be filtered, searched and sorted by."""

    __search_fields__: list[str] = ["lamassu_transaction_id", "machine_name", "device_id"]
    __sort_fields__: list[str] | None = [
        "confirmed_at_us",
        "processed_us",
        "observed_us",
        "status",
        "total_sats",
        "fiat_minor",
    ]
    id: str | None
    lamassu_transaction_id: str | None
    status: str | None
    hold_code: str | None
    crypto_code: str | None
    fiat_code: str | None
    device_id: str | None
    machine_name: str | None
    commission_status: str | None
    origin: str | None
    confirmed_at_us: int
    processed_us: int
    observed_us: int
    total_sats: int
    fiat_minor: int
    failed_sats: int


class ShareFilters(FilterModel):
    """What shares can be filtered, searched and sorted by."""

    __search_fields__: list[str] = ["lamassu_transaction_id", "payment_hash", "client_id"]
    __sort_fields__: list[str] | None = [
        "cash_out_us",
        "amount_sats",
        "fiat_minor",
        "status",
        "updated_us",
    ]
    id: str | None
    client_id: str | None
    cash_out_id: str | None
    lamassu_transaction_id: str | None
    status: str | None
    currency: str | None
    payment_hash: str | None
    origin: str | None
    cash_out_us: int
    amount_sats: int
    fiat_minor: int
    updated_us: int


class DepositFilters(FilterModel):
    """What deposits can be filtered, searched and sorted by."""

    __search_fields__: list[str] = ["notes", "client_id"]
    __sort_fields__: list[str] | None = ["created_at", "amount_minor", "status", "effective_us"]
    id: str | None
    client_id: str | None
    status: str | None
    currency: str | None
    amount_minor: int
    created_at: datetime | None
    effective_us: int


class ClientFilters(FilterModel):
    """What clients can be filtered, searched and sorted by."""

    __search_fields__: list[str] = ["username", "user_id", "wallet_id", "id"]
    __sort_fields__: list[str] | None = ["username", "created_at", "status", "dca_mode"]
    id: str | None
    user_id: str | None
    wallet_id: str | None
    username: str | None
    dca_mode: str | None
    status: str | None
    created_at: datetime | None


class PollFilters(FilterModel):
    """What polls can be filtered and sorted by."""

    __sort_fields__: list[str] | None = ["started_us"]
    id: str | None
    result: str | None
    cause: str | None
    started_us: int


CASH_OUTS = Listing("lamassu_transactions", "confirmed_at_us DESC NULLS LAST", CashOutFilters)
SHARES = Listing("dca_payments", "cash_out_us DESC", ShareFilters)
DEPOSITS = Listing("dca_deposits", "created_at DESC", DepositFilters)
CLIENTS = Listing("dca_clients", "created_at DESC", ClientFilters)
POLLS = Listing("polls", "started_us DESC", PollFilters)


async def page(
    listing: Listing, filters: Filters[Any], where: Mapping[str, Any] | None = None
) -> tuple[list[Row], int]:
    """One page of a list and the list's length. `where`: column -> value, fixed by the caller."""
    fixed = [f"{name} = :fixed_{name}" for name in where or {}]
    clause = filters.where(fixed)
    values = filters.values({f"fixed_{name}": value for name, value in (where or {}).items()})
    if db.type == POSTGRES and "search" in values:
        values["search"] = values["search"].replace("\\", "\\\\")  # its LIKE escapes by it
    bound = {name: _bound(value) for name, value in values.items()}
    order = listing.order
    if filters.sortby:
        order = f"{filters.sortby} {'desc' if filters.direction == 'desc' else 'asc'}"
    limit = max(1, min(filters.limit or PAGE_DEFAULT, PAGE_MAX))
    offset = max(0, filters.offset or 0)
    table = f"satoshimachine.{listing.table}"
    query = f"SELECT * FROM {table} {clause} ORDER BY {order}, id LIMIT {limit} OFFSET {offset}"

    async def work(conn: BooksConnection) -> tuple[list[Row], int]:
        rows = await fetch_rows(query, bound, conn)
        count = await fetch_row(f"SELECT COUNT(*) AS n FROM {table} {clause}", bound, conn)
        return rows, int(count["n"]) if count else 0

    return await own(work)


def _bound(value: Any) -> Any:
    """A filter's value as LNbits' clause for it expects it: instants as seconds since 1970."""
    if isinstance(value, datetime):
        return value.timestamp() if db.type == POSTGRES else int(value.timestamp())
    return value


async def get_client(client_id: str) -> Row:
    """Raises NotFound."""
    return await _one("dca_clients", client_id, "There is no such client")


async def get_deposit(deposit_id: str) -> Row:
    """Raises NotFound."""
    return await _one("dca_deposits", deposit_id, "There is no such deposit")


async def get_share(share_id: str) -> Row:
    """Raises NotFound."""
    return await _one("dca_payments", share_id, "There is no such share")


async def get_cash_out(cash_out_id: str) -> Row:
    """Raises NotFound."""
    return await _one("lamassu_transactions", cash_out_id, "There is no such cash-out")


async def find_cash_out(lamassu_id: str) -> Row | None:
    """The cash-out stored for this Lamassu id, or None."""
    return await fetch_row(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE lamassu_transaction_id = :id",
        {"id": lamassu_id},
    )


async def _one(table: str, row_id: str, missing: str) -> Row:
    row = await fetch_row(f"SELECT * FROM satoshimachine.{table} WHERE id = :id", {"id": row_id})
    if row is None:
        raise NotFound(missing)
    return row


async def count_shares(cash_out_id: str) -> int:
    """How many shares a cash-out has."""
    row = await fetch_row(
        "SELECT COUNT(*) AS n FROM satoshimachine.dca_payments WHERE cash_out_id = :id",
        {"id": cash_out_id},
    )
    return int(row["n"]) if row else 0


async def shares_of(cash_out_id: str) -> list[Row]:
    """All shares of a cash-out: as many as there were clients, at most PAGE_MAX."""
    return await fetch_rows(
        "SELECT s.*, c.username FROM satoshimachine.dca_payments s"
        " LEFT JOIN satoshimachine.dca_clients c ON c.id = s.client_id"
        f" WHERE s.cash_out_id = :id ORDER BY s.amount_sats DESC, s.client_id LIMIT {PAGE_MAX}",
        {"id": cash_out_id},
    )


async def events_of(subject: str) -> list[Row]:
    """What happened to a cash-out, client or deposit, oldest first."""
    return await fetch_rows(
        "SELECT * FROM satoshimachine.audit_log WHERE subject = :subject"
        f" ORDER BY seq LIMIT {PAGE_MAX}",
        {"subject": subject},
    )


async def ledger_sums(account: str) -> list[Row]:
    """Per unit of an account: what was credited in all, and what it holds."""
    return await fetch_rows(
        """
        SELECT b.unit, b.balance,
            (SELECT COALESCE(SUM(e.amount), 0) FROM satoshimachine.ledger_entries e
             WHERE e.account = b.account AND e.unit = b.unit
               AND e.posting IN ('deposit_confirmed', 'takeover') AND e.amount > 0) AS credited
        FROM satoshimachine.ledger_balances b WHERE b.account = :account ORDER BY b.unit LIMIT 200
        """,
        {"account": account},
    )


async def balances_of(accounts: list[str]) -> dict[str, list[Row]]:
    """Account -> its balances, for at most a page of accounts."""
    if not accounts:
        return {}
    named = {f"v{i}": account for i, account in enumerate(accounts[:PAGE_MAX])}
    marks = ", ".join(f":{name}" for name in named)
    rows = await fetch_rows(
        "SELECT account, unit, balance FROM satoshimachine.ledger_balances"
        f" WHERE account IN ({marks}) ORDER BY unit",
        named,
    )
    found: dict[str, list[Row]] = {account: [] for account in accounts}
    for row in rows:
        found[row["account"]].append(row)
    return found


async def newest_price(currency: str) -> Fraction | None:
    """Minor units per sat of the newest settled cash-out in this currency, or None."""
    row = await fetch_row(
        "SELECT fiat_minor, base_sats FROM satoshimachine.lamassu_transactions"
        " WHERE status = 'completed' AND fiat_code = :currency AND base_sats > 0 AND fiat_minor > 0"
        " ORDER BY confirmed_at_us DESC LIMIT 1",
        {"currency": currency},
    )
    return Fraction(int(row["fiat_minor"]), int(row["base_sats"])) if row else None


async def counts_by_status() -> dict[str, int]:
    """How many cash-outs are in each state."""
    rows = await fetch_rows(
        "SELECT status, COUNT(*) AS n FROM satoshimachine.lamassu_transactions GROUP BY status"
    )
    return {str(row["status"]): int(row["n"]) for row in rows}


async def failed_shares() -> tuple[int, int]:
    """(shares, sats) that wait in the source wallet."""
    row = await fetch_row(
        "SELECT COUNT(*) AS n, COALESCE(SUM(amount_sats), 0) AS sats"
        " FROM satoshimachine.dca_payments WHERE status = 'failed' AND origin = 'observed'"
    )
    return (int(row["n"]), int(row["sats"])) if row else (0, 0)


async def pending_deposits() -> int:
    """Deposits that nobody confirmed yet."""
    row = await fetch_row(
        "SELECT COUNT(*) AS n FROM satoshimachine.dca_deposits WHERE status = 'pending'"
    )
    return int(row["n"]) if row else 0
