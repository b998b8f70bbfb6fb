"""Time of each phase of the real tick, and medians."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from satmachineadmin import transaction_processor as processor

PHASES = {
    "require_ready": "ready",
    "observe": "observe",
    "_settle_pending": "settle",
    "_retry_failed": "retry",
    "announce_settled": "announce",
}


def median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")


def spread(values: list[float]) -> dict[str, float]:
    """Median and extremes, in milliseconds."""
    return {
        "median_ms": round(median(values) * 1000, 3),
        "min_ms": round(min(values) * 1000, 3),
        "max_ms": round(max(values) * 1000, 3),
        "times": len(values),
    }


@contextmanager
def phases() -> Iterator[dict[str, float]]:
    """Seconds per phase of the ticks inside the block; `connect` is SSH and PostgreSQL."""
    seconds: dict[str, float] = defaultdict(float)
    kept = {name: getattr(processor, name) for name in (*PHASES, "open_source")}

    def timed(name: str, phase: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **more: Any) -> Any:
            started = time.perf_counter()
            try:
                return await kept[name](*args, **more)
            finally:
                seconds[phase] += time.perf_counter() - started

        return call

    @asynccontextmanager
    async def open_source(*args: Any, **more: Any) -> Any:
        started = time.perf_counter()
        async with kept["open_source"](*args, **more) as source:
            seconds["connect"] += time.perf_counter() - started
            yield source
            started = time.perf_counter()
        seconds["close"] += time.perf_counter() - started

    try:
        for name, phase in PHASES.items():
            setattr(processor, name, timed(name, phase))
        processor.open_source = open_source
        yield seconds
    finally:
        for name, original in kept.items():
            setattr(processor, name, original)


async def timed_tick() -> tuple[Any, dict[str, float]]:
    """One real tick: its report, and seconds per phase with `total` and `rest`."""
    with phases() as seconds:
        started = time.perf_counter()
        report = await processor.tick("manual")
        total = time.perf_counter() - started
    rest = total - sum(seconds.values())
    return report, {**seconds, "rest": rest, "total": total}
