"""The scenarios a child process plays: a tick that ends at a point, and what comes after it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

from lnbits.core.db import db as core_db
from satmachineadmin import tasks, transaction_processor
from satmachineadmin.errors import Disposition, SatMachineError
from satmachineadmin.services.readiness import require_schema
from satmachineadmin.transaction_processor import recover, tick
from sqlalchemy.exc import DBAPIError
from support.proof import prove

from . import points as at
from .stored import State, stored
from .world_of_crashes import World

BEATS_MAX = 5  # a busy database is tried again, as the heartbeat does
BEAT_PAUSE_S = 0.25
LOOKS_FOR_LOCK, LOOK_AGAIN_S = 100, 0.05  # five seconds

Story = Callable[[], Coroutine[Any, Any, Any]]


async def one_tick() -> None:
    """The timer's pass in a running LNbits."""
    await tick("timer")


async def restart() -> None:
    """What the first heartbeats after a start do, without the wait between them."""
    tasks.timer = tasks.Timer()
    await require_schema()
    for left in reversed(range(BEATS_MAX)):
        try:
            if not tasks.timer.recovered:
                await recover()
                tasks.timer.recovered = True
            await tick("timer")
            return
        except SatMachineError as exc:
            if not left or exc.disposition is not Disposition.RETRY:
                raise
        await asyncio.sleep(BEAT_PAUSE_S)


async def go_on() -> list[str]:
    """The heartbeats of a process that goes on; returns what they met before one went through."""
    met: list[str] = []
    for _ in range(BEATS_MAX):
        try:
            await tick("timer")
            return met
        except (SatMachineError, DBAPIError, OSError) as exc:
            met.append(f"{type(exc).__name__}: {exc}"[:200])
        await asyncio.sleep(BEAT_PAUSE_S)
    raise AssertionError(f"no tick goes through: {met[-1]}")


async def stopped() -> None:
    """The tick of an LNbits that is told to stop."""
    with contextlib.suppress(asyncio.CancelledError):
        await tick("timer")


async def broken_off() -> None:
    """A tick that may meet a connection that breaks; the heartbeat would log it and go on."""
    with contextlib.suppress(SatMachineError, DBAPIError, OSError):
        await tick("timer")


async def tick_and_go_on() -> State:
    """What an undisturbed process ends with."""
    await tick("timer")
    return await go_on_and_tell()


def as_a_process_of_its_own() -> None:
    """A fork has its parent's name for the lease; a process that starts draws its own."""
    transaction_processor.HOLDER = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"


def play(world: World, kind: str, story: Story, points: at.Points) -> dict[str, Any]:
    """Run a story whose points of this kind are counted, and acted on, to its end."""
    as_a_process_of_its_own()
    loop = at.TappedLoop()
    asyncio.set_event_loop(loop)
    loop.points = points
    if kind == "driver" and not world.postgres:
        at.watch_sqlite(points)
    elif kind == "driver":
        loop.port = world.postgres_port
        at.watch_marker(points)
    if kind == "awaits":
        loop.run_until_complete(at.watch_awaits(loop, story(), points))
    else:
        loop.run_until_complete(story())
    return {"seen": points.seen, "labels": points.labels}


def run(story: Story) -> Any:
    """Run a story on an ordinary loop."""
    as_a_process_of_its_own()
    return asyncio.run(story())  # type: ignore[arg-type]


async def restart_and_tell() -> State:
    """After a kill: the books are right before anything runs, and again after the restart."""
    await prove()
    await restart()
    await prove()
    return await stored()


async def go_on_and_tell() -> State:
    """In the process whose tick was stopped: nothing is locked, and the next ticks end it."""
    await nothing_is_locked()
    await prove()
    await go_on()
    await prove()
    await nothing_is_locked()
    return await stored()


async def nothing_is_locked() -> None:
    """Another program can write at once, wherever it wants."""
    if core_db.type == "SQLITE":
        _files_are_free()
    else:
        await _database_is_free()


def _files_are_free() -> None:
    import sqlite3

    from satmachineadmin.database import db as ext_db

    for path in (core_db.path, ext_db.path):
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as raw:
            raw.execute("BEGIN EXCLUSIVE")
            raw.execute("ROLLBACK")


async def _database_is_free() -> None:
    import asyncpg
    from lnbits.settings import settings
    from satmachineadmin.database import ADVISORY_LOCK_KEY

    other = await asyncpg.connect(settings.lnbits_database_url)
    held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = $1"
    try:
        # Of a connection that was cut the server knows when it reads from it next.
        for _ in range(LOOKS_FOR_LOCK):
            if not await other.fetch(held, ADVISORY_LOCK_KEY):
                break
            await asyncio.sleep(LOOK_AGAIN_S)
        async with other.transaction():
            got = await other.fetchval("SELECT pg_try_advisory_xact_lock($1)", ADVISORY_LOCK_KEY)
            assert got, "the settlement's lock is held"
            await other.execute("LOCK TABLE apipayments IN ACCESS EXCLUSIVE MODE NOWAIT")
            await other.execute(
                "LOCK TABLE satoshimachine.ledger_entries, satoshimachine.lamassu_transactions"
                " IN ACCESS EXCLUSIVE MODE NOWAIT"
            )
    finally:
        await other.close()
