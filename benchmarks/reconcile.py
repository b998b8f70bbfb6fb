"""How long a reconciliation works over years of books, and what it keeps from everybody else.

Lamassu is in memory here: what is measured is our own work. SATM_BENCH_CASH_OUTS makes it smaller.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from satmachineadmin.adapters.lamassu_postgres import SourceLook
from satmachineadmin.models_reconciliation import Scope, ScopeKind
from satmachineadmin.services import reconcile, reconcile_source

from .real_books import RealBooks, build
from .world import World

CASH_OUTS = int(os.environ.get("SATM_BENCH_CASH_OUTS", "100000"))
LOOK_EVERY_S = 0.05


class KnownSource:
    """Lamassu with just these rows."""

    def __init__(self, rows: Mapping[str, Mapping[str, str | None]]):
        self.rows = rows

    async def look(self, **_: Any) -> SourceLook:
        return SourceLook(0, 0, ())

    async def rows_by_id(self, ids: Sequence[str]) -> list[Mapping[str, str | None]]:
        return [self.rows[one] for one in ids if one in self.rows]

    async def pages(
        self, *_: Any, size: int, **__: Any
    ) -> AsyncIterator[list[Mapping[str, str | None]]]:
        rows = list(self.rows.values())
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


async def measure(world: World, repeat: int) -> dict[str, Any]:
    """Seconds and waits of a full run, and of a daily one after it."""
    await world.reset(0)
    wallets = world.operator.source_wallet, world.operator.commission_wallet
    books = RealBooks(CASH_OUTS, *wallets)
    started = time.perf_counter()
    rows = await build(books)
    built_s = time.perf_counter() - started

    @asynccontextmanager
    async def opened(*_: Any, **__: Any) -> AsyncIterator[KnownSource]:
        yield KnownSource(books.rows)

    real, reconcile_source.open_source = reconcile_source.open_source, opened  # type: ignore
    try:
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        full = await _timed(Scope())
        daily = await _timed(Scope(ScopeKind.SINCE_LAST))
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    finally:
        reconcile_source.open_source = real
    return {
        "cash_outs": CASH_OUTS,
        "rows": rows,
        "built_s": round(built_s, 1),
        "full": full,
        "daily": daily,
        "memory_grown_mb": round(grown_kb / 1024),
    }


async def _timed(scope: Scope) -> dict[str, Any]:
    waits: list[float] = []
    watching = asyncio.ensure_future(_watch(waits))
    started, worked = time.perf_counter(), time.process_time()
    run = await reconcile.find(await reconcile.run_now(scope))
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    watching.cancel()
    counted = {name: run[name] for name in ("total", "matches", "mismatches", "errors")}
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "longest_wait_ms": round(1000 * max(waits, default=0)),
        **counted,
    }


async def _watch(waits: list[float]) -> None:
    """How long somebody else's turn is late."""
    while True:
        started = time.perf_counter()
        await asyncio.sleep(LOOK_EVERY_S)
        waits.append(time.perf_counter() - started - LOOK_EVERY_S)
