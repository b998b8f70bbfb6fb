"""Lamassu's table in memory, answering as `adapters/lamassu_postgres.LamassuSource` does.

A poll over SSH takes longer than all the rest of a simulated day. The answers are held against
PostgreSQL's own, for the same rows, by tests/proof/test_simulation.py; the digests differ, what
they tell does not.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from satmachineadmin.adapters.lamassu_postgres import (
    IDS_PER_QUERY,
    PAGE_ROWS_MAX,
    Bucket,
    SourceLook,
)
from satmachineadmin.adapters.lamassu_queries import (
    ALLOWED_COLUMNS,
    ERROR_TEXT_MAX,
    FIXED_FEE,
    HOUR_US,
    NEEDED_COLUMNS,
    Probes,
)
from satmachineadmin.dev import sample_rows
from satmachineadmin.domain.days import datetime_utc, instant_us

SourceRow = dict[str, "str | None"]
Stored = dict[str, Any]  # values as the table keeps them: text or None, instants in epoch us

DEVICES = {sample_rows.MACHINE: "Mercado Central", sample_rows.OTHER_MACHINE: "Zona Viva"}
UNPAIRED = {sample_rows.UNPAIRED_MACHINE: "Antigua Plaza"}
TEST_CUSTOMERS = {sample_rows.ANONYMOUS_CUSTOMER: "false", sample_rows.TEST_CUSTOMER: "true"}
FIVE_DECIMALS = Decimal("0.00001")
INSTANTS = ("created", "confirmed_at")
DEFAULTS = {"status": "notSeen", "dispense": False, "dispense_confirmed": False}


def as_stored(row: Mapping[str, Any]) -> Stored:
    """A row of dev/sample_rows.py as PostgreSQL would keep and print it."""
    given = {**DEFAULTS, "customer_id": sample_rows.ANONYMOUS_CUSTOMER, **row}
    return {name: _printed(name, given.get(name)) for name in (*NEEDED_COLUMNS, "customer_id")}


def _printed(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in INSTANTS:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return instant_us(moment.astimezone(timezone.utc))
    if isinstance(value, bool):
        return "true" if value else "false"
    if name in ("fiat", "commission_percentage", "raw_ticker_price"):
        return f"{Decimal(str(value)).quantize(FIVE_DECIMALS):f}"
    return str(value)


class MemoryLamassu:
    """The table. `versions` keeps every face that a sale ever had, as it would be read."""

    def __init__(self) -> None:
        self.rows: dict[str, Stored] = {}
        self.versions: dict[str, list[SourceRow]] = {}
        self.first: dict[str, Stored] = {}
        self.ever: dict[str, Stored] = {}  # the last face, also of rows that vanished

    def insert(self, rows: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> None:
        """As EmbeddedLamassu.insert."""
        for row in [rows] if isinstance(rows, Mapping) else rows:
            self._put(str(row["id"]), as_stored(row))

    def update(self, row_id: str, **changes: Any) -> None:
        """As EmbeddedLamassu.update."""
        printed = {name: _printed(name, value) for name, value in changes.items()}
        self._put(row_id, {**self.rows[row_id], **printed})

    def delete(self, row_id: str) -> None:
        """The row vanishes."""
        del self.rows[row_id]

    def bring_back(self, row_id: str) -> None:
        """A row that vanished is there again, as it was."""
        self.rows[row_id] = self.ever[row_id]

    def _put(self, row_id: str, stored: Stored) -> None:
        self.rows[row_id] = self.ever[row_id] = stored
        self.first.setdefault(row_id, stored)
        self.versions.setdefault(row_id, []).append(as_read(stored))


def as_read(stored: Stored) -> SourceRow:
    """The select list of lamassu_queries._row_columns."""
    read = {name: stored[name] for name in NEEDED_COLUMNS}
    for name in INSTANTS:
        us = stored[name]
        read[name] = us if us is None else f"{datetime_utc(us):%Y-%m-%dT%H:%M:%S.%f}"
    read["error"] = read["error"] and read["error"][:ERROR_TEXT_MAX]
    device = stored["device_id"]
    known = device in DEVICES or device in UNPAIRED
    return {
        **read,
        "fixed_fee": None,
        "test_customer": TEST_CUSTOMERS.get(stored["customer_id"]),
        "device_name": DEVICES.get(device) or UNPAIRED.get(device),
        "device_known": "true" if known else "false",
    }


def _sold_us(stored: Stored) -> int:
    at = stored["confirmed_at"]
    return int(stored["created"] if at is None else at)


class MemorySource:
    """The interface of LamassuSource over a MemoryLamassu."""

    def __init__(self, lamassu: MemoryLamassu, their_now_us: Callable[[], int], ahead_us: int):
        self._lamassu = lamassu
        self._their_now_us = their_now_us
        self._ahead_us = ahead_us

    def _candidates(self, start_at_us: int) -> list[Stored]:
        """lamassu_queries._candidates, in order of (created, id)."""
        found = [
            row
            for row in self._lamassu.rows.values()
            if row["crypto_code"] in ("BTC", "LN")
            and (
                row["confirmed_at"] is not None
                or row["status"] in ("authorized", "instant", "confirmed")
                or row["dispense"] == "true"
            )
            and _sold_us(row) >= max(0, start_at_us)
        ]
        return sorted(found, key=lambda row: (row["created"], row["id"]))

    async def look(self, *, created_from_us: int, start_at_us: int) -> SourceLook:
        """As LamassuSource.look."""
        hours: dict[int, list[int]] = {}
        for row in self._candidates(start_at_us):
            if row["created"] >= max(0, created_from_us):
                digest = hashlib.sha256(repr(list(row.values())).encode()).digest()
                hour = hours.setdefault(row["created"] // HOUR_US * HOUR_US, [0, 0])
                hour[0] += 1
                hour[1] += int.from_bytes(digest[:8], "big")
        buckets = tuple(Bucket(h, n, str(digest)) for h, (n, digest) in sorted(hours.items()))
        return SourceLook(self._their_now_us(), self._ahead_us, buckets)

    async def rows_in_hour(
        self, hour_us: int, *, start_at_us: int
    ) -> AsyncIterator[list[SourceRow]]:
        """As LamassuSource.rows_in_hour."""
        inside = range(hour_us, hour_us + HOUR_US)
        rows = [row for row in self._candidates(start_at_us) if row["created"] in inside]
        for start in range(0, len(rows), PAGE_ROWS_MAX):
            yield [as_read(row) for row in rows[start : start + PAGE_ROWS_MAX]]

    async def pages(
        self,
        from_us: int,
        until_us: int | None,
        *,
        start_at_us: int,
        size: int = PAGE_ROWS_MAX,
        cursor: tuple[str | None, str | None] | None = None,
    ) -> AsyncIterator[list[SourceRow]]:
        """As LamassuSource.pages, from the beginning."""
        assert cursor is None, "nobody stops a run in the middle here"
        rows = [
            row
            for row in self._candidates(start_at_us)
            if row["created"] >= from_us and (until_us is None or row["created"] < until_us)
        ]
        for start in range(0, len(rows), size):
            yield [as_read(row) for row in rows[start : start + size]]

    async def rows_by_id(self, ids: Sequence[str]) -> list[SourceRow]:
        """As LamassuSource.rows_by_id."""
        known = sorted({text.strip().lower() for text in ids if _is_uuid(text)})
        found: list[SourceRow] = []
        for start in range(0, len(known), IDS_PER_QUERY):
            part = known[start : start + IDS_PER_QUERY]
            rows = [self._lamassu.rows[x] for x in part if x in self._lamassu.rows]
            found += [as_read(row) for row in sorted(rows, key=lambda r: (r["created"], r["id"]))]
        return found

    async def newest_rows(self, limit: int) -> list[SourceRow]:
        """As LamassuSource.newest_rows."""
        rows = sorted(self._candidates(0), key=lambda r: (_sold_us(r), r["id"]), reverse=True)
        return [as_read(row) for row in rows[: max(0, min(limit, PAGE_ROWS_MAX))]]

    async def count_since(self, start_at_us: int, until_us: int | None = None) -> tuple[int, int]:
        """As LamassuSource.count_since."""
        until = float("inf") if until_us is None else max(0, until_us)
        rows = [row for row in self._candidates(start_at_us) if _sold_us(row) < until]
        return len(rows), sum(int(row["crypto_atoms"]) for row in rows)

    async def probes(self, *, fresh: bool = False) -> Probes:
        """As LamassuSource.probes, for a role that may read everything."""
        return await self.probe()

    async def probe(self) -> Probes:
        """As LamassuSource.probe."""
        columns = {
            table: frozenset(names) - {FIXED_FEE} for table, names in ALLOWED_COLUMNS.items()
        }
        return Probes(columns, columns)


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.strip().lower()
    except (ValueError, AttributeError, TypeError):
        return False
