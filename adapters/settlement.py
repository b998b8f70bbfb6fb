"""One transaction over our ledger and LNbits' wallets (design.md 4).

LNbits commits an internal payment in three steps; a stop between them leaves the payer debited and
the payee unpaid (lnbits.md 3). Here everything that moves money is written on one connection of the
core engine, with our tables reachable on it, and committed once. This file owns that connection:
the locks and their order, the isolation, the time-outs, and that nothing half done survives an
error, a cancellation or a kill. What is written is the caller's business.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from lnbits.core.db import db as core_db
from lnbits.db import SQLITE, Connection, insert_query, model_to_dict
from loguru import logger
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from ..crud import db as ext_db
from ..errors import DatabaseBusy, NotReady

SCHEMA = "satoshimachine"

# How long a writer may wait for another one inside the database. LNbits' own requests wait behind
# us meanwhile, so it is short.
LOCK_WAIT_MS = 250
# Then all locks are let go, and it is tried again after these pauses before DatabaseBusy is raised.
PATIENCE_S = (0.05, 0.1, 0.2, 0.4)
# A settlement takes milliseconds; one that runs this long on PostgreSQL is stopped by the server.
STATEMENT_LIMIT_MS = 20_000
# Names our advisory lock in a PostgreSQL database that other programs may lock in, too.
ADVISORY_LOCK_KEY = 0x5A70_5417
# SQLite commits over attached files are atomic only with a rollback journal on disk.
ATOMIC_JOURNAL_MODES = ("delete", "truncate", "persist")
# SQLite allows 32766 bound values in one statement, PostgreSQL 32767: stay well below.
IN_LIST_MAX = 1000

T = TypeVar("T")
Row = Mapping[str, Any]


class SettlementConnection(Connection):
    """A core Connection whose writes are committed once, by `settlement()`, or not at all.

    LNbits strips `<...>` and `&...;` from text that goes through `execute` (lnbits.md 4): a wrong
    thing to do to money facts, so nothing is stripped here.
    """

    def __init__(self, conn: AsyncConnection, typ: Any, name: str, schema: Any):
        super().__init__(conn, typ, name, schema)
        self.after_commit: list[Callable[[], None]] = []

    def rewrite_values(self, values: dict[str, Any]) -> dict[str, Any]:
        return values

    async def execute(self, query: str, values: dict[str, Any] | None = None) -> Any:
        return await self.conn.execute(text(self.rewrite_query(query)), values or {})

    async def insert(self, table_name: str, model: BaseModel) -> None:
        await self.conn.execute(text(insert_query(table_name, model)), model_to_dict(model))

    async def update(
        self, table_name: str, model: BaseModel, where: str = "WHERE id = :id"
    ) -> None:
        raise NotImplementedError("change columns by name: a whole-row update can undo")

    async def rows(self, query: str, values: dict[str, Any] | None = None) -> list[Row]:
        """All rows of a query that has a limit by its nature (one cash-out, one pool)."""
        result = await self.execute(query, values)
        return list(result.mappings().all())

    async def row(self, query: str, values: dict[str, Any] | None = None) -> Row | None:
        """The first row, or None when there is none."""
        result = await self.execute(query, values)
        first: Row | None = result.mappings().first()
        return first

    async def changed(self, query: str, values: dict[str, Any] | None = None) -> int:
        """How many rows a write hit: the compare-and-set of every state change."""
        return int((await self.execute(query, values)).rowcount)

    async def insert_rows(
        self, table: str, rows: Sequence[Mapping[str, Any]], on_conflict: str = ""
    ) -> None:
        """Insert rows of one shape by the driver's own executemany: fast on both databases."""
        if not rows:
            return
        columns = list(rows[0])
        names = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join(["?" if self.type == SQLITE else "%s"] * len(columns))
        await self.conn.exec_driver_sql(
            f"INSERT INTO {table} ({names}) VALUES ({marks}) {on_conflict}",
            [tuple(row[column] for column in columns) for row in rows],
        )

    async def rows_in(
        self, query: str, values: Sequence[str], more: dict[str, Any] | None = None
    ) -> list[Row]:
        """Rows of a query with `IN ({marks})` over any number of values, in slices."""
        found: list[Row] = []
        for start in range(0, len(values), IN_LIST_MAX):
            part = values[start : start + IN_LIST_MAX]
            named = {f"v{i}": value for i, value in enumerate(part)}
            marks = ", ".join(f":{name}" for name in named)
            found += await self.rows(query.format(marks=marks), {**named, **(more or {})})
        return found


def stored_time(us: int) -> float | datetime:
    """An instant for a TIMESTAMP column, as core's models write it on this database."""
    if core_db.type == SQLITE:
        return us / 1_000_000
    return datetime.fromtimestamp(us // 1_000_000, timezone.utc).replace(
        microsecond=us % 1_000_000, tzinfo=None
    )


class Rollback(Exception):
    """Raised by work that wants its value returned and nothing committed."""

    def __init__(self, value: Any):
        super().__init__("rolled back on purpose")
        self.value = value


async def settlement(work: Callable[[SettlementConnection], Awaitable[T]]) -> T:
    """Run `work` in one transaction over ledger and wallets and commit it once.

    A cancelled caller waits the milliseconds until the transaction has ended, one way or the other,
    and is cancelled then: LNbits stopping leaves no half state and no locked database. Whether it
    was committed is for the next tick to read, never to guess.

    Another writer in the way is tried again a few times, so `work` must be repeatable: what it
    does outside this connection may happen more than once. Raises DatabaseBusy (RETRY) when the
    other one stays; nothing was changed then.
    """
    task = asyncio.ensure_future(_run_patiently(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait({task})
        if not task.cancelled() and task.exception() is not None:
            logger.warning(f"stopped during a settlement: {task.exception()!s}")
        raise


async def _run_patiently(work: Callable[[SettlementConnection], Awaitable[T]]) -> T:
    for pause_s in PATIENCE_S:
        try:
            return await _run(work)
        except DatabaseBusy:
            await asyncio.sleep(pause_s)
    return await _run(work)


async def _run(work: Callable[[SettlementConnection], Awaitable[T]]) -> T:
    # This order: core takes ours first and its own inside when it migrates an extension. The other
    # way round hangs all of LNbits (lnbits.md 3).
    async with ext_db.lock, core_db.lock:
        try:
            async with core_db.engine.connect() as raw:
                connection = SettlementConnection(raw, core_db.type, core_db.name, core_db.schema)
                await _begin(connection, raw)
                try:
                    value = await work(connection)
                except Rollback as wanted:
                    await raw.rollback()
                    rolled_back: T = wanted.value
                    return rolled_back
                await raw.commit()  # the only commit
                for call in connection.after_commit:
                    call()
                return value
        except DBAPIError as exc:
            if is_busy(exc):
                raise DatabaseBusy("Another writer holds the database") from exc
            raise


async def _begin(connection: SettlementConnection, raw: AsyncConnection) -> None:
    """Take the database's own write lock before anything is read."""
    if connection.type != SQLITE:
        got = await connection.row(
            f"SELECT set_config('lock_timeout', '{LOCK_WAIT_MS}', true),"
            f" set_config('statement_timeout', '{STATEMENT_LIMIT_MS}', true),"
            " pg_try_advisory_xact_lock(:key) AS got",
            {"key": ADVISORY_LOCK_KEY},
        )
        if not got or not got["got"]:
            raise DatabaseBusy("Another LNbits process is settling")
        return
    await raw.execute(text(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}"))
    # A bound value: paths contain anything.
    await raw.execute(text(f"ATTACH :path AS {SCHEMA}"), {"path": ext_db.path})
    await _refuse_unsafe_journal(raw)
    await raw.execute(text("BEGIN IMMEDIATE"))


async def _refuse_unsafe_journal(raw: AsyncConnection) -> None:
    """WAL, MEMORY and OFF are not atomic over attached files: refuse, do not convert."""
    for name in ("main", SCHEMA):
        mode = (await raw.execute(text(f"PRAGMA {name}.journal_mode"))).scalar()
        if str(mode).lower() not in ATOMIC_JOURNAL_MODES:
            raise NotReady(
                f"The SQLite database '{name}' uses journal mode {mode}, which cannot commit the"
                " wallets and the ledger together",
                hint="Stop LNbits, run PRAGMA journal_mode = DELETE on both files, start it.",
            )


def is_busy(exc: DBAPIError) -> bool:
    """Another writer was faster: SQLite's 'locked', PostgreSQL's lock or statement limit."""
    state = getattr(exc.orig, "sqlstate", None) or getattr(exc.orig, "pgcode", None)
    if state:
        return str(state) in ("55P03", "57014", "40001", "40P01")
    return isinstance(exc, OperationalError) and "locked" in str(exc.orig)


@dataclass(frozen=True)
class InterruptedCommits:
    """Super-journals that a kill left beside the SQLite files, by what they mean."""

    stale: tuple[Path, ...]  # SQLite has recovered both files; the name alone is left
    moved: tuple[str, ...]  # they name journals elsewhere: the files were moved in mid-commit


def interrupted_commits() -> InterruptedCommits:
    """Look for super-journals. Call it inside a settlement, when both files have been opened.

    A kill may leave one that nothing refers to: harmless, and SQLite never removes it. But a
    rollback journal names its super-journal by full path: files that were moved before they were
    opened again lose half of a commit, and only this name tells (design.md 4).
    """
    if core_db.type != SQLITE:
        return InterruptedCommits((), ())
    files = [Path(core_db.path), Path(ext_db.path)]
    ours = {Path(f"{file}-journal").resolve() for file in files}
    stale, moved = [], []
    for file in files:
        for found in sorted(file.parent.glob(f"{file.name}-mj*")):
            # Null-separated full paths of the rollback journals that belong to one commit.
            names = [name for name in found.read_bytes().split(b"\0") if name.startswith(b"/")]
            if {Path(os.fsdecode(name)).resolve() for name in names} <= ours:
                stale.append(found)
            else:
                moved.append(found.name)
    return InterruptedCommits(tuple(stale), tuple(moved))
