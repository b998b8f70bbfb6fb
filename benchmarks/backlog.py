"""What another user of this LNbits feels while a backlog is worked off: within twice of idle.

One user asks for their wallet again and again: first while nothing happens, then while the timer's
own passes settle a backlog, then while LNbits tells the wallets: until that ends, or for
TELLING_S of it, for telling keeps its pace and takes over an hour. SATM_BENCH_BACKLOG makes it
smaller.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
from lnbits.core.crud import get_wallet
from satmachineadmin import transaction_processor as processor
from satmachineadmin.services.announce import tell_rest
from support.lnbits_app import make_wallet

from .world import World

SALES = int(os.environ.get("SATM_BENCH_BACKLOG", "2000"))
CLIENTS = 50
LOOK_EVERY_S = 0.05
IDLE_S = 10
PASSES_MAX = 100
TELLING_S = 120


async def measure(world: World, repeat: int) -> dict[str, Any]:
    """Latencies of the other user in milliseconds, and how fast the backlog went."""
    await world.reset(CLIENTS)
    wallet = await get_wallet(await make_wallet("bystander"))
    assert wallet is not None
    app = world.operator.http._transport.app  # type: ignore[attr-defined]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url=world.operator.http.base_url,
        headers={"X-Api-Key": wallet.inkey},
    ) as other:
        stop_at = time.perf_counter() + IDLE_S
        idle = await _ask(other, lambda: time.perf_counter() < stop_at)
        await world.sell(SALES, datetime.now(timezone.utc) - timedelta(minutes=10))
        started = time.perf_counter()
        work = asyncio.ensure_future(_work_off())
        settling = await _ask(other, lambda: not work.done())
        await work
        settled_s = time.perf_counter() - started
        telling = asyncio.ensure_future(_tell(world))
        stop_at = time.perf_counter() + TELLING_S
        told = await _ask(other, lambda: not telling.done() and time.perf_counter() < stop_at)
        told_s = time.perf_counter() - started - settled_s if telling.done() else None
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    await world.prove()
    return {
        "sales": SALES,
        "clients": CLIENTS,
        "settled_s": round(settled_s, 1),
        "cash_outs_per_minute": round(60 * SALES / settled_s),
        "told_after_s": told_s and round(told_s, 1),
        "idle": _felt(idle, idle),
        "settling": _felt(settling, idle),
        "telling": _felt(told, idle),
    }


async def _work_off() -> None:
    """As the timer does: the next pass follows at once while there is more."""
    for _ in range(PASSES_MAX):
        report = await processor.tick("timer")
        if not report.more:
            return
    raise AssertionError(f"the backlog is not done after {PASSES_MAX} passes")


async def _tell(world: World) -> None:
    """As the task does that tells what the passes left."""
    await tell_rest()
    await world.drain()


async def _ask(client: httpx.AsyncClient, going_on: Callable[[], bool]) -> list[float]:
    """Seconds that each request took, asked one after the other with a pause."""
    found = []
    while going_on():
        started = time.perf_counter()
        answer = await client.get("/api/v1/wallet")
        found.append(time.perf_counter() - started)
        assert answer.status_code == 200, answer.text
        await asyncio.sleep(LOOK_EVERY_S)
    return found


def _felt(found: list[float], idle: list[float]) -> dict[str, float]:
    if len(found) < 2:
        return {"requests": len(found)}
    median = statistics.median(found)
    return {
        "requests": len(found),
        "median_ms": round(1000 * median, 1),
        "p95_ms": round(1000 * statistics.quantiles(found, n=20)[-1], 1),
        "max_ms": round(1000 * max(found), 1),
        "median_over_idle": round(median / statistics.median(idle), 2),
    }
