"""Databases that are not what they were: old backups, copies, moved files, a kill in mid-commit.

On SQLite files are put back, on PostgreSQL the rows of all tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lnbits.core.db import db as core_db
from satmachineadmin import database
from satmachineadmin.adapters import marker
from satmachineadmin.errors import SatMachineError
from satmachineadmin.services import readiness

from .fault_bench import Bench, Differs, Outcome, check, patched
from .fault_cells import BOTH, scene
from .fault_sqlite import DISK, files

BACKUPS = "old backup"
LOOKED = {"reason": "both looked at"}
COPY = "fault_copy"  # a schema for PostgreSQL's copies of tables
RESTORE_ALERT = "restore (critical)"


class Backup:
    """Wallets and ledger as they were at one moment; each can be put back by itself."""

    def __init__(self, name: str):
        self.name = name

    async def take(self) -> None:
        """Remember both."""
        if database.db.type == "SQLITE":
            for path in files():
                shutil.copyfile(path, path.with_suffix(f".{self.name}"))
            return
        await core_db.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
        await core_db.execute(f"CREATE SCHEMA {self.schema}")
        for wallets in (True, False):
            for table in await self._tables(wallets):
                where = self._at(table)
                await core_db.execute(f"CREATE TABLE {where} AS TABLE {table}")

    async def put_back(self, *, wallets: bool = False, ledger: bool = False) -> None:
        """What is there now is gone, with all that happened since."""
        async with database.db.lock, core_db.lock:
            if database.db.type == "SQLITE":
                for path, wanted in zip(files(), (wallets, ledger), strict=True):
                    if wanted:
                        new = path.with_suffix(".incoming")
                        shutil.copyfile(path.with_suffix(f".{self.name}"), new)
                        new.replace(path)
                return
        for which, wanted in ((True, wallets), (False, ledger)):
            for table in await self._tables(which) if wanted else ():
                await core_db.execute(f"TRUNCATE {table}")
                await core_db.execute(f"INSERT INTO {table} SELECT * FROM {self._at(table)}")

    @property
    def schema(self) -> str:
        return f"{COPY}_{self.name}"

    def _at(self, table: str) -> str:
        return f"{self.schema}.{table.replace('.', '_')}"

    async def _tables(self, wallets: bool) -> list[str]:
        if wallets:
            return ["apipayments"]
        rows: list[Any] = await core_db.fetchall(
            "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
            " AND table_schema = 'satoshimachine'"
        )
        return [f"satoshimachine.{row['table_name']}" for row in rows]


async def _paid_and_saved(bench: Bench) -> tuple[Backup, Backup]:
    """A backup, then the new sale is paid, then the newest state is kept, too."""
    old, new = Backup("old"), Backup("new")
    await old.take()
    check(await bench.attempt() is None, "the sale was not paid")
    check(await bench.state() == "completed", "the sale was not paid")
    await bench.quiet()
    await new.take()
    return old, new


async def _restart(bench: Bench, outcome: Outcome) -> None:
    """What a restart checks, and a tick; nothing may move."""
    before = await bench.sums()
    readiness.forget()
    await bench.told(await bench.attempt(), outcome)
    await bench.nothing_held()
    check(await bench.sums() == before, "sats moved")
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    outcome.notes = ["nothing moved"]


async def _resume(bench: Bench, gate: str) -> None:
    await bench.operator.api("POST", f"resume/{gate}", json=LOOKED)
    readiness.forget()


async def _gate_closed(bench: Bench, outcome: Outcome) -> None:
    check(RESTORE_ALERT in outcome.alerts, f"nobody was told: {outcome.alerts}")


@scene(BACKUPS, "of the ledger, LNbits restarted", on=BOTH)
async def ledger_put_back(bench: Bench) -> Outcome:
    """the new sale was paid; then the ledger of before is put back, and LNbits restarts"""
    old, new = await _paid_and_saved(bench)
    await old.put_back(ledger=True)
    outcome = Outcome()
    await _restart(bench, outcome)
    await _gate_closed(bench, outcome)
    await new.put_back(ledger=True)
    readiness.forget()
    await bench.paid_once()
    outcome.recovery = "the operator puts back the ledger that fits the wallets"
    return outcome


@scene(BACKUPS, "of the ledger, LNbits running", on=BOTH)
async def ledger_put_back_running(bench: Bench) -> Outcome:
    """the same, under a running LNbits: the sale looks unpaid, its wallet rows say otherwise"""
    old, new = await _paid_and_saved(bench)
    await old.put_back(ledger=True)
    outcome = Outcome()
    before = await bench.sums()
    await bench.told(await bench.attempt(), outcome)
    await bench.nothing_held()
    check(await bench.sums() == before, "sats moved")
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    outcome.notes = ["nothing moved"]
    check(outcome.error == "WALLET_ROW_COLLISION", outcome.error)
    check("halt (critical)" in outcome.alerts, f"not halted: {outcome.alerts}")
    check(await bench.attempt() is None, "the tick after the halt failed")
    check(await bench.sums() == before, "sats moved after the halt")
    await new.put_back(ledger=True)
    readiness.forget()
    await bench.paid_once()
    outcome.recovery = "the operator puts back the ledger that fits the wallets"
    return outcome


@scene(BACKUPS, "of the wallets, LNbits restarted", on=BOTH)
async def wallets_put_back(bench: Bench) -> Outcome:
    """the new sale was paid; then the wallets of before are put back, and LNbits restarts"""
    old, new = await _paid_and_saved(bench)
    await old.put_back(wallets=True)
    outcome = Outcome()
    await _restart(bench, outcome)
    await _gate_closed(bench, outcome)
    await new.put_back(wallets=True)
    await _resume(bench, "restore")
    await bench.paid_once()
    outcome.recovery = "the operator puts back the wallets that fit the ledger, and resumes"
    return outcome


@scene(BACKUPS, "of the wallets, LNbits running", on=BOTH)
async def wallets_put_back_running(bench: Bench) -> Outcome:
    """the same, under a running LNbits: nothing is paid again, the next start finds it"""
    old, new = await _paid_and_saved(bench)
    await old.put_back(wallets=True)
    before = await bench.sums()
    check(await bench.attempt() is None, "the tick failed")
    check(await bench.sums() == before, "sats moved")
    outcome = Outcome()
    await _restart(bench, outcome)
    await _gate_closed(bench, outcome)
    outcome.notes.append("nothing moved before the restart either")
    await new.put_back(wallets=True)
    await _resume(bench, "restore")
    await bench.paid_once()
    outcome.recovery = "the operator puts back the wallets that fit the ledger, and resumes"
    return outcome


@scene(BACKUPS, "of both, from one moment", on=BOTH)
async def both_put_back(bench: Bench) -> Outcome:
    """the new sale was paid; then wallets and ledger of before are put back together"""
    old, _ = await _paid_and_saved(bench)
    await old.put_back(wallets=True, ledger=True)
    outcome = Outcome()
    await _restart(bench, outcome)
    await _gate_closed(bench, outcome)
    await _resume(bench, "restore")
    outcome.recovery = "the operator resumes"
    await bench.recovers(outcome)
    return outcome


@scene(DISK, "duplicate")
async def data_folder_copied(bench: Bench) -> Outcome:
    """LNbits is started on a copy of its data folder"""
    for path in (*files(), marker.path()):
        copy = path.with_suffix(".copy")
        shutil.copyfile(path, copy)
        copy.replace(path)
    outcome = Outcome()
    await _restart(bench, outcome)
    await _gate_closed(bench, outcome)
    await _resume(bench, "restore")
    outcome.recovery = "the operator resumes"
    await bench.recovers(outcome)
    return outcome


# ---- a kill in mid-commit ----------------------------------------------------------------------

# So many rows of a KiB change in both files at once that the commit lasts long enough to be met.
ROWS = 6_000
PREPARE = (
    "CREATE TABLE IF NOT EXISTS killed (n INTEGER NOT NULL, body BLOB)",
    f"INSERT INTO killed SELECT 0, zeroblob(1000) FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL"
    f" SELECT x + 1 FROM c WHERE x < {ROWS}) SELECT x FROM c)",
)
CHILD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
db.execute("ATTACH ? AS ours", (sys.argv[2],))
db.execute("PRAGMA main.cache_spill = OFF")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE main.killed SET n = n + 1")
db.execute("UPDATE ours.killed SET n = n + 1")
print("commits", flush=True)
db.execute("COMMIT")
"""
KILLS_MAX = 20


def super_journals() -> list[Path]:
    """Names that tie two rollback journals together while a commit is under way."""
    return sorted(files()[0].parent.glob("*.sqlite3-mj*"))


async def on_both(*statements: str) -> None:
    """Prepare, or clear away, the rows that the killed process changes. In a thread: who holds a
    lock meanwhile may need the event loop to let it go.
    """

    def work() -> None:
        for path in files():
            with contextlib.closing(sqlite3.connect(path, timeout=10)) as raw:
                for statement in statements:
                    raw.execute(statement)
                raw.commit()

    await asyncio.to_thread(work)


def changed_rows(path: Path) -> tuple[int, int]:
    """The least and the most often that one of the rows was changed."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as raw:
        found: tuple[int, int] = raw.execute("SELECT MIN(n), MAX(n) FROM killed").fetchone()
    return found


def kill_in_commit() -> int:
    """Another process commits to both files, and is killed when its super-journal exists.

    Returns how many of its commits had come through before.
    """
    for commits in range(KILLS_MAX):
        command = [sys.executable, "-c", CHILD, *map(str, files())]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            check(child.stdout.readline() == b"commits\n", "the other process did not start")
            while child.poll() is None and not super_journals():
                time.sleep(0.0002)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
        if super_journals() and all(Path(f"{path}-journal").exists() for path in files()):
            return commits
        check({changed_rows(path) for path in files()} == {(commits + 1,) * 2}, "half a commit")
    raise Differs(f"none of {KILLS_MAX} kills met the commit")


@scene(DISK, "cut half way")
async def killed_in_commit(bench: Bench) -> Outcome:
    """a process is killed (SIGKILL) in the middle of a commit over both files"""
    await on_both(*PREPARE)
    commits = kill_in_commit()
    readiness.forget()
    error = await bench.attempt()
    check(error is None, f"not recovered: {error!r}")
    check({changed_rows(path) for path in files()} == {(commits,) * 2}, "half a commit stayed")
    check(not super_journals(), "a super-journal stayed")
    await on_both("DROP TABLE killed")
    outcome = Outcome(sale=await bench.state(), alerts=await bench.alerts())
    outcome.notes = ["SQLite undid both halves"]
    await bench.nothing_held()
    await bench.paid_once()
    outcome.recovery = "the next tick"
    return outcome


@scene("moved files", "after a kill in mid-commit")
async def moved_after_a_kill(bench: Bench) -> Outcome:
    """a kill in mid-commit, and the files are moved to another folder before LNbits starts"""
    await on_both(*PREPARE)
    commits = kill_in_commit()
    home = files()[0].parent
    kept, moved = home / "kept", home / "moved"
    for folder in (kept, moved):
        folder.mkdir()
    for path in (p for f in files() for p in home.glob(f"{f.name}*")):
        shutil.copyfile(path, moved / path.name)
        path.replace(kept / path.name)
    outcome = Outcome()
    names = [path.name for path in files()]
    with (
        patched(core_db, "path", str(moved / names[0])),
        patched(database.db, "path", str(moved / names[1])),
    ):
        try:
            await readiness._journals()
        except SatMachineError as exc:
            await bench.told(exc, outcome)
    for path in kept.iterdir():
        path.replace(home / path.name)
    check(outcome.error == "NOT_READY", f"half a commit would be taken: {outcome}")
    readiness.forget()
    outcome.alerts = "none"
    outcome.sale, outcome.notes = "not stored", ["nothing moved", "no money work at the new place"]
    outcome.recovery = "the operator puts the files back to their old place"
    await bench.recovers(outcome)
    check({changed_rows(path) for path in files()} == {(commits,) * 2}, "half a commit stayed")
    await on_both("DROP TABLE killed")
    for folder in (kept, moved):
        shutil.rmtree(folder)
    return outcome
