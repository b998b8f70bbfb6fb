"""The sides of cash-outs, read together: what a close look and the page compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ..database import BooksConnection, Row
from ..domain.eligibility import SourceRow
from ..domain.tie_out import Sides
from ..domain.tie_slice import source_of, stated_of

WALLET_COLUMNS = (
    "checking_id, payment_hash, wallet_id, amount, fee, status, memo, time, created_at,"
    " updated_at, external_id, tag"
)
BY_CASH_OUT = "SELECT * FROM satoshimachine.{table} WHERE cash_out_id IN ({{marks}}) {more}"


async def read_sides(
    conn: BooksConnection, ids: Sequence[str], source: Mapping[str, SourceRow] | None
) -> dict[str, Sides]:
    """Every side of these cash-outs. `source`: Lamassu's rows by Lamassu's id, None where nobody
    could look; a row that is not in it is not there any more.
    """
    cash_outs = await conn.rows_in(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE id IN ({marks})", ids
    )
    shares = await _grouped(conn, "dca_payments", ids, "AND origin = 'observed' ORDER BY leg_key")
    entries = await _grouped(conn, "ledger_entries", ids, "ORDER BY seq")
    legs = await _grouped(conn, "settlement_legs", ids, "ORDER BY leg_key")
    rows = await wallet_rows_of(conn, [leg for found in legs.values() for leg in found])
    events = await conn.rows_in(
        "SELECT subject, action, COUNT(*) AS n FROM satoshimachine.audit_log WHERE subject IN"
        " ({marks}) AND action IN ('cash_out_settled', 'cash_out_skipped')"
        " GROUP BY subject, action",
        ids,
    )
    counted = {(row["subject"], row["action"]): int(row["n"]) for row in events}
    return {
        str(cash_out["id"]): Sides(
            cash_out,
            source_of(cash_out, source),
            shares[cash_out["id"]],
            entries[cash_out["id"]],
            legs[cash_out["id"]],
            _rows_of(legs[cash_out["id"]], rows),
            counted.get((cash_out["id"], "cash_out_settled"), 0),
            counted.get((cash_out["id"], "cash_out_skipped"), 0),
            stated_of(cash_out),
        )
        for cash_out in cash_outs
    }


async def _grouped(
    conn: BooksConnection, table: str, ids: Sequence[str], more: str
) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in await conn.rows_in(BY_CASH_OUT.format(table=table, more=more), ids):
        found[row["cash_out_id"]].append(row)
    return found


async def wallet_rows_of(conn: BooksConnection, legs: Sequence[Row]) -> list[Row]:
    """Rows with a movement's checking id or payment hash, in whatever wallet."""
    checking = [leg["checking_id_in"] for leg in legs]
    checking += [leg["checking_id_out"] for leg in legs if leg["checking_id_out"]]
    hashes = [leg["payment_hash"] for leg in legs]
    found: dict[tuple[Any, Any], Row] = {}
    for column, values in (("checking_id", checking), ("payment_hash", hashes)):
        query = f"SELECT {WALLET_COLUMNS} FROM apipayments WHERE {column} IN ({{marks}})"
        for row in await conn.rows_in(query, values):
            found[row["checking_id"], row["wallet_id"]] = row
    return list(found.values())


def _rows_of(legs: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    keys = {leg["checking_id_in"] for leg in legs} | {leg["checking_id_out"] for leg in legs}
    hashes = {leg["payment_hash"] for leg in legs}
    return [row for row in rows if row["checking_id"] in keys or row["payment_hash"] in hashes]


async def forged_rows(conn: BooksConnection, leg_keys: Sequence[str]) -> list[Row]:
    """Payments that carry a movement's external id and are none of ours: anybody's key can write
    one, so they are information and never a loss.
    """
    named = [f"satm:{key}" for key in leg_keys]
    query = f"SELECT {WALLET_COLUMNS} FROM apipayments WHERE external_id IN ({{marks}})"
    known = "SELECT checking_id_in, checking_id_out FROM satoshimachine.settlement_legs"
    legs = await conn.rows_in(f"{known} WHERE leg_key IN ({{marks}})", leg_keys)
    ours = {leg["checking_id_in"] for leg in legs} | {leg["checking_id_out"] for leg in legs}
    return [row for row in await conn.rows_in(query, named) if row["checking_id"] not in ours]
