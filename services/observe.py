"""Observe: every row of the source that concerns us is stored once, and every change is seen.

The source is asked what each hour of its window looks like (a count and a digest); only hours that
differ from what was last stored are read. So an empty poll costs one query, and a row that appears
late, out of order, in the same microsecond or changes days later is found all the same
(lamassu.md 3.5). What a row means is domain/eligibility.py; what is done with it is intake.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.lamassu_postgres import LamassuSource
from ..adapters.settlement import settlement
from ..database import BooksConnection
from ..domain.days import US_PER_S
from ..domain.eligibility import SourceRow
from .intake import Intake, hold_overdue, store_rows

HOUR_US = 3_600 * US_PER_S
DAY_US = 24 * HOUR_US
# A redeem-later sale can finish a day late, a dispense report after an outage days late; a month
# covers what the machines do, the weekly full comparison covers the rest (lamassu.md 3.5).
WINDOW_US = 30 * DAY_US
FULL_COMPARISON_EVERY_US = 7 * DAY_US
IDS_PER_QUERY = 500  # open rows older than the window, and rows that left an hour
OPEN_ROWS_MAX = 5_000
HOURS_PER_COMMIT = 50  # a kill makes the next poll read these again, nothing more
# A person waits for a look that stores nothing: some seconds over a slow line.
ROWS_LOOKED_AT_MAX = 3_000

META_LAST_SUCCESS = "last_successful_poll_us"
META_LAST_FULL = "last_full_comparison_us"
META_CLOCK = "clock_difference_us"


@dataclass
class Observed:
    """What a poll saw."""

    full_comparison: bool = False
    rows_read: int = 0
    new_rows: int = 0
    hours_changed: int = 0


@dataclass
class Looked:
    """What a look that stores nothing read, oldest hour first, and how many rows it did not."""

    clock_difference_us: int
    rows: dict[str, SourceRow] = field(default_factory=dict)  # by Lamassu's id
    not_read: int = 0


Progress = Callable[[str, int, int], Awaitable[None]]


async def full_comparison_due(now_us: int) -> bool:
    """The first poll, one a week, and the one after a new start point look at everything."""
    last = await crud.get_meta(META_LAST_FULL)
    return last is None or now_us - int(last) >= FULL_COMPARISON_EVERY_US


async def observe(
    source: LamassuSource, *, start_at_us: int, full: bool, progress: Progress
) -> Observed:
    """Store what is new or changed since the last complete look.

    The last successful poll moves only at the end, after every row is stored: an error on the way
    loses nothing, the next poll reads the same hours again.
    """
    started_us = clock.now_us()
    from_us = await _look_from_us(full)
    look = await source.look(created_from_us=from_us, start_at_us=start_at_us)
    await crud.set_meta(META_CLOCK, look.clock_difference_us)
    intake = Intake(clock_difference_us=look.clock_difference_us)
    seen = Observed(full_comparison=full)

    known = await crud.known_hours(from_us)
    changed = [b for b in look.buckets if known.get(b.hour_us) != (b.rows, b.digest)]
    gone = sorted(set(known) - {b.hour_us for b in look.buckets})
    seen.hours_changed = len(changed) + len(gone)
    for start in range(0, len(changed), HOURS_PER_COMMIT):
        part = changed[start : start + HOURS_PER_COMMIT]
        for done, bucket in enumerate(part, start=start):
            await progress("reading", done, len(changed))
            await _read_hour(source, bucket.hour_us, start_at_us, intake, seen)
        await crud.store_hours([(b.hour_us, b.rows, b.digest) for b in part])
    for hour_us in gone:
        await _check_ids(source, await _stored_ids(hour_us), intake, seen)
        await crud.forget_hour(hour_us)
    await _check_ids(source, await _open_ids_outside(from_us, start_at_us), intake, seen)
    await hold_overdue(started_us)

    seen.new_rows = intake.new_rows
    await crud.set_meta(META_LAST_SUCCESS, started_us)
    if full:
        await crud.set_meta(META_LAST_FULL, started_us)
    return seen


async def look_only(source: LamassuSource, *, start_at_us: int, full: bool) -> Looked:
    """The rows that `observe` would store or compare now, up to a limit; nothing is stored."""
    from_us = await _look_from_us(full)
    look = await source.look(created_from_us=from_us, start_at_us=start_at_us)
    looked = Looked(look.clock_difference_us)
    known = await crud.known_hours(from_us)
    for bucket in look.buckets:
        if known.get(bucket.hour_us) == (bucket.rows, bucket.digest):
            continue
        if len(looked.rows) >= ROWS_LOOKED_AT_MAX:
            looked.not_read += bucket.rows
            continue
        async for page in source.rows_in_hour(bucket.hour_us, start_at_us=start_at_us):
            looked.rows.update((str(row["id"]), row) for row in page)
        gone = [x for x in await _stored_ids(bucket.hour_us) if x not in looked.rows]
        await _look_at_ids(source, gone, looked)
    for hour_us in sorted(set(known) - {bucket.hour_us for bucket in look.buckets}):
        await _look_at_ids(source, await _stored_ids(hour_us), looked)
    await _look_at_ids(source, await _open_ids_outside(from_us, start_at_us), looked)
    return looked


async def _look_from_us(full: bool) -> int:
    """From where on hours are compared: everything, or the window before the last good poll."""
    last_success = await crud.get_meta(META_LAST_SUCCESS)
    from_us = 0 if full or last_success is None else int(last_success) - WINDOW_US
    return from_us - from_us % HOUR_US


async def _look_at_ids(source: LamassuSource, ids: Sequence[str], looked: Looked) -> None:
    for start in range(0, len(ids), IDS_PER_QUERY):
        part = ids[start : start + IDS_PER_QUERY]
        found = {str(row["id"]): row for row in await source.rows_by_id(part)}
        looked.rows.update({x: found.get(x, {"id": x, "vanished": "true"}) for x in part})


async def note_poll_asked(actor: str) -> None:
    """A person pressed the button; what the timer does is in the list of polls."""

    async def work(conn: BooksConnection) -> None:
        await record(conn, "poll_asked", "polls", {}, actor=actor, now_us=clock.now_us())

    await settlement(work)


async def look_at_everything_again(conn: BooksConnection) -> None:
    """The next poll compares all rows: another source, or another start point."""
    await crud.forget_hours(conn)
    for name in (META_LAST_FULL, META_LAST_SUCCESS):
        await crud.delete_meta(name, conn)


async def _read_hour(
    source: LamassuSource, hour_us: int, start_at_us: int, intake: Intake, seen: Observed
) -> None:
    """Store an hour's rows page by page, then look for stored ones that are no longer in it."""
    ids: set[str] = set()
    async for page in source.rows_in_hour(hour_us, start_at_us=start_at_us):
        await store_rows(page, intake)
        seen.rows_read += len(page)
        ids.update(str(row["id"]) for row in page)
    missing = [x for x in await _stored_ids(hour_us) if x not in ids]
    await _check_ids(source, missing, intake, seen)


async def _check_ids(
    source: LamassuSource, ids: Sequence[str], intake: Intake, seen: Observed
) -> None:
    """Look at stored rows by their id: they may have left the window or changed out of it."""
    for start in range(0, len(ids), IDS_PER_QUERY):
        part = ids[start : start + IDS_PER_QUERY]
        rows = await source.rows_by_id(part)
        found = {str(row["id"]) for row in rows}
        vanished: list[SourceRow] = [{"id": x, "vanished": "true"} for x in part if x not in found]
        await store_rows([*rows, *vanished], intake)
        seen.rows_read += len(rows)


async def _stored_ids(hour_us: int) -> list[str]:
    rows = await crud.fetch_rows(
        "SELECT lamassu_transaction_id AS id FROM satoshimachine.lamassu_transactions"
        " WHERE created_us >= :hour AND created_us < :next AND origin = 'observed'",
        {"hour": hour_us, "next": hour_us + HOUR_US},
    )
    return [str(row["id"]) for row in rows]


async def _open_ids_outside(created_us: int, start_at_us: int) -> list[str]:
    """Unsettled rows that no hour of the look contains, or whose reason lies in another table."""
    rows = await crud.fetch_rows(
        "SELECT lamassu_transaction_id AS id FROM satoshimachine.lamassu_transactions"
        " WHERE status IN ('pending', 'watching', 'held') AND origin = 'observed'"
        " AND (created_us < :before OR created_us IS NULL"
        " OR COALESCE(confirmed_at_us, created_us) < :start"
        " OR hold_code IN ('test_customer', 'device_unknown'))"
        " ORDER BY confirmed_at_us DESC LIMIT :most",
        {"before": created_us, "start": start_at_us, "most": OPEN_ROWS_MAX},
    )
    return [str(row["id"]) for row in rows]
