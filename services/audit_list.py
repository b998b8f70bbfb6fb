"""The audit trail as a list: searched, narrowed, paged, and as lines of a file.

A search finds entries by what they are about (our id, Lamassu's id, a client's name), by what was
done, and by words in the newest entries; it never reads the whole trail.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from lnbits.db import Filters

from .. import clock
from ..adapters.audit import FIELDS, TABLE
from ..books import AuditFilters
from ..crud import fetch_row, fetch_rows
from ..database import Row
from ..listing import COUNT_MAX, PAGE_DEFAULT, PAGE_MAX, Clause, Listing, condition, like_text
from .export_csv import Line, Table, local_iso
from .list_filters import day_clauses, equal_clauses, refuse_long

COLUMNS = f"{FIELDS}, prev_hash, entry_hash"
WORDS_IN_NEWEST = 20_000  # words are looked for in so many entries: some 100 ms
PAGE_ROWS = 500
NAMES = ("from", "to", "action", "actor", "subject")


@dataclass(frozen=True)
class AuditQuery:
    """Which entries: every field that is not None narrows the list."""

    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    from_day: str | None = None
    to_day: str | None = None


AUDIT = Listing("audit_log", "t.seq", AuditFilters)
# Actions are few: their index is stepped through.
_ACTIONS = (
    f"WITH RECURSIVE found(value) AS (SELECT MIN(action) FROM {TABLE} UNION ALL"
    f" SELECT (SELECT MIN(action) FROM {TABLE} WHERE action > found.value) FROM found"
    " WHERE found.value IS NOT NULL) SELECT value FROM found WHERE value IS NOT NULL"
)
_SEARCH = f"""
    t.seq IN (
        SELECT seq FROM {TABLE} WHERE subject = :found_exact
        UNION ALL SELECT a.seq FROM {TABLE} a WHERE a.subject IN (
            SELECT id FROM satoshimachine.lamassu_transactions
                WHERE lamassu_transaction_id = :found_exact
            UNION ALL SELECT id FROM satoshimachine.dca_clients
                WHERE lower(username) LIKE :found_like ESCAPE '!')
        UNION ALL SELECT seq FROM {TABLE} WHERE action IN (
            SELECT value FROM ({_ACTIONS}) known WHERE value LIKE :found_like ESCAPE '!')
        UNION ALL SELECT seq FROM (
            SELECT seq, detail, before_json, after_json FROM {TABLE}
            ORDER BY seq DESC LIMIT {WORDS_IN_NEWEST}) newest
            WHERE lower(detail || COALESCE(before_json, '') || COALESCE(after_json, ''))
                LIKE :found_like ESCAPE '!')
"""


def audit_clauses(query: AuditQuery, search: str | None, time_zone: str) -> list[Clause]:
    """Conditions on audit_log. Raises BadInput for a day that is none or a value too long."""
    refuse_long(query)
    clauses = day_clauses(query.from_day, query.to_day, time_zone, "t.at_us", lambda us: us)
    clauses += equal_clauses(action=query.action, actor=query.actor, subject=query.subject)
    if search and search.strip():
        named = {"found_exact": search.strip(), "found_like": f"%{like_text(search)}%"}
        clauses.append(Clause(_SEARCH, named))
    return clauses


async def page(filters: Filters[Any], clauses: Sequence[Clause]) -> tuple[list[Row], int]:
    """One page of entries, newest first, and how many there are in all."""
    where, values = condition(AUDIT, _without_search(filters), None, clauses)
    limit = max(1, min(filters.limit or PAGE_DEFAULT, PAGE_MAX))
    offset = max(0, min(filters.offset or 0, COUNT_MAX))
    by = filters.sortby or "seq"
    way = "ASC" if filters.sortby and filters.direction == "asc" else "DESC"
    rows = await fetch_rows(
        f"SELECT {COLUMNS} FROM {TABLE} t {where} ORDER BY t.{by} {way}, t.seq {way}"
        f" LIMIT {limit} OFFSET {offset}",
        values,
    )
    count = await fetch_row(
        f"SELECT COUNT(*) AS n FROM (SELECT 1 FROM {TABLE} t {where} LIMIT {COUNT_MAX}) counted",
        values,
    )
    return rows, int(count["n"]) if count else 0


def _without_search(filters: Filters[Any]) -> Filters[Any]:
    plain: Filters[Any] = filters.copy(update={"search": None})
    return plain


async def actions() -> list[str]:
    """Every action that there is an entry of."""
    return [str(row["value"]) for row in await fetch_rows(_ACTIONS)]


def shown(row: Row) -> dict[str, Any]:
    """An entry as the API answers it."""
    names = ("seq", "actor", "action", "subject", "origin", "prev_hash", "entry_hash")
    return {
        **{name: row[name] for name in names},
        "id": row["seq"],
        "at": clock.iso(row["at_us"]),
        "detail": json.loads(row["detail"]),
        "before": json.loads(row["before_json"]) if row["before_json"] else None,
        "after": json.loads(row["after_json"]) if row["after_json"] else None,
    }


FILE = Table(
    "audit",
    (
        *("seq", "time", "at_us", "actor", "origin", "action", "subject"),
        *("detail", "before", "after", "prev_hash", "entry_hash"),
    ),
    (),
    "action",
)


async def lines(
    filters: Filters[Any], clauses: Sequence[Clause], zone: ZoneInfo
) -> AsyncIterator[list[Line]]:
    """Lines of audit.csv, oldest first, a page at a time; every field that a hash covers."""
    after = 0
    while True:
        key = Clause("t.seq > :last_seq", {"last_seq": after})
        where, values = condition(AUDIT, _without_search(filters), None, [*clauses, key])
        rows = await fetch_rows(
            f"SELECT {COLUMNS} FROM {TABLE} t {where} ORDER BY t.seq LIMIT {PAGE_ROWS}", values
        )
        if rows:
            yield [_line(row, zone) for row in rows]
            after = int(rows[-1]["seq"])
        if len(rows) < PAGE_ROWS:
            return


def _line(row: Row, zone: ZoneInfo) -> Line:
    same = {name: row[name] for name in FILE.columns if name not in ("time", "before", "after")}
    return Line(
        {
            **same,
            "time": local_iso(row["at_us"], zone),
            "before": row["before_json"],
            "after": row["after_json"],
        }
    )
