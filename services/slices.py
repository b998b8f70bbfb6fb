"""Long tables in short reads, so that nobody waits for a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..books import MOMENT
from ..crud import fetch_rows
from ..database import Row
from .periods import Period

CASH_OUTS = "satoshimachine.lamassu_transactions"
WINDOW_US = 30 * 86_400_000_000


def windows(first_us: int, last_us: int, step_us: int = WINDOW_US) -> Iterator[dict[str, int]]:
    """The range in steps: `begins` is in one, `ends` is not; the last one ends after `last_us`."""
    begins = first_us
    while begins <= last_us:
        ends = min(begins + step_us, last_us + 1)
        yield {"begins": begins, "ends": ends}
        begins = ends


async def sold_windows(period: Period) -> list[dict[str, int]]:
    """Steps over the cash-outs of a period, empty when there are none."""
    return await _windows(f"{CASH_OUTS} t", MOMENT, period)


async def shared_windows(period: Period) -> list[dict[str, int]]:
    """Steps over the shares of a period."""
    return await _windows("satoshimachine.dca_payments t", "t.cash_out_us", period)


async def _windows(table: str, moment: str, period: Period) -> list[dict[str, int]]:
    bounds = {"start": period.start_us, "end": period.end_us}
    found = await fetch_rows(
        f"SELECT MIN({moment}) AS first, MAX({moment}) AS last FROM {table}"
        f" WHERE {moment} >= :start AND {moment} < :end",
        bounds,
    )
    if not found or found[0]["first"] is None:
        return []
    return list(windows(int(found[0]["first"]), int(found[0]["last"])))


async def settled_rows(
    period: Period, columns: str, after: tuple[int, str] | None, size: int
) -> Sequence[Row]:
    """Settled cash-outs in the order of (moment, id); `after` is the last one's."""
    mark: dict[str, Any] = {"start": period.start_us, "end": period.end_us}
    further = ""
    if after is not None:
        mark |= {"start": after[0], "last": after[1]}
        further = f" AND ({MOMENT} > :start OR t.id > :last)"
    return await fetch_rows(
        f"SELECT {columns}, {MOMENT} AS moment_us FROM {CASH_OUTS} t"
        f" WHERE t.status = 'completed' AND t.origin = 'observed' AND {MOMENT} >= :start"
        f" AND {MOMENT} < :end{further} ORDER BY {MOMENT}, t.id LIMIT {size}",
        mark,
    )
