"""How every list is read: a page of it by LNbits' own filters and by clauses of ours.

Every list has a limit, a stable order and its total; an offset past the end is an empty page of a
list that still says how long it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from lnbits.db import POSTGRES, FilterModel, Filters

from .crud import fetch_row, fetch_rows
from .database import BooksConnection, Row, db, own
from .domain.days import instant_us

PAGE_DEFAULT = 50
PAGE_MAX = 1000  # LNbits' own cap
COUNT_MAX = 500_000  # a longer list says it has so many; further down nobody pages


@dataclass(frozen=True)
class Listing:
    """One list: its table, called `t` in every clause, and how it is ordered when nobody says.

    `sorts`: what a sort field stands for, where that is no column of its own. `search`: the clause
    of a search for `:search` (a LIKE pattern) and `:exact`, where LNbits' own is too slow.
    """

    table: str
    order: str
    model: type[FilterModel]
    descending: bool = True
    sorts: Mapping[str, str] = field(default_factory=dict)
    search: str = ""
    columns: str = "t.*"


@dataclass(frozen=True)
class Clause:
    """A condition on a list's rows with its values; what readable parameters become."""

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)


async def page(
    listing: Listing,
    filters: Filters[Any],
    where: Mapping[str, Any] | None = None,
    clauses: Sequence[Clause] = (),
    values: Mapping[str, Any] | None = None,
) -> tuple[list[Row], int]:
    """One page of a list and the list's length.

    `where`: column -> value, fixed by the caller; `values`: what a sort of the list needs. The
    ids of the page are found first, so that a wide row is read only when it is shown.
    """
    clause, bound = condition(listing, filters, where, clauses)
    limit = max(1, min(filters.limit or PAGE_DEFAULT, PAGE_MAX))
    offset = max(0, min(filters.offset or 0, COUNT_MAX))
    table = f"satoshimachine.{listing.table} t"
    order, sort_values = _order(listing, filters, values or {})
    # A search reads every row whatever it shows, so it counts what it finds in the same pass.
    at_once = bool(listing.search and filters.search)
    counting = ", COUNT(*) OVER () AS n" if at_once else ""
    ids_query = (
        f"SELECT t.id{counting} FROM {table} {clause} ORDER BY {order}"
        f" LIMIT {limit} OFFSET {offset}"
    )
    count_query = (
        f"SELECT COUNT(*) AS n FROM (SELECT 1 FROM {table} {clause} LIMIT {COUNT_MAX}) counted"
    )
    rows_query = f"SELECT {listing.columns} FROM {table} WHERE t.id IN ({{marks}})"

    async def work(conn: BooksConnection) -> tuple[list[Row], int]:
        shown = await fetch_rows(ids_query, bound | sort_values, conn)
        ids = [str(row["id"]) for row in shown]
        found = {str(row["id"]): row for row in await conn.rows_in(rows_query, ids)}
        counted = at_once and (shown or not offset)  # a page behind the last one says nothing
        count = (shown or [{"n": 0}])[0] if counted else await fetch_row(count_query, bound, conn)
        total = min(int(count["n"]), COUNT_MAX) if count else 0
        return [found[one] for one in ids if one in found], total

    return await own(work)


def condition(
    listing: Listing,
    filters: Filters[Any],
    where: Mapping[str, Any] | None = None,
    clauses: Sequence[Clause] = (),
) -> tuple[str, dict[str, Any]]:
    """(WHERE clause or nothing, its values) of a list as it is filtered."""
    search = filters.search if listing.search else None
    filters = filters.copy(update={"search": None} if search else {}, deep=True)
    filters.set_table_name("t")
    fixed = [f"t.{name} = :fixed_{name}" for name in where or {}]
    fixed += [f"({one.sql})" for one in clauses]
    if search:
        # PostgreSQL would compare each row with each that was found, hoping for an early end; as a
        # truth value the found ones are a set that rows are looked up in.
        fixed.append(f"({listing.search}) IS TRUE" if db.type == POSTGRES else listing.search)
    clause = filters.where(fixed)
    values = filters.values({f"fixed_{name}": value for name, value in (where or {}).items()})
    if db.type == POSTGRES and "search" in values:
        values["search"] = values["search"].replace("\\", "\\\\")  # its LIKE escapes by it
    if search:
        values |= {"search": f"%{like_text(search)}%", "exact": search.strip().lower()}
    bound = {name: _bound(value) for name, value in values.items()}
    for one in clauses:
        bound |= one.values
    return clause, bound


def like_text(text: str) -> str:
    """Text to be found as it is by `lower(...) LIKE ... ESCAPE '!'`."""
    return re.sub(r"([!%_])", r"!\1", text.strip().lower())


def _order(
    listing: Listing, filters: Filters[Any], values: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """(ORDER BY without the words, the values it names): rows without a value come last."""
    by, descending = listing.order, listing.descending
    if filters.sortby:
        by = listing.sorts.get(filters.sortby, f"t.{filters.sortby}")
        descending = filters.direction == "desc"
    direction = "DESC" if descending else "ASC"
    used = {name: value for name, value in values.items() if f":{name}" in by}
    # Each database has the empty ones last by itself in one direction, and its index with it.
    by_itself = by == listing.order or descending == (db.type != POSTGRES)
    last = "" if by_itself else " NULLS LAST"
    return f"{by} {direction}{last}, t.id {direction}", used


def _bound(value: Any) -> Any:
    """A filter's value as LNbits' clause for it expects it: instants as seconds since 1970."""
    if isinstance(value, datetime):
        return value.timestamp() if db.type == POSTGRES else int(value.timestamp())
    return value


def stored_us(value: Any) -> int | None:
    """A TIMESTAMP column of either database as epoch microseconds."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return instant_us(value.replace(tzinfo=timezone.utc))
    return round(float(value) * 1_000_000)
