"""findings.csv: every finding as filtered, oldest first, each with what was expected and found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from zoneinfo import ZoneInfo

from lnbits.db import Filters

from ..crud import fetch_rows
from ..database import Row
from ..listing import Clause, condition
from .export_csv import Line, Table, local_iso
from .reconcile_view import FINDINGS

PAGE_ROWS = 500
SAME = (
    *("code", "link", "subject_kind", "subject_id", "cash_out_id", "client_id", "wallet_id"),
    *("unit", "expected", "actual", "difference_sats", "status", "times", "resolved_by"),
    *("resolution", "correction_id", "first_run_id", "last_run_id"),
)
FILE = Table(
    "findings",
    ("finding_id", "first_seen", "last_seen", "resolved_at", *SAME),
    ("difference_sats",),
    "status",
)


async def lines(filters: Filters[Any], zone: ZoneInfo) -> AsyncIterator[list[Line]]:
    """A page at a time by key; the keys never change."""
    last = {"last_us": -1, "last_id": ""}
    while True:
        sql = "t.first_us >= :last_us AND (t.first_us > :last_us OR t.id > :last_id)"
        where, values = condition(FINDINGS, filters, None, [Clause(sql, last)])
        rows = await fetch_rows(
            f"SELECT t.* FROM satoshimachine.findings t {where}"
            f" ORDER BY t.first_us, t.id LIMIT {PAGE_ROWS}",
            values,
        )
        if rows:
            yield [_line(row, zone) for row in rows]
            last = {"last_us": int(rows[-1]["first_us"]), "last_id": str(rows[-1]["id"])}
        if len(rows) < PAGE_ROWS:
            return


def _line(row: Row, zone: ZoneInfo) -> Line:
    return Line(
        {
            **{name: row[name] for name in SAME},
            "finding_id": row["id"],
            "first_seen": local_iso(row["first_us"], zone),
            "last_seen": local_iso(row["last_us"], zone),
            "resolved_at": local_iso(row["resolved_us"], zone) if row["resolved_us"] else None,
        }
    )
