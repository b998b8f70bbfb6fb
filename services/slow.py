"""A report that takes longer than a person waits: it goes on by itself, and says how far it is.

Kept in this process only, a minute after it is done: nothing is stored, and whoever asks the same
again meanwhile gets the same answer. One is made at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from .. import clock
from ..domain.days import US_PER_S

WAIT_S = 1.5  # what a caller waits before it gets the progress instead
KEPT_US = 60 * US_PER_S
KEPT_MAX = 8


@dataclass
class Progress:
    """How far it is; `of` is 0 until that is known."""

    done: int = 0
    of: int = 0


@dataclass
class Report:
    """One report in the making, or made."""

    progress: Progress = field(default_factory=Progress)
    task: asyncio.Task[Any] | None = None
    ended_us: int | None = None


_reports: dict[Hashable, Report] = {}
_one_at_a_time = asyncio.Lock()


async def asked(
    key: Hashable, make: Callable[[Progress], Awaitable[Any]]
) -> tuple[Progress, Any | None]:
    """(how far, the report or None while it is being made). Raises what making it raised."""
    _forget_old()
    report = _reports.get(key)
    if report is None:
        report = _reports[key] = Report()
        report.task = asyncio.create_task(_made(report, make))
    task = report.task
    if task is None:
        return report.progress, None
    await asyncio.wait({task}, timeout=WAIT_S)
    if not task.done():
        return report.progress, None
    if task.cancelled() or task.exception() is not None:
        _reports.pop(key, None)
    return report.progress, task.result()


async def _made(report: Report, make: Callable[[Progress], Awaitable[Any]]) -> Any:
    try:
        async with _one_at_a_time:
            return await make(report.progress)
    finally:
        report.ended_us = clock.now_us()


def _forget_old() -> None:
    now_us = clock.now_us()
    for key, report in list(_reports.items()):
        ended = report.ended_us
        if ended is not None and not 0 <= now_us - ended < KEPT_US:
            del _reports[key]
    ended_first = sorted(
        (key for key, report in _reports.items() if report.ended_us is not None),
        key=lambda key: _reports[key].ended_us or 0,
    )
    for key in ended_first[: max(0, len(_reports) - KEPT_MAX)]:
        del _reports[key]


def forget() -> None:
    """Make every report anew."""
    for report in _reports.values():
        if report.task is not None:
            report.task.cancel()
    _reports.clear()
