"""How this extension speaks to the database: plain SQL, named values, SQLite and PostgreSQL.

LNbits' own `Connection` commits every statement and strips `<...>` and `&...;` from text (lnbits.md
4), both wrong for money; and one that is cancelled in mid-statement may leave a lock on SQLite's
file behind. Here nothing is committed before `commit()`, nothing is stripped, and a statement that
began is always brought to its end.

On SQLite the driver is used directly: SQLAlchemy hands each statement to the driver's thread four
times, which for the two dozen short statements of a settlement takes longer than their work.
"""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, ClassVar, TypeVar, cast

import aiosqlite
from lnbits.core.db import db as core_db
from lnbits.db import POSTGRES, SQLITE, Database, insert_query, model_to_dict
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text
from sqlalchemy.sql.elements import TextClause

from .database_errors import DRIVER_ERRORS, typed
from .database_rows import NamedRows
from .errors import DatabaseBusy, NotReady
from .uncancelled import uncancelled

SCHEMA = "satoshimachine"
db = Database(f"ext_{SCHEMA}")

# How long a writer may wait for another one inside the database. LNbits' own requests wait behind
# us meanwhile, so it is short.
LOCK_WAIT_MS = 250
# A settlement takes milliseconds; one that runs this long on PostgreSQL is stopped by the server.
STATEMENT_LIMIT_MS = 20_000
# Then all locks are let go, and it is tried again after these pauses before DatabaseBusy is raised.
PATIENCE_S = (0.05, 0.1, 0.2, 0.4)
# Both for this transaction only: the connection goes back to LNbits' pool.
LIMITS = (
    f"set_config('lock_timeout', '{LOCK_WAIT_MS}', true),"
    f" set_config('statement_timeout', '{STATEMENT_LIMIT_MS}', true)"
)
# Names our advisory lock in a PostgreSQL database that other programs may lock in, too.
ADVISORY_LOCK_KEY = 0x5A70_5417
# SQLite commits over attached files are atomic only with a rollback journal on disk.
ATOMIC_JOURNAL_MODES = ("delete", "truncate", "persist")
# Of each file, a connection: years of books are read in seconds, and a small machine has this much.
CACHE_KB = 16_000
# SQLite allows 32766 bound values in one statement: stay well below.
IN_LIST_MAX = 1000

Row = Mapping[str, Any]
T = TypeVar("T")


class BooksConnection(ABC):
    """A connection that reaches the wallets and our tables."""

    type: ClassVar[str]
    mark: ClassVar[str]  # the driver's placeholder

    def __init__(self) -> None:
        self.after_commit: list[Callable[[], None]] = []

    @abstractmethod
    async def begin(self) -> None:
        """Begin the transaction of a settlement: the database's own write lock is taken before
        anything is read. Raises DatabaseBusy, or NotReady where a commit would not be atomic.
        """

    @abstractmethod
    async def commit(self) -> None:
        """Make everything durable at once."""

    @abstractmethod
    async def rollback(self) -> None:
        """Undo everything."""

    @abstractmethod
    async def rows(self, query: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows of a query that has a limit by its nature (one cash-out, one pool)."""

    @abstractmethod
    async def changed(self, query: str, values: Mapping[str, Any] | None = None) -> int:
        """How many rows a write hit: the compare-and-set of every state change."""

    @abstractmethod
    async def _many(self, query: str, rows: list[tuple[Any, ...]]) -> None:
        """The driver's own executemany."""

    async def execute(self, query: str, values: Mapping[str, Any] | None = None) -> None:
        """A write whose hits do not matter."""
        await self.changed(query, values)

    async def row(self, query: str, values: Mapping[str, Any] | None = None) -> Row | None:
        """The first row, or None when there is none."""
        found = await self.rows(query, values)
        return found[0] if found else None

    async def insert(self, table_name: str, model: BaseModel) -> None:
        """Insert a model as LNbits stores it."""
        await self.changed(insert_query(table_name, model), model_to_dict(model))

    async def insert_rows(
        self, table: str, rows: Sequence[Mapping[str, Any]], on_conflict: str = ""
    ) -> None:
        """Insert rows of one shape by the driver's own executemany: fast on both databases."""
        if not rows:
            return
        columns = list(rows[0])
        names = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join([self.mark] * len(columns))
        await self._many(
            f"INSERT INTO {table} ({names}) VALUES ({marks}) {on_conflict}",
            [tuple(row[column] for column in columns) for row in rows],
        )

    async def rows_in(
        self, query: str, values: Sequence[str], more: Mapping[str, Any] | None = None
    ) -> list[Row]:
        """Rows of a query with `IN ({marks})` over any number of values, in slices."""
        found: list[Row] = []
        for start in range(0, len(values), IN_LIST_MAX):
            part = values[start : start + IN_LIST_MAX]
            named = {f"v{i}": value for i, value in enumerate(part)}
            marks = ", ".join(f":{name}" for name in named)
            found += await self.rows(query.format(marks=marks), {**named, **(more or {})})
        return found


class PostgresConnection(BooksConnection):
    """A connection of core's pool: wallets and ledger are schemas of one database."""

    type = POSTGRES
    mark = "%s"

    def __init__(self, raw: AsyncConnection):
        super().__init__()
        self.raw = raw

    async def begin(self) -> None:
        got = await self.row(
            f"SELECT {LIMITS}, pg_try_advisory_xact_lock(:key) AS got", {"key": ADVISORY_LOCK_KEY}
        )
        if not got or not got["got"]:
            raise DatabaseBusy("Another LNbits process is settling")

    async def commit(self) -> None:
        await self.raw.commit()

    async def rollback(self) -> None:
        await self.raw.rollback()

    async def rows(self, query: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        result = await self.raw.execute(_text(query), dict(values or {}))
        return list(result.mappings().all())

    async def rows_in(
        self, query: str, values: Sequence[str], more: Mapping[str, Any] | None = None
    ) -> list[Row]:
        """As one array: a thousand bound values take longer to bind than to look up."""
        asking = query.replace("IN ({marks})", "= ANY(CAST(:marks AS TEXT[]))").format()
        return await self.rows(asking, {"marks": list(values), **(more or {})}) if values else []

    async def changed(self, query: str, values: Mapping[str, Any] | None = None) -> int:
        return int((await self.raw.execute(_text(query), dict(values or {}))).rowcount)

    async def _many(self, query: str, rows: list[tuple[Any, ...]]) -> None:
        await self.raw.exec_driver_sql(query, rows)


class SqliteConnection(BooksConnection):
    """Core's file with ours attached, through the driver that LNbits uses itself."""

    type = SQLITE
    mark = "?"

    def __init__(self, driver: aiosqlite.Connection, *paths: str):
        super().__init__()
        self.driver = driver
        self.paths = paths
        self.files = _identity(paths)

    @classmethod
    async def open(cls, core_path: str, ext_path: str) -> SqliteConnection:
        """Open both files; a wait for their locks ends after LOCK_WAIT_MS."""
        # No implicit transactions: begin() and commit() say where the only one starts and ends.
        driver = await aiosqlite.connect(
            core_path, timeout=LOCK_WAIT_MS / 1000, isolation_level=None
        )
        driver.row_factory = NamedRows()  # type: ignore[assignment]  # sqlite3 takes any callable
        try:
            # A bound value: paths contain anything.
            await driver.execute_fetchall(f"ATTACH ? AS {SCHEMA}", (ext_path,))
            for name in (SCHEMA, "main"):
                await driver.execute_fetchall(f"PRAGMA {name}.cache_size = -{CACHE_KB}")
        except BaseException:
            await driver.close()
            raise
        return cls(driver, core_path, ext_path)

    def is_current(self) -> bool:
        """Are these still the files at their paths? One that was replaced must not be written."""
        try:
            return _identity(self.paths) == self.files
        except FileNotFoundError:
            return False

    async def begin(self) -> None:
        await self._refuse_unsafe_journal()
        await self.driver.execute_fetchall("BEGIN IMMEDIATE")

    async def _refuse_unsafe_journal(self) -> None:
        """WAL, MEMORY and OFF are not atomic over attached files: refuse, do not convert."""
        for name in ("main", SCHEMA):
            found = await self.rows(f"PRAGMA {name}.journal_mode")
            mode = str(found[0]["journal_mode"])
            if mode.lower() not in ATOMIC_JOURNAL_MODES:
                raise NotReady(
                    f"The SQLite database '{name}' uses journal mode {mode}, which cannot commit"
                    " the wallets and the ledger together",
                    hint="Stop LNbits, run PRAGMA journal_mode = DELETE on both files, start it.",
                )

    async def commit(self) -> None:
        await self.driver.execute_fetchall("COMMIT")

    async def rollback(self) -> None:
        await self.driver.execute_fetchall("ROLLBACK")

    async def close(self) -> None:
        """Let both files go; what was not committed is rolled back."""
        await self.driver.close()

    async def rows(self, query: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        found = await self.driver.execute_fetchall(query, dict(values or {}))
        return cast("list[Row]", found)  # NamedRows made them

    async def changed(self, query: str, values: Mapping[str, Any] | None = None) -> int:
        cursor = await self.driver.execute(query, dict(values or {}))
        return cursor.rowcount

    async def _many(self, query: str, rows: list[tuple[Any, ...]]) -> None:
        await self.driver.executemany(query, rows)


@lru_cache(maxsize=256)
def _text(query: str) -> TextClause:
    """A query as SQLAlchemy's own; looking for its named values takes longer than running it."""
    return text(query)


def _identity(paths: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Which files these are now, whatever their names."""
    found = [os.stat(path) for path in paths]
    return tuple((one.st_dev, one.st_ino) for one in found)


def stored_time(us: int) -> float | datetime:
    """An instant for a TIMESTAMP column, as core's models write it on this database."""
    if core_db.type == SQLITE:
        return us / 1_000_000
    return datetime.fromtimestamp(us // 1_000_000, timezone.utc).replace(
        microsecond=us % 1_000_000, tzinfo=None
    )


class _Kept:
    """The idle connections of a block that does much; SQLite only, PostgreSQL has a pool."""

    holders = 0
    connections: ClassVar[list[SqliteConnection]] = []


@asynccontextmanager
async def one_connection() -> AsyncIterator[None]:
    """Let what happens inside the block share one connection, or two that read beside each other.

    Opening SQLite's two files costs as much as ten statements. Each transaction still takes its
    own locks and commits by itself; one that fails leaves the next a new connection.
    """
    _Kept.holders += 1
    try:
        yield
    finally:
        _Kept.holders -= 1
        if not _Kept.holders:
            await uncancelled(_let_go())


async def _let_go() -> None:
    async with db.lock:
        if not _Kept.holders:
            while _Kept.connections:
                await _Kept.connections.pop().close()


async def _opened() -> SqliteConnection:
    while _Kept.connections:
        kept = _Kept.connections.pop()
        if kept.is_current():
            return kept
        await kept.close()
    return await SqliteConnection.open(core_db.path, db.path)


@asynccontextmanager
async def connection() -> AsyncIterator[BooksConnection]:
    """A connection that is in no transaction; closed, and so rolled back, after any error.

    Call it with `db.lock` held, and not where it can be cancelled.
    """
    if core_db.type != SQLITE:
        async with core_db.engine.connect() as raw:
            yield PostgresConnection(raw)
        return
    conn = await _opened()
    try:
        yield conn
    except BaseException:
        await conn.close()
        raise
    if _Kept.holders:
        conn.after_commit.clear()
        _Kept.connections.append(conn)
    else:
        await conn.close()


async def own(work: Callable[[BooksConnection], Awaitable[T]]) -> T:
    """Reads, or one write, of our own tables: no transaction over the wallets.

    Raises DatabaseBusy (RETRY) when another writer stays in the way.
    """

    async def run() -> T:
        async with db.lock, connection() as conn:
            if conn.type == SQLITE:  # where every statement outside a transaction is its own
                return await work(conn)
            await conn.rows(f"SELECT {LIMITS}")  # nobody can cancel a wait for a lock
            value = await work(conn)
            await conn.commit()
            return value

    return await uncancelled(patiently(run))


async def glance(work: Callable[[BooksConnection], Awaitable[T]]) -> T:
    """Reads of both databases, each statement at its own moment; our lock on SQLite only."""
    if core_db.type == SQLITE:
        return await own(work)

    async def run() -> T:
        async with core_db.engine.connect() as raw:
            conn = PostgresConnection(raw)
            await conn.rows(f"SELECT {LIMITS}")
            return await work(conn)

    reading = patiently(run)
    return await uncancelled(reading)


async def patiently(run: Callable[[], Awaitable[T]]) -> T:
    """Run it again a few times while another writer holds the database, then DatabaseBusy.

    Raises DatabaseFailed when the database itself does not work, and InvariantViolation when it
    refuses what must never be written.
    """
    for pause_s in PATIENCE_S:
        try:
            return await _typed(run)
        except DatabaseBusy:
            await asyncio.sleep(pause_s)
    return await _typed(run)


async def _typed(run: Callable[[], Awaitable[T]]) -> T:
    try:
        return await run()
    except DRIVER_ERRORS as exc:
        raise typed(exc) from exc
