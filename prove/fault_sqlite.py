"""LNbits' database, ours and the disk below them, where LNbits runs on SQLite."""

from __future__ import annotations

import asyncio
import resource
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import aiosqlite
from lnbits.core.db import db as core_db
from loguru import logger
from satmachineadmin import database
from satmachineadmin.database import SqliteConnection
from satmachineadmin.transaction_processor import tick

from .fault_bench import Bench, Outcome, check, patched
from .fault_cells import Must, fault, scene

CORE, LEDGER, DISK = "LNbits core database", "extension database", "disk"
PAGE = 4096
STANDSTILL_S = 0.8
NO_PLACE_FOR_AN_ALERT = "none"


def files() -> tuple[Path, Path]:
    """LNbits' file and ours."""
    return Path(core_db.path), Path(database.db.path)


def failed(**more: Any) -> Must:
    """A database that cannot be used: nothing can be written down, not even an alert."""
    return Must("DATABASE_FAILED", alerts=NO_PLACE_FOR_AN_ALERT, **more)


def failed_settling(error: str = "DATABASE_FAILED") -> Must:
    """Only the settlement met it: the sale waits, and the alert could be stored."""
    return Must(error, sale="pending")


UNHARMED = Must(sale="completed", alerts="none", moves=True)


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """Something else may lie at this path for a while."""
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        yield
    finally:
        if path.is_dir():
            path.rmdir()
        away.replace(path)


@contextmanager
def opened_with(*, uri: str = "", pragma: str = "") -> Iterator[None]:
    """Our connections are opened with something more, by SQLite itself."""
    original = SqliteConnection.open

    async def open_so(core_path: str, ext_path: str) -> SqliteConnection:
        if uri:
            driver = await aiosqlite.connect(
                f"file:{core_path}?{uri}", uri=True, isolation_level=None
            )
            driver.row_factory = database.NamedRows()  # type: ignore[assignment]
            await driver.execute_fetchall(
                f"ATTACH ? AS {database.SCHEMA}", (f"file:{ext_path}?{uri}",)
            )
            return SqliteConnection(driver, core_path, ext_path)
        opened = await original(core_path, ext_path)
        await opened.driver.execute_fetchall(pragma)
        return opened

    with patched(SqliteConnection, "open", staticmethod(open_so)):
        yield


def hooked(name: str, before: Any) -> Any:
    """A method of our connection with something before it: await before(connection, args)."""
    original = getattr(SqliteConnection, name)

    async def with_it(self: SqliteConnection, *args: Any) -> Any:
        await before(self, args)
        return await original(self, *args)

    return patched(SqliteConnection, name, with_it)


def settles(args: tuple[Any, ...], table: str) -> bool:
    """Is this the statement of a settlement that writes to this table?"""
    return bool(args) and f"INTO {table} " in args[0]


# ---- refused: the file cannot be opened --------------------------------------------------------


async def _a_folder_in_place(path: Path) -> AsyncIterator[None]:
    with moved_away(path):
        path.mkdir()
        yield


@fault(CORE, "refused", failed())
async def core_refused(bench: Bench) -> AsyncIterator[None]:
    """LNbits' file cannot be opened: a folder lies at its path"""
    async for _ in _a_folder_in_place(files()[0]):
        yield


@fault(LEDGER, "refused", failed())
async def ledger_refused(bench: Bench) -> AsyncIterator[None]:
    """our file cannot be opened: a folder lies at its path"""
    async for _ in _a_folder_in_place(files()[1]):
        yield


@fault(DISK, "refused", failed())
async def disk_refused(bench: Bench) -> AsyncIterator[None]:
    """the disk became read-only"""
    with opened_with(uri="mode=ro"):
        yield


# ---- silent: a statement that stands still, and LNbits stops meanwhile -------------------------


async def _stand_still(bench: Bench, name: str, wanted: Any) -> Outcome:
    """Cancel the tick while its statement does not return; it must end, and hold nothing."""
    stands = asyncio.Event()

    async def stand(conn: SqliteConnection, args: tuple[Any, ...]) -> None:
        if wanted(args) and not stands.is_set():
            stands.set()
            await conn.driver._execute(time.sleep, STANDSTILL_S)

    with hooked(name, stand):
        task = asyncio.ensure_future(tick("timer"))
        await asyncio.wait_for(stands.wait(), 10)
        begun = time.perf_counter()
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
    check(isinstance(result, asyncio.CancelledError), f"not cancelled: {result!r}")
    check(time.perf_counter() - begun > STANDSTILL_S / 2, "it did not wait for its statement")
    await bench.nothing_held()
    with closing(sqlite3.connect(files()[0], timeout=0, isolation_level=None)) as other:
        other.execute("ATTACH ? AS ours", (str(files()[1]),))
        other.execute("BEGIN EXCLUSIVE")  # at once: nobody holds either file
        other.execute("ROLLBACK")
    outcome = Outcome(sale=await bench.state(), alerts=await bench.alerts())
    outcome.notes = ["the stopped tick waits for its statement", "no lock is left"]
    await bench.recovers(outcome)
    return outcome


@scene(CORE, "silent")
async def core_silent(bench: Bench) -> Outcome:
    """a write to the wallets stands still, and LNbits is stopped meanwhile"""
    return await _stand_still(bench, "_many", lambda args: settles(args, "apipayments"))


@scene(LEDGER, "silent")
async def ledger_silent(bench: Bench) -> Outcome:
    """a write to the ledger stands still, and LNbits is stopped meanwhile"""
    wanted = "satoshimachine.dca_payments"
    return await _stand_still(bench, "_many", lambda args: settles(args, wanted))


@scene(DISK, "silent")
async def disk_silent(bench: Bench) -> Outcome:
    """the commit stands still in the disk, and LNbits is stopped meanwhile"""
    written: list[bool] = []

    async def note(conn: SqliteConnection, args: tuple[Any, ...]) -> None:
        if settles(args, "apipayments") and "trial" not in str(args[1]):
            written.append(True)

    with hooked("_many", note):
        return await _stand_still(bench, "commit", lambda _: bool(written))


# ---- slow --------------------------------------------------------------------------------------


def _slowly(name: str, seconds: float, wanted: Any) -> Any:
    async def slow(conn: SqliteConnection, args: tuple[Any, ...]) -> None:
        if wanted(args):
            await conn.driver._execute(time.sleep, seconds)

    return hooked(name, slow)


@fault(CORE, "slow", UNHARMED)
async def core_slow(bench: Bench) -> AsyncIterator[None]:
    """every write to the wallets takes 300 ms"""
    with _slowly("_many", 0.3, lambda args: settles(args, "apipayments")):
        yield


@fault(LEDGER, "slow", UNHARMED)
async def ledger_slow(bench: Bench) -> AsyncIterator[None]:
    """every read of our tables takes 30 ms more"""
    with _slowly("rows", 0.03, lambda args: "satoshimachine." in args[0]):
        yield


@fault(DISK, "slow", UNHARMED)
async def disk_slow(bench: Bench) -> AsyncIterator[None]:
    """every commit takes 300 ms"""
    with _slowly("commit", 0.3, lambda _: True):
        yield


# ---- cut half way ------------------------------------------------------------------------------


def _broken_at(table: str) -> Any:
    async def fail(conn: SqliteConnection, args: tuple[Any, ...]) -> None:
        if settles(args, table):
            raise sqlite3.OperationalError("disk I/O error")

    return hooked("_many", fail)


@fault(CORE, "cut half way", failed_settling())
async def core_cut(bench: Bench) -> AsyncIterator[None]:
    """the driver reports an input/output error in the middle of the wallet rows"""
    with _broken_at("apipayments"):
        yield


@fault(LEDGER, "cut half way", failed_settling())
async def ledger_cut(bench: Bench) -> AsyncIterator[None]:
    """the driver reports an input/output error after the wallet rows, before the ledger"""
    with _broken_at("satoshimachine.dca_payments"):
        yield


# ---- wrong data --------------------------------------------------------------------------------


def _wipe(path: Path, table: str) -> None:
    """A table's first page becomes zeroes."""
    with closing(sqlite3.connect(path)) as raw:
        (root,) = raw.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(b"\0" * PAGE)


@fault(CORE, "wrong data", failed())
async def core_wrong(bench: Bench) -> AsyncIterator[None]:
    """something that is no database lies at the path of LNbits' file"""
    path = files()[0]
    with moved_away(path):
        path.write_bytes(b"not a database " * 1000)
        yield


@fault(LEDGER, "wrong data", Must("DATABASE_FAILED"))
async def ledger_wrong(bench: Bench) -> AsyncIterator[None]:
    """the page of our file that holds the cash-outs is damaged"""
    path = files()[1]
    saved = path.with_suffix(".saved")
    shutil.copyfile(path, saved)
    _wipe(path, "lamassu_transactions")
    yield
    with path.open("r+b") as file, saved.open("rb") as good:
        await _mend(file, good)
    saved.unlink()


@fault(DISK, "wrong data", failed_settling())
async def disk_wrong(bench: Bench) -> AsyncIterator[None]:
    """the disk gives back zeroes for the page of LNbits' file that holds the payments"""
    path = files()[0]
    saved = path.with_suffix(".saved")
    shutil.copyfile(path, saved)
    _wipe(path, "apipayments")
    yield
    with path.open("r+b") as file, saved.open("rb") as good:
        await _mend(file, good)
    saved.unlink()


async def _mend(file: Any, good: Any) -> None:
    """Put back the one page that was wiped; what else was written meanwhile stays."""
    number = 0
    while page := good.read(PAGE):
        file.seek(number * PAGE)
        if file.read(PAGE) == b"\0" * PAGE != page:
            file.seek(number * PAGE)
            file.write(page)
        number += 1


# ---- locked ------------------------------------------------------------------------------------


@contextmanager
def held(path: Path, how: str, *more: str) -> Iterator[sqlite3.Connection]:
    """Another program's lock on a file."""
    with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as other:
        other.execute(how)
        for statement in more:
            other.execute(statement).fetchall()
        try:
            yield other
        finally:
            other.execute("ROLLBACK")


@fault(CORE, "locked", Must("DATABASE_BUSY", alerts="none"))
async def core_locked(bench: Bench) -> AsyncIterator[None]:
    """another program holds the write lock of LNbits' file"""
    with held(files()[0], "BEGIN EXCLUSIVE"):
        yield


@fault(LEDGER, "locked", Must("DATABASE_BUSY", alerts="none"))
async def ledger_locked(bench: Bench) -> AsyncIterator[None]:
    """another program holds the write lock of our file"""
    with held(files()[1], "BEGIN EXCLUSIVE"):
        yield


@fault(DISK, "locked", Must("DATABASE_BUSY", alerts="none"))
async def disk_locked(bench: Bench) -> AsyncIterator[None]:
    """a backup reads both files for minutes, so that no commit gets through"""
    reads = "SELECT COUNT(*) FROM sqlite_master"
    with held(files()[0], "BEGIN", reads), held(files()[1], "BEGIN", reads):
        yield


# ---- full --------------------------------------------------------------------------------------


async def _full(schema: str, path: Path) -> AsyncIterator[None]:
    with closing(sqlite3.connect(path, timeout=5)) as raw:
        raw.execute("VACUUM")
        (pages,) = raw.execute("PRAGMA page_count").fetchone()
    with opened_with(pragma=f"PRAGMA {schema}.max_page_count = {pages}"):
        yield


@fault(CORE, "full", failed_settling())
async def core_full(bench: Bench) -> AsyncIterator[None]:
    """LNbits' file may not grow any more (SQLite's own page limit)"""
    async for _ in _full("main", files()[0]):
        yield


@fault(LEDGER, "full", failed_settling())
async def ledger_full(bench: Bench) -> AsyncIterator[None]:
    """our file may not grow any more (SQLite's own page limit)"""
    async for _ in _full(database.SCHEMA, files()[1]):
        yield


@fault(DISK, "full", failed())
async def disk_full(bench: Bench) -> AsyncIterator[None]:
    """the system refuses every write beyond a file's first 64 KiB (RLIMIT_FSIZE)"""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    logger.disable("satmachineadmin")
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * PAGE, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        logger.enable("satmachineadmin")
