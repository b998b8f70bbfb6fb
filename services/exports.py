"""The files an accountant takes away: which rows they hold and what stands in each column.

Rows are read in pages by key, each page in one statement, so that a slow reader holds nothing and
what belongs together (a cash-out and its shares) is seen at one moment. The keys never change, so
no row comes twice. docs/export.md names the columns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from lnbits.db import Filters

from .. import books
from ..crud import fetch_rows
from ..database import Row
from ..listing import Clause, Listing, condition
from . import client_figures, clients
from .export_csv import Line
from .export_tables import (
    cash_out_line,
    client_lines,
    deposit_line,
    report_line,
    share_line,
)
from .list_filters import CashOutQuery, DepositQuery, cash_out_clauses, deposit_clauses

PAGE_ROWS = 500
BATCH_SHARES = 2000  # shares held at once, unless a single cash-out has more

# When Lamassu began the sale: of every row from the start, and the same for ever.
CASH_OUT_KEY = "COALESCE(t.created_us, t.confirmed_at_us, t.observed_us)"
SHARE_COLUMNS = """
    s.id AS share_id, s.client_id, s.amount_sats, s.fiat_minor AS share_minor,
    s.currency AS share_currency, s.status AS share_status, s.payment_hash, s.wallet_id,
    s.cash_out_us, s.cash_out_id AS share_cash_out_id, s.attempts AS share_attempts,
    s.error_message AS share_error, s.withheld_sats AS share_withheld,
    s.lamassu_transaction_id AS share_lamassu_id,
    (SELECT username FROM satoshimachine.dca_clients c WHERE c.id = s.client_id) AS username
"""
CASH_OUT_COLUMNS = """
    t.id, t.lamassu_transaction_id, t.status, t.hold_code, t.device_id, t.machine_name,
    t.crypto_code, t.fiat_code, t.crypto_atoms, t.fiat_minor, t.commission_percentage, t.discount,
    t.confirmed_at_us, t.created_us, t.observed_us, t.processed_us, t.effective_commission,
    t.split_rule, t.funding_mode, t.total_sats, t.base_sats, t.commission_sats,
    t.commission_status, t.drawn_minor, t.confirmed_sats, t.failed_sats,
    t.operator_remainder_sats, t.clients_count, t.operator_reason, t.origin, t.plan_hash
"""


@dataclass(frozen=True)
class Asked:
    """What a file was asked to hold: the list's own filters."""

    filters: Filters[Any]
    clauses: Sequence[Clause]
    zone: ZoneInfo
    client: str | None = None
    without_cash_outs: bool = False  # nothing is asked of the cash-outs themselves


Pages = AsyncIterator[list[Line]]


def asked_cash_outs(filters: Filters[Any], query: CashOutQuery, time_zone: str) -> Asked:
    """Raises BadInput for a value that the list refuses, too."""
    nothing_else = replace(query, client=None) == CashOutQuery()
    return Asked(
        filters,
        cash_out_clauses(query, time_zone),
        ZoneInfo(time_zone),
        query.client or None,
        nothing_else and not filters.search and not filters.filters,
    )


def asked_deposits(filters: Filters[Any], query: DepositQuery, time_zone: str) -> Asked:
    """Raises BadInput for a value that the list refuses, too."""
    return Asked(filters, deposit_clauses(query, time_zone), ZoneInfo(time_zone))


def asked_clients(filters: Filters[Any], time_zone: str) -> Asked:
    """The clients as they are filtered."""
    return Asked(filters, (), ZoneInfo(time_zone))


async def _keyset(
    listing: Listing, asked: Asked, columns: str, key: str, size: int
) -> AsyncIterator[list[Row]]:
    """All rows of a filtered list in the order of (key, id), a page at a time."""
    after: list[Clause] = []
    while True:
        clause, values = condition(listing, asked.filters, None, [*asked.clauses, *after])
        page = await fetch_rows(
            f"SELECT {columns}, {key} AS export_key FROM satoshimachine.{listing.table} t"
            f" {clause} ORDER BY {key}, t.id LIMIT {size}",
            values,
        )
        if page:
            yield page
        if len(page) < size:
            return
        last = {"last_key": page[-1]["export_key"], "last_id": page[-1]["id"]}
        after = [Clause(f"{key} >= :last_key AND ({key} > :last_key OR t.id > :last_id)", last)]


async def cash_out_pages(asked: Asked) -> Pages:
    """Lines of cash-outs.csv."""
    async for page in _keyset(books.CASH_OUTS, asked, CASH_OUT_COLUMNS, CASH_OUT_KEY, PAGE_ROWS):
        yield [cash_out_line(row, asked.zone) for row in page]


async def share_pages(asked: Asked) -> Pages:
    """Lines of shares.csv: of the cash-outs as filtered, and those that no cash-out is known of."""
    async for page in _with_shares(asked):
        yield [share_line(row, asked.zone) for row in page if row["share_id"]]
    if not asked.without_cash_outs:
        return
    last = ""
    while True:
        page = await fetch_rows(
            f"SELECT {SHARE_COLUMNS} FROM satoshimachine.dca_payments s"
            " WHERE s.cash_out_id IS NULL AND s.id > :last"
            + (" AND s.client_id = :client" if asked.client else "")
            + f" ORDER BY s.id LIMIT {PAGE_ROWS}",
            {"last": last, **({"client": asked.client} if asked.client else {})},
        )
        if page:
            yield [share_line(row, asked.zone) for row in page]
        if len(page) < PAGE_ROWS:
            return
        last = page[-1]["share_id"]


async def report_pages(asked: Asked) -> Pages:
    """Lines of report.csv: every cash-out with every share, and those without any."""
    seen = ""
    async for page in _with_shares(asked):
        lines = []
        for row in page:
            lines.append(report_line(row, asked.zone, first=row["id"] != seen))
            seen = row["id"]
        yield lines


async def _with_shares(asked: Asked) -> AsyncIterator[list[Row]]:
    """Cash-outs joined with their shares, in batches of a bounded number of shares."""
    counted = (
        "t.id, (SELECT COUNT(*) FROM satoshimachine.dca_payments s WHERE s.cash_out_id = t.id)"
        " AS shares"
    )
    async for page in _keyset(books.CASH_OUTS, asked, counted, CASH_OUT_KEY, PAGE_ROWS):
        batch: list[str] = []
        shares = 0
        for row in page:
            if batch and shares + row["shares"] > BATCH_SHARES:
                yield await _joined(asked, batch)
                batch, shares = [], 0
            batch.append(row["id"])
            shares += row["shares"]
        yield await _joined(asked, batch)


async def _joined(asked: Asked, ids: Sequence[str]) -> list[Row]:
    named = {f"b{number}": one for number, one in enumerate(ids)}
    among = Clause(f"t.id IN ({', '.join(f':{name}' for name in named)})", named)
    clause, values = condition(books.CASH_OUTS, asked.filters, None, [*asked.clauses, among])
    only = " AND s.client_id = :only_client" if asked.client else ""
    if asked.client:
        values["only_client"] = asked.client
    return await fetch_rows(
        f"SELECT {CASH_OUT_COLUMNS}, {SHARE_COLUMNS} FROM satoshimachine.lamassu_transactions t"
        f" LEFT JOIN satoshimachine.dca_payments s ON s.cash_out_id = t.id{only} {clause}"
        f" ORDER BY {CASH_OUT_KEY}, t.id, s.amount_sats DESC, s.id",
        values,
    )


async def deposit_pages(asked: Asked) -> Pages:
    """Lines of deposits.csv."""
    columns = books.DEPOSITS.columns
    async for page in _keyset(books.DEPOSITS, asked, columns, "t.created_at", PAGE_ROWS):
        yield [deposit_line(row, asked.zone) for row in page]


async def client_pages(asked: Asked) -> Pages:
    """Lines of clients.csv: one a client and currency."""
    size = client_figures.FIGURES_MAX
    async for page in _keyset(books.CLIENTS, asked, "t.*", "t.id", size):
        ids = [str(row["id"]) for row in page]
        sums = await client_figures.sums_of(ids)
        balances = await clients.balances_of(ids)
        lines: list[Line] = []
        for row in page:
            client_id = str(row["id"])
            lines += client_lines(row, balances[client_id], sums[client_id], asked.zone)
        yield lines
