"""What is done by the clock: reconciliation daily, health every two hours, the audit weekly.

One place knows when each was done last and when it comes next. One that was missed while LNbits was
down is done once, when it is up again. None is in the way of a tick: they are tasks of their own,
wait while a tick runs, and hold LNbits' databases for a slice at a time.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

from .. import clock, crud
from ..domain.days import US_PER_S, instant_us
from ..errors import StateConflict
from ..models_reconciliation import Scope, ScopeKind
from . import health, reconcile, resuming, weekly
from .reconcile_run import RUN, TICK_LEASE
from .reconcile_schedule import last_slot
from .setup import is_armed

HEALTH_EVERY_US = 2 * 3_600 * US_PER_S  # SAT-46
WATCHED_EVERY_US = 30 * 60 * US_PER_S  # while work is watched more closely
RECONCILE_AFTER = 3  # cash-outs, while work is watched more closely (SAT-28: 3 to 5)
WEEKDAY = 6  # Sunday, at 00:00 UTC (SAT-58)
LEASE = "schedules"
LEASE_US = 10 * 60 * US_PER_S
HOLDER = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"


async def run_due() -> list[str]:
    """Do what is due now, unless a tick or another process is at it; what was done."""
    if not await is_armed(await crud.get_config()) or await _tick_runs():
        return []
    now_us = clock.now_us()
    if not await crud.take_lease(LEASE, HOLDER, now_us, now_us + LEASE_US):
        return []
    done = []
    try:
        if await _health_next_us() <= now_us:
            await health.check_health(look=True)
            done.append("health")
        if await _weekly_due(now_us):
            await weekly.make("timer")
            done.append("weekly")
        if await _watch_wants_reconciliation():
            await reconcile.queue(Scope(ScopeKind.SINCE_LAST), cause="timer")
            done.append("reconciliation")
    except StateConflict:
        pass  # a reconciliation runs already
    finally:
        await crud.give_lease(LEASE, HOLDER)
    return done


async def read() -> list[dict[str, Any]]:
    """Each schedule: how often, when it was done last, when it comes next, how far it is."""
    now_us = clock.now_us()
    settings = await crud.get_settings()
    now = datetime.fromtimestamp(now_us // US_PER_S, timezone.utc)
    slot = last_slot(now, settings.reconcile_minute_utc)
    run = await crud.fetch_row(
        f"SELECT queued_us, reconciled_at_us, status, done, expected FROM {RUN}"
        " ORDER BY queued_us DESC LIMIT 1"
    )
    running = run is not None and run["status"] in ("queued", "running")
    made_us, progress = await _weekly_last_us(), await crud.get_meta(weekly.META_PROGRESS)
    return [
        {
            "name": "reconciliation",
            "last_us": run["reconciled_at_us"] if run else None,
            "next_us": (instant_us(slot + timedelta(days=1)) if settings.reconcile_daily else None),
            "progress": {"done": run["done"], "of": run["expected"]} if run and running else None,
        },
        {
            "name": "health",
            "last_us": await crud.get_meta(health.META_LOOKED),
            "next_us": max(now_us, await _health_next_us()),
            "progress": None,
        },
        {
            "name": "weekly",
            "last_us": made_us,
            "next_us": instant_us(last_slot(now, 0, WEEKDAY) + timedelta(days=7)),
            "progress": progress,
        },
    ]


async def _health_next_us() -> int:
    last_us = await crud.get_meta(health.META_LOOKED)
    watched = await resuming.watched_until_us() is not None
    return int(last_us or 0) + (WATCHED_EVERY_US if watched else HEALTH_EVERY_US)


async def _weekly_last_us() -> int | None:
    row = await crud.fetch_row("SELECT MAX(made_us) AS us FROM satoshimachine.weekly_reports")
    return int(row["us"]) if row and row["us"] is not None else None


async def _weekly_due(now_us: int) -> bool:
    """Once for the last Sunday, however many were missed."""
    now = datetime.fromtimestamp(now_us // US_PER_S, timezone.utc)
    last_us = await _weekly_last_us()
    return last_us is None or last_us < instant_us(last_slot(now, 0, WEEKDAY))


async def _watch_wants_reconciliation() -> bool:
    """Enough was settled since the last reconciliation began, while work is watched."""
    if await resuming.watched_until_us() is None:
        return False
    watch = await crud.get_meta(resuming.META_WATCH)
    row = await crud.fetch_row(f"SELECT MAX(queued_us) AS us FROM {RUN}")
    since_us = max(int(watch["from_us"]), int(row["us"] or 0) if row else 0)
    settled = await crud.fetch_row(
        "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM satoshimachine.lamassu_transactions"
        " WHERE status = 'completed' AND processed_us > :since LIMIT :most) settled",
        {"since": since_us, "most": RECONCILE_AFTER},
    )
    return settled is not None and int(settled["n"]) >= RECONCILE_AFTER


async def _tick_runs() -> bool:
    row = await crud.fetch_row(
        "SELECT 1 AS one FROM satoshimachine.leases WHERE name = :name AND expires_us > :now",
        {"name": TICK_LEASE, "now": clock.now_us()},
    )
    return row is not None
