"""Locks of other programs, and stops while we wait for one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import asyncpg
from satmachineadmin.database import ADVISORY_LOCK_KEY
from satmachineadmin.transaction_processor import tick

from .fault_bench import Bench, Outcome, check
from .fault_cells import BOTH, Must, fault, scene
from .fault_sqlite import files, held

LOCKS = "foreign lock"
STOPPED = "stopped while waiting"
BUSY = Must("DATABASE_BUSY", alerts="none")
BUSY_SETTLING = Must("DATABASE_BUSY", "pending")
WAITS_S = 0.15  # somewhere in the middle of our own waiting


@fault(LOCKS, "writer of LNbits' file", Must("DATABASE_BUSY"))
async def core_writer(bench: Bench) -> AsyncIterator[None]:
    """another program began to write to LNbits' file and does not end"""
    with held(files()[0], "BEGIN IMMEDIATE"):
        yield


@fault(LOCKS, "writer of our file", BUSY)
async def ledger_writer(bench: Bench) -> AsyncIterator[None]:
    """another program began to write to our file and does not end"""
    with held(files()[1], "BEGIN IMMEDIATE"):
        yield


async def _stopped(bench: Bench) -> Outcome:
    """Cancel a tick at several moments of its waiting; nothing of it may stay."""
    for step in (1, 4):
        task = asyncio.ensure_future(tick("timer"))
        await asyncio.sleep(WAITS_S * step)
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        check(task.done(), "a stopped tick did not end")
        await bench.nothing_held()
    return Outcome(notes=["no lock is left"])


async def _finish(bench: Bench, outcome: Outcome) -> Outcome:
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    check(outcome.sale == "not stored", outcome.sale)
    await bench.recovers(outcome)
    return outcome


@scene(STOPPED, "for LNbits' file")
async def stopped_core(bench: Bench) -> Outcome:
    """LNbits stops, twice, while the tick waits for another program's lock"""
    with held(files()[0], "BEGIN IMMEDIATE"):
        outcome = await _stopped(bench)
    _free_at_once()
    return await _finish(bench, outcome)


@scene(STOPPED, "for our file")
async def stopped_ledger(bench: Bench) -> Outcome:
    """LNbits stops, twice, while the tick waits for another program's lock"""
    with held(files()[1], "BEGIN IMMEDIATE"):
        outcome = await _stopped(bench)
    _free_at_once()
    return await _finish(bench, outcome)


def _free_at_once() -> None:
    with closing(sqlite3.connect(files()[0], timeout=0, isolation_level=None)) as other:
        other.execute("ATTACH ? AS ours", (str(files()[1]),))
        other.execute("BEGIN EXCLUSIVE")
        other.execute("ROLLBACK")


@scene(STOPPED, "for the ATM", on=BOTH)
async def stopped_source(bench: Bench) -> Outcome:
    """LNbits stops, twice, while the tick waits for a silent SSH server"""
    bench.ssh.fault.silent_after = 0
    outcome = await _stopped(bench)
    await bench.ssh.open()
    await bench.no_lease()
    return await _finish(bench, outcome)


# ---- PostgreSQL --------------------------------------------------------------------------------


@asynccontextmanager
async def session(bench: Bench, *statements: str) -> AsyncIterator[Any]:
    """Another program's transaction on LNbits' PostgreSQL, past the relay."""
    other = await asyncpg.connect(bench.database_url)
    try:
        await other.execute("BEGIN")
        for statement in statements:
            await other.execute(statement)
        yield other
    finally:
        other.terminate()
        await asyncio.sleep(0.05)


@fault(LOCKS, "advisory", Must("DATABASE_BUSY"), on=("postgres",))
async def advisory(bench: Bench) -> AsyncIterator[None]:
    """another LNbits process is in the middle of a settlement and does not end"""
    async with session(bench, f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK_KEY})"):
        yield


@fault(LOCKS, "rows of balances", BUSY_SETTLING, on=("postgres",))
async def balance_rows(bench: Bench) -> AsyncIterator[None]:
    """another program holds the rows of all balances"""
    async with session(bench, "SELECT * FROM satoshimachine.ledger_balances FOR UPDATE"):
        yield


@fault(LOCKS, "table of payments", BUSY_SETTLING, on=("postgres",))
async def payments_table(bench: Bench) -> AsyncIterator[None]:
    """another program writes to LNbits' table of payments for long, readers pass"""
    async with session(bench, "LOCK TABLE apipayments IN SHARE MODE"):
        yield


@scene(STOPPED, "for a row", on=("postgres",))
async def stopped_row(bench: Bench) -> Outcome:
    """LNbits stops, twice, while the tick waits for another program's row lock"""
    async with session(bench, "LOCK TABLE satoshimachine.polls IN EXCLUSIVE MODE"):
        outcome = await _stopped(bench)
    async with session(bench, "LOCK TABLE satoshimachine.polls IN ACCESS EXCLUSIVE MODE NOWAIT"):
        pass
    return await _finish(bench, outcome)
