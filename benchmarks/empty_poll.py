"""An empty poll: nothing is new in a large table. What it costs beyond the connection."""

from __future__ import annotations

import gc
import json
import os
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from satmachineadmin import clock, crud
from satmachineadmin.adapters import lamassu_queries
from satmachineadmin.adapters.lamassu_postgres import open_source
from satmachineadmin.dev import sample_rows
from satmachineadmin.services import observe
from satmachineadmin.services.source import source_settings

from .relay import Relay
from .stopwatch import median, spread, timed_tick
from .world import World

# Rows and the days they are spread over: a small table, the same period with 100,000 rows (more
# than the busiest machine sells in a month), and 100,000 rows as years of business leave them.
TABLES = ((1_000, 30), (100_000, 30), (100_000, 1_095))
DISTANCE_S = 0.05  # a round trip between continents is 0.1 to 0.3
DAY_US = 86_400_000_000


async def measure(world: World, repeat: int) -> list[dict[str, Any]]:
    """One result per table."""
    return [await _table(world, rows, days, max(3, repeat)) for rows, days in TABLES]


async def _table(world: World, rows: int, days: int, repeat: int) -> dict[str, Any]:
    lamassu = world.lamassu
    async with Relay(lamassu.ssh_port) as ssh, Relay(lamassu.pg_port, postgres=True) as database:
        lamassu.ssh.allowed_port = database.port
        try:
            await world.reset(1, ssh_port=ssh.port, port=database.port)
            await crud.save_settings({"start_at_us": clock.now_us() - 2000 * DAY_US}, 0)
            await _fill(world, rows, days)
            await _know(world)
            return {
                "rows": rows,
                "days": days,
                "steps": await _steps(ssh, database, repeat),
                "tick": await _ticks(repeat),
                "server_ms": await _server_ms(world, repeat),
                "memory": await _memory(),
            }
        finally:
            lamassu.ssh.allowed_port = lamassu.pg_port


async def _fill(world: World, rows: int, days: int) -> None:
    """Copies of one sale, evenly over the days."""
    template = sample_rows.sale()
    await world.lamassu.insert(template)
    found = await world.lamassu.fetch(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = 'cash_out_txs'"
    )
    others = [r[0] for r in found if r[0] not in ("id", "created", "confirmed_at")]
    names = ", ".join(others)
    await world.lamassu.execute(
        f"INSERT INTO cash_out_txs (id, created, confirmed_at, {names})"
        " SELECT gen_random_uuid(), now() - $1::float8 * i * interval '1 second',"
        f" now() - $1::float8 * i * interval '1 second' + interval '40 seconds', {names}"
        " FROM cash_out_txs, generate_series(1, $2::int) i",
        (days * 86_400 - 7_200) / rows,
        rows - 1,
    )
    await world.lamassu.execute("ANALYZE cash_out_txs")


async def _know(world: World) -> None:
    """As if every row had been stored by earlier polls."""
    async with open_source(await _settings()) as source:
        look = await source.look(created_from_us=0, start_at_us=0)
    async with crud.db.connect() as conn:
        for bucket in look.buckets:
            await conn.conn.execute(
                _text("INSERT INTO satoshimachine.source_hours VALUES (:hour, :rows, :digest)"),
                {"hour": bucket.hour_us, "rows": bucket.rows, "digest": bucket.digest},
            )
        await conn.conn.commit()
    now_us = clock.now_us()
    await crud.set_meta(observe.META_LAST_SUCCESS, now_us)
    await crud.set_meta(observe.META_LAST_FULL, now_us)
    await timed_tick()


def _text(query: str) -> Any:
    from sqlalchemy.sql import text

    return text(query)


async def _settings() -> Any:
    config = await crud.get_config()
    if config is None:
        raise RuntimeError("the operator has saved no connection")
    return source_settings(config)


async def _steps(ssh: Relay, database: Relay, repeat: int) -> dict[str, Any]:
    """Seconds, round trips and PostgreSQL messages of connecting, looking and closing."""
    near = [await _three_steps(ssh, database) for _ in range(repeat)]
    ssh.delay_s = DISTANCE_S / 2
    try:
        far = [await _three_steps(ssh, database) for _ in range(3)]
    finally:
        ssh.delay_s = 0.0
    result = {}
    for step in ("connect", "look", "close"):
        seconds = [one[step]["seconds"] for one in near]
        away = median([one[step]["seconds"] for one in far]) - median(seconds)
        result[step] = {
            **spread(seconds),
            "round_trips_by_distance": round(away / DISTANCE_S, 2),
            "ssh_round_trips": near[-1][step]["ssh"],
            "database_round_trips": near[-1][step]["database"],
            "database_messages": near[-1][step]["messages"],
            "kilobytes_down": round(near[-1][step]["bytes"] / 1024, 1),
        }
    return result


async def _three_steps(ssh: Relay, database: Relay) -> dict[str, Any]:
    settings, found = await _settings(), {}

    async def step(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        ssh.forget()
        database.forget()
        started = time.perf_counter()
        value = await call()
        found[name] = {
            "seconds": time.perf_counter() - started,
            "ssh": ssh.round_trips,
            "database": database.round_trips,
            "messages": database.messages,
            "bytes": database.bytes["down"],
        }
        return value

    from_us = clock.now_us() - observe.WINDOW_US
    stack = AsyncExitStack()
    source = await step("connect", lambda: stack.enter_async_context(open_source(settings)))
    await step("look", lambda: source.look(created_from_us=from_us, start_at_us=0))
    await step("close", stack.aclose)
    return found


async def _ticks(repeat: int) -> dict[str, Any]:
    """The whole tick, phase by phase, and the weekly one that compares everything."""
    ticks = []
    for _ in range(repeat):
        report, seconds = await timed_tick()
        if report.observed.hours_changed or report.observed.rows_read:
            raise RuntimeError(f"the poll was not empty: {report}")
        ticks.append(seconds)
    await crud.set_meta(observe.META_LAST_FULL, 0)
    report, full = await timed_tick()
    if not report.observed.full_comparison or report.observed.rows_read:
        raise RuntimeError(f"the full comparison was not empty: {report}")
    names = sorted({name for tick in ticks for name in tick})
    phases = {name: spread([tick.get(name, 0.0) for tick in ticks]) for name in names}
    return {"phases": phases, "full_comparison_ms": round(full["total"] * 1000, 1)}


async def _server_ms(world: World, repeat: int) -> dict[str, float]:
    """What PostgreSQL itself needs for the look, by EXPLAIN ANALYZE: month and everything."""
    query = lamassu_queries.look(lamassu_queries.Probes.of(await _readable(world)))
    await world.lamassu.execute("SET jit = off")
    month_us = clock.now_us() - observe.WINDOW_US
    return {
        name: round(median([await _explained_ms(world, query, us) for _ in range(repeat)]), 2)
        for name, us in (("month", month_us), ("everything", 0))
    }


async def _explained_ms(world: World, query: str, from_us: int) -> float:
    for number, value in ((1, from_us), (2, 0)):
        query = query.replace(f"${number}::bigint", f"{value}::bigint")
    rows = await world.lamassu.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}")
    plan = json.loads(rows[0][0])[0]
    return float(plan["Execution Time"]) + float(plan["Planning Time"])


async def _readable(world: World) -> list[Any]:
    return await world.lamassu.fetch(lamassu_queries.PROBE, list(lamassu_queries.ALLOWED_COLUMNS))


async def _memory() -> dict[str, float]:
    """Peak of what Python allocated during an observe(), and growth of the process."""
    gc.collect()
    before = _resident_kb()
    tracemalloc.start()
    try:
        await timed_tick()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return {"peak_kb": round(peak / 1024, 1), "resident_growth_kb": _resident_kb() - before}


def _resident_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
