"""When a reconciliation is due: daily, weekly in full, and after a restore or an upgrade.

One that was missed while LNbits was down is done once, when it is up again.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from .. import clock, crud
from ..database import Row
from ..domain.days import instant_us
from ..errors import StateConflict
from ..migrations import SCHEMA_VERSION
from ..models import OperatorSettings
from ..models_reconciliation import Scope, ScopeKind
from . import reconcile
from .reconcile_run import RUN

DAYS_OF_WEEK = 7


def last_slot(now: datetime, minute: int, weekday: int | None = None) -> datetime:
    """The last moment up to now when it was due: of this minute of a day, of this weekday."""
    slot = now.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0)
    while slot > now or (weekday is not None and slot.weekday() != weekday):
        slot -= timedelta(days=1)
    return slot


async def queue_if_due() -> str | None:
    """Queue what is due now; its run's id, or None."""
    config, settings = await crud.get_config(), await crud.get_settings()
    if config is None:
        return None
    due = await _due(settings, clock.now_us())
    if due is None:
        return None
    cause, kind = due
    try:
        return await reconcile.queue(Scope(kind), cause=cause)
    except StateConflict:
        return None  # one is running; this comes after it


async def _due(settings: OperatorSettings, now_us: int) -> tuple[str, ScopeKind] | None:
    full = await _last("kind = 'everything'")
    restored = await crud.fetch_row(
        "SELECT at_us FROM satoshimachine.audit_log WHERE subject = 'restore'"
        " AND action = 'restore_opened' ORDER BY seq DESC LIMIT 1"
    )
    if restored and (full is None or int(full["queued_us"]) < int(restored["at_us"])):
        return "restore", ScopeKind.EVERYTHING
    if full is not None and int(full["schema_version"]) != SCHEMA_VERSION:
        return "upgrade", ScopeKind.EVERYTHING
    if not settings.reconcile_daily:
        return None
    now = datetime.fromtimestamp(now_us // 1_000_000, timezone.utc)
    weekly = last_slot(now, settings.reconcile_minute_utc, settings.reconcile_full_weekday)
    if full is None or int(full["queued_us"]) < instant_us(weekly):
        return "timer", ScopeKind.EVERYTHING
    last = await _last("kind IN ('everything', 'since_last')")
    daily = last_slot(now, settings.reconcile_minute_utc)
    if last is None or int(last["queued_us"]) < instant_us(daily):
        return "timer", ScopeKind.SINCE_LAST
    return None


async def _last(clause: str) -> Row | None:
    """The newest run of a kind, however it ended: one that a person cancelled does not come back
    before the next day.
    """
    return await crud.fetch_row(
        f"SELECT queued_us, schema_version FROM {RUN} WHERE {clause}"
        " ORDER BY queued_us DESC LIMIT 1"
    )
