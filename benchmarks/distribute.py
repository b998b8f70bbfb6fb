"""Poll and distribute T cash-outs over C clients, beside LNbits' way and the bare database."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from .baseline import SAMPLE_MAX, lnbits_transfers, prepare
from .raw import raw_limit
from .stopwatch import median, spread, timed_tick
from .world import World, cash_out_ids

CASES: tuple[tuple[int, ...], ...] = ((1, 10), (10, 10), (10, 100), (50, 20))
HOURS_APART = 3  # each repetition's sales lie in hours of their own


async def measure(world: World, repeat: int) -> list[dict[str, Any]]:
    """One result per case."""
    return [await case(world, sales, clients, repeat) for sales, clients in CASES]


async def case(
    world: World,
    sales: int,
    clients: int,
    repetitions: int,
    *,
    fresh: bool = True,
    sample_max: int = SAMPLE_MAX,
) -> dict[str, Any]:
    """Medians over the repetitions. LNbits' transfers are measured first, on an empty history,
    which is to their advantage; and once more at the end.
    """
    transfers = sales * (clients + 1)
    if fresh:
        await world.reset(clients)
        await prepare(world)
    sample = min(transfers, sample_max)
    await warm_up(world)
    baseline = await lnbits_transfers(world, sample)
    ticks: list[dict[str, float]] = []
    raws: list[dict[str, float]] = []
    for number in range(repetitions):
        tick, raw = await one(world, sales, number)
        ticks.append(tick)
        raws.append(raw)
    afterwards = await lnbits_transfers(world, min(sample, 20))
    await world.prove()
    return summary(sales, clients, ticks, raws, baseline, afterwards)


async def warm_up(world: World) -> None:
    """The first tick checks the installation and compares everything: not what is measured."""
    await world.sell(1, datetime.now(timezone.utc) - timedelta(days=3))
    report, _ = await timed_tick()
    if report.settled != 1:
        raise RuntimeError(f"the warm-up was not settled: {report}")
    await lnbits_transfers(world, 2)


async def one(world: World, sales: int, number: int) -> tuple[dict[str, float], dict[str, float]]:
    """A real tick over fresh sales, then its own rows by the bare database."""
    newest = datetime.now(timezone.utc) - timedelta(hours=HOURS_APART * (number + 1))
    lamassu_ids = await world.sell(sales, newest)
    await world.drain()
    report, seconds = await timed_tick()
    if (report.settled, report.left_pending) != (sales, 0):
        raise RuntimeError(f"{sales} sales were expected to be settled: {report}")
    await world.drain()
    raw = await raw_limit(world, await cash_out_ids(lamassu_ids))
    return seconds, raw


def summary(
    sales: int,
    clients: int,
    ticks: list[dict[str, float]],
    raws: list[dict[str, float]],
    baseline: list[float],
    afterwards: list[float],
) -> dict[str, Any]:
    transfers = sales * (clients + 1)
    total = median([tick["total"] for tick in ticks])
    settle = median([tick["settle"] for tick in ticks])
    each, at_once = (median([raw[name] for raw in raws]) for name in ("each", "all"))
    theirs = median(baseline)
    per_ms = 1000 / transfers
    names = sorted({name for tick in ticks for name in tick})
    return {
        "sales": sales,
        "clients": clients,
        "transfers": transfers,
        "rows_written": int(raws[0]["rows"]),
        "phases": {name: spread([tick.get(name, 0.0) for tick in ticks]) for name in names},
        "per_transfer_ms": {
            "total": round(total * per_ms, 4),
            "settle": round(settle * per_ms, 4),
            "lnbits": round(theirs * 1000, 3),
            "lnbits_afterwards": round(median(afterwards) * 1000, 3),
            "raw_each": round(each * per_ms, 4),
            "raw_all": round(at_once * per_ms, 4),
        },
        "lnbits_sample": len(baseline),
        "ratios": {
            "lnbits_over_total": round(theirs * transfers / total, 1),
            "lnbits_over_settle": round(theirs * transfers / settle, 1),
            "total_over_raw_each": round(total / each, 2),
            "settle_over_raw_each": round(settle / each, 2),
            "total_over_raw_all": round(total / at_once, 2),
            "settle_over_raw_all": round(settle / at_once, 2),
        },
    }
