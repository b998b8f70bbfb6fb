"""A stored weekly audit to take away: each item as CSV, the report, and a manifest (SAT-58).

What an item lists is of the report's own period and moment: its stored facts, and the ledger up to
the entry that the report names, which nobody can change. Polls are read again from their table, and
table sizes were only counted: the manifest says which is which, and whether what was read again
agrees with what was counted then.

Packed a page at a time into a file without a name, so that LNbits answers others in between and
nothing is left on the disk when the reader goes away half way.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo
from zoneinfo import ZoneInfo

from .. import clock, crud
from ..database import Row
from ..domain.days import datetime_utc, instant_us
from ..errors import StateConflict
from . import weekly
from . import weekly_tables as tables
from .export_csv import Line, Table, csv_chunks

ROWS_PER_SLICE = 500  # milliseconds of work each; between two, others are answered
# A file holds at most as many lines: five times the polls of a week at the shortest interval, and
# what a spreadsheet opens with ease. One that is cut there says so in the manifest.
ROWS_MAX = 50_000
REPORT, MANIFEST = "report.json", "manifest.json"

STORED = "stored in the report"
LEDGER = "read from the append-only ledger, up to the entry that the report names"
READ_AGAIN = "read again from its table, for the report's period"
COUNTED = "counted when the report was made; the rows themselves were not stored"

_lock = asyncio.Lock()


@dataclass
class Written:
    """One file of the package, and what the manifest says of it."""

    item: int
    source: str
    table: Table
    pages: AsyncIterator[list[Line]]
    counted: dict[str, int] | None = None  # by result, when the report was made
    seen: dict[str, int] = field(default_factory=dict)  # the same of what was read again
    rows: int = 0
    cut: bool = False

    @property
    def name(self) -> str:
        """Its name in the package."""
        return f"{self.item}-{self.table.name}.csv"

    @property
    def agrees(self) -> bool | None:
        """What was read again is what was counted; None: nothing was counted."""
        return None if self.counted is None else self.seen == self.counted


async def pack(report_id: str) -> tuple[str, IO[bytes]]:
    """(name, the packed file from its beginning). Raises NotFound, and StateConflict while one is
    being made: two at a time would hold twice the disk and the processor.
    """
    if _lock.locked():
        raise StateConflict("A weekly audit is being packed", hint="Wait for that download.")
    async with _lock:
        row = await weekly.find(report_id)
        items = await asyncio.to_thread(json.loads, row["report"])
        zone = ZoneInfo((await crud.get_settings()).time_zone)
        name = f"satmachineadmin-weekly-{datetime_utc(int(row['made_us'])):%Y%m%dT%H%M%SZ}"
        with ExitStack() as on_error:
            packed = on_error.enter_context(TemporaryFile())
            with ZipFile(packed, "w") as archive:
                await _fill(_Package(archive, name, int(row["made_us"])), row, items, zone)
            packed.seek(0)
            on_error.pop_all()
            return f"{name}.zip", packed


async def _fill(package: _Package, row: Row, items: list[dict[str, Any]], zone: ZoneInfo) -> None:
    files: dict[str, Any] = {}
    for file in _files(row, items, zone):
        facts = await package.add(file.name, csv_chunks(file.table, _bounded(file)))
        files[file.name] = {
            "item": file.item,
            "source": file.source,
            "rows": file.rows,
            **facts,
            "cut": file.cut,
            "agrees_with_report": file.agrees,
        }
    report = {**weekly.answer(row), "items": items}
    files[REPORT] = {"source": STORED} | await package.add(REPORT, _json_pieces(report))
    manifest = {
        "made_by": "satmachineadmin",
        "packed_at": clock.iso(clock.now_us()),
        "report": weekly.answer(row),
        "items": [_item_facts(item) for item in items],
        "audit": await _audit_facts(row),
        "files": files,
    }
    await package.add(MANIFEST, _json_pieces(manifest))


class _Package:
    """The archive while it is filled; every entry has the report's own time."""

    def __init__(self, archive: ZipFile, folder: str, made_us: int):
        self.archive, self.folder = archive, folder
        self.date_time = datetime_utc(made_us).timetuple()[:6]

    async def add(self, name: str, pieces: AsyncIterator[bytes]) -> dict[str, Any]:
        """Write one file; its size and SHA-256."""
        info = ZipInfo(f"{self.folder}/{name}", self.date_time)
        info.compress_type = ZIP_DEFLATED
        digest, size = hashlib.sha256(), 0
        with self.archive.open(info, "w") as entry:
            async for piece in pieces:
                digest.update(piece)
                size += len(piece)
                await asyncio.to_thread(entry.write, piece)
        return {"bytes": size, "sha256": digest.hexdigest()}


async def _json_pieces(facts: Mapping[str, Any]) -> AsyncIterator[bytes]:
    text = await asyncio.to_thread(json.dumps, facts, indent=1)
    yield f"{text}\n".encode()


async def _bounded(file: Written) -> AsyncIterator[Sequence[Line]]:
    """Its pages, counted, up to ROWS_MAX lines."""
    async for page in file.pages:
        kept = page[: ROWS_MAX - file.rows]
        file.rows += len(kept)
        yield kept
        if len(kept) < len(page):
            file.cut = True
            return
        await asyncio.sleep(0)


def _files(row: Row, items: list[dict[str, Any]], zone: ZoneInfo) -> list[Written]:
    """The files in the order of the items; an item that could not be read has empty ones."""
    facts = {str(item["name"]): item["facts"] for item in items}
    number = {str(item["name"]): int(item["number"]) for item in items}
    at_us = {str(item["name"]): _read_us(item, row) for item in items}

    def listed(item: str, table: Table, lines: Iterable[Line], source: str = STORED) -> Written:
        return Written(number[item], source, table, _paged(lines))

    books = facts["books"]
    found = [
        listed("books", table, tables.book_lines(table, books)) for table in tables.BOOK_TABLES
    ]
    found.append(listed("tables", tables.TABLES, tables.table_lines(facts["tables"]), COUNTED))
    from_us = int(row["from_us"])
    commission = facts["commission"]
    mark = commission.get("ledger_seq")
    found.append(
        Written(
            number["commission"],
            LEDGER,
            tables.COMMISSION,
            _commission_pages(from_us, at_us["commission"], mark, zone),
        )
    )
    deposits = tables.deposit_lines(facts["deposits"])
    found.append(listed("deposits", tables.DEPOSITS, deposits))
    found.append(listed("splits", tables.SPLITS, tables.split_lines(facts["splits"])))
    found.append(listed("connection", tables.CONNECTION, tables.step_lines(facts["connection"])))
    polls = Written(number["polls"], READ_AGAIN, tables.POLLS, _nothing())
    polls.pages = _poll_pages(polls, from_us, at_us["polls"], zone)
    polls.counted = facts["polls"].get("by_result", {})
    found.append(polls)
    found.append(
        listed("errors", tables.ERRORS, tables.error_lines(facts["errors"]), COUNTED),
    )
    found.append(listed("errors", tables.ALERTS, tables.alert_lines(facts["errors"], zone)))
    return found


def _read_us(item: Mapping[str, Any], row: Row) -> int:
    """When an item was read; a report of an earlier version only says when it was whole."""
    at = item.get("read_at")
    return instant_us(datetime.fromisoformat(at)) if at else int(row["made_us"])


async def _nothing() -> AsyncIterator[list[Line]]:
    return
    yield []


async def _paged(lines: Iterable[Line]) -> AsyncIterator[list[Line]]:
    page: list[Line] = []
    for line in lines:
        page.append(line)
        if len(page) == ROWS_PER_SLICE:
            yield page
            page = []
    if page:
        yield page


async def _commission_pages(
    from_us: int, at_us: int, mark: int | None, zone: ZoneInfo
) -> AsyncIterator[list[Line]]:
    """The ledger's account of commission, newest first, each entry with the movement behind it.

    Walked back from the report's mark by the account's index; the ledger's times never go back.
    """
    before = mark + 1 if mark is not None else 2**62
    while True:
        rows = await crud.fetch_rows(
            "SELECT e.seq, e.posting, e.amount, e.balance_after, e.cash_out_id, e.reference,"
            " e.created_us, l.amount_sats AS moved_sats, l.to_wallet_id, l.payment_hash"
            " FROM satoshimachine.ledger_entries e"
            " LEFT JOIN satoshimachine.settlement_legs l ON l.leg_key = e.reference"
            " WHERE e.account = 'commission' AND e.unit = 'sat' AND e.seq < :before"
            f" ORDER BY e.seq DESC LIMIT {ROWS_PER_SLICE}",
            {"before": before},
        )
        yield [
            tables.commission_line(row, zone)
            for row in rows
            if int(row["created_us"]) >= from_us
            and (mark is not None or int(row["created_us"]) <= at_us)
        ]
        if len(rows) < ROWS_PER_SLICE or int(rows[-1]["created_us"]) < from_us:
            return
        before = int(rows[-1]["seq"])


async def _poll_pages(
    file: Written, from_us: int, at_us: int, zone: ZoneInfo
) -> AsyncIterator[list[Line]]:
    """The polls that began in the period, oldest first."""
    last = {"us": from_us - 1, "id": ""}
    while True:
        rows = await crud.fetch_rows(
            "SELECT * FROM satoshimachine.polls WHERE started_us >= :us AND started_us <= :at"
            " AND (started_us > :us OR id > :id)"
            f" ORDER BY started_us, id LIMIT {ROWS_PER_SLICE}",
            {**last, "at": at_us},
        )
        for row in rows:
            result = str(row["result"])
            file.seen[result] = file.seen.get(result, 0) + 1
        yield [tables.poll_line(row, zone) for row in rows]
        if len(rows) < ROWS_PER_SLICE:
            return
        last = {"us": int(rows[-1]["started_us"]), "id": str(rows[-1]["id"])}


def _item_facts(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item without its lists: what it said, and its single figures as they were counted."""
    figures = {
        name: value for name, value in item["facts"].items() if not isinstance(value, list | dict)
    }
    said = {name: item[name] for name in ("number", "name", "state", "detail")}
    limited = [
        name
        for name, value in item["facts"].items()
        if isinstance(value, list)
        and item["name"] in ("deposits", "errors")
        and len(value) >= weekly.ROWS_MAX
    ]
    return {
        **said,
        "read_at": item.get("read_at"),
        "counted": figures,
        "stored_up_to_limit": limited,
    }


async def _audit_facts(row: Row) -> dict[str, Any] | None:
    """The entry of the report's making, and whether the report is what the entry's hash covers."""
    entry = await crud.fetch_row(
        "SELECT seq, at_us, entry_hash, detail FROM satoshimachine.audit_log"
        " WHERE subject = :id AND action = 'weekly_audit' ORDER BY seq LIMIT 1",
        {"id": row["id"]},
    )
    if entry is None:
        return None
    digest = weekly.digest_of(str(row["report"]))
    said = json.loads(entry["detail"]).get("report_sha256")
    return {
        "seq": entry["seq"],
        "at": clock.iso(entry["at_us"]),
        "entry_hash": entry["entry_hash"],
        "stored_items_sha256": digest,
        "unchanged": None if said is None else said == digest,
    }
