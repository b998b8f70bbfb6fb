"""Where a settlement's time goes: statements per cash-out, and a sampled call tree."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from lnbits.core.db import db as core_db
from pyinstrument import Profiler
from satmachineadmin.crud import db as ext_db
from sqlalchemy import event
from support.environment import CHECKOUT

from .baseline import prepare
from .distribute import warm_up
from .stopwatch import timed_tick
from .world import World

CASES = ((10, 100), (50, 20))


@contextmanager
def statements() -> Iterator[tuple[Counter[str], dict[str, float]]]:
    """Count and seconds of every SQL statement through both engines."""
    count: Counter[str] = Counter()
    seconds: dict[str, float] = defaultdict(float)

    def before(_c: Any, _cur: Any, _s: str, _p: Any, context: Any, _m: bool) -> None:
        context.bench_started = time.perf_counter()

    def after(_c: Any, _cur: Any, statement: str, _p: Any, context: Any, many: bool) -> None:
        name = re.sub(r"\s+", " ", statement).strip()
        name = re.sub(r"(\?|%s|\$\d+)(, ?(\?|%s|\$\d+))+", "…", name)[:110]
        name = ("* " if many else "  ") + name
        count[name] += 1
        seconds[name] += time.perf_counter() - context.bench_started

    engines = [core_db.engine.sync_engine, ext_db.engine.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", before)
        event.listen(engine, "after_cursor_execute", after)
    try:
        yield count, seconds
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", before)
            event.remove(engine, "after_cursor_execute", after)


async def measure(world: World, say: Callable[[str], None]) -> None:
    """Say the statements; the call trees go to .cache/."""
    for sales, clients in CASES:
        await world.reset(clients)
        await prepare(world)
        await warm_up(world)
        for kind in ("statements", "calls"):
            newest = datetime.now(timezone.utc) - timedelta(hours=3 if kind == "calls" else 6)
            await world.sell(sales, newest)
            await world.drain()
            if kind == "statements":
                with statements() as (count, seconds):
                    _, phases = await timed_tick()
                _say_statements(say, sales, clients, count, seconds, phases)
                continue
            profiler = Profiler(interval=0.0005, async_mode="enabled")
            profiler.start()
            _, phases = await timed_tick()
            profiler.stop()
            path = CHECKOUT / ".cache" / f"profile-{world.database}-{sales}x{clients}"
            path.with_suffix(".txt").write_text(
                profiler.output_text(unicode=True, show_all=True, timeline=False)
            )
            path.with_suffix(".html").write_text(profiler.output_html())
            say(f"    call tree: {path}.txt")


def _say_statements(
    say: Callable[[str], None],
    sales: int,
    clients: int,
    count: Counter[str],
    seconds: dict[str, float],
    phases: dict[str, float],
) -> None:
    say(
        f"\n{sales} sales, {clients} clients: "
        + ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in phases.items())
    )
    say(f"{sum(count.values())} statements, {sum(seconds.values()) * 1000:.0f} ms inside them")
    for name in sorted(count, key=lambda name: -seconds[name])[:45]:
        each = seconds[name] * 1000 / count[name]
        say(f"  {count[name]:5d} x {each:7.3f} ms = {seconds[name] * 1000:7.1f} ms  {name}")
