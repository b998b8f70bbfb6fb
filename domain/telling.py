"""What is to be told about an alert now: that it is there, that nobody took it, that it is over.

Pure decisions over an alert's own marks; services/telling.py writes what follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from .alert_rules import ESCALATIONS_MAX, Rule, rank, worse
from .days import datetime_utc, instant_us

US_PER_S = 1_000_000
GATHER_S = 300  # one message a kind in so long; what comes meanwhile is told together
MINUTES_OF_DAY = 24 * 60
ATTEMPTS_MAX = 5  # of a delivery (LSP-19)
RETRY_S = (30, 120, 480, 1_920)  # after the first, second ... attempt: 43 minutes in all


class Event(str, Enum):
    """Why somebody hears of an alert."""

    RAISED = "raised"
    WORSE = "worse"  # its severity rose
    ESCALATED = "escalated"  # nobody acknowledged it
    CLEAR = "clear"  # its condition is gone


@dataclass(frozen=True)
class Told:
    """One alert to be told. `level`: who hears it, 1 at once, 2 and 3 when nobody took it."""

    event: Event
    severity: str
    level: int


@dataclass(frozen=True)
class QuietHours:
    """Minutes of the operator's day; from = to: none."""

    from_minute: int
    to_minute: int
    time_zone: str


def due(
    alert: Mapping[str, Any], rule: Rule, now_us: int, condition_told_us: int | None
) -> Told | None:
    """What is to be told now. `condition_told_us`: when this condition was last told of at an
    earlier time that it held.
    """
    severity, escalations = str(alert["severity"]), int(alert["escalations"])
    told_us = alert["told_us"]
    if not rule.told:
        return None
    if alert["resolved_us"] is not None:
        if told_us is None or alert["cleared_us"] is not None:
            return None
        return Told(Event.CLEAR, worse(str(alert["told_severity"]), escalations), escalations + 1)
    if told_us is None:
        if (
            condition_told_us is not None
            and now_us - condition_told_us < rule.cooldown_s * US_PER_S
        ):
            return None
        return Told(Event.RAISED, severity, 1)
    if rank(severity) > rank(str(alert["told_severity"])):
        return Told(Event.WORSE, severity, escalations + 1)
    if _nobody_took_it(alert, rule, now_us):
        level = escalations + 2
        return Told(Event.ESCALATED, worse(severity, escalations + 1), level)
    return None


def _nobody_took_it(alert: Mapping[str, Any], rule: Rule, now_us: int) -> bool:
    """Not acknowledged once more for as long as the rule gives, since it was last told."""
    if alert["acknowledged_us"] is not None or not rule.escalate_s:
        return False
    if int(alert["escalations"]) >= ESCALATIONS_MAX:
        return False
    since_us = int(alert["escalated_us"] or alert["told_us"])
    return now_us - since_us >= rule.escalate_s * US_PER_S


def hears(channel: Mapping[str, Any], told: Told) -> bool:
    """Is this channel told? By its least severity and its level."""
    enough = rank(told.severity) >= rank(str(channel["min_severity"]))
    return bool(channel["enabled"]) and enough and int(channel["level"]) <= told.level


def send_at_us(now_us: int, quiet: QuietHours, *, can_wait: bool) -> int:
    """Now, or the end of the quiet hours around now for what can wait."""
    if not can_wait or quiet.from_minute == quiet.to_minute:
        return now_us
    zone = ZoneInfo(quiet.time_zone)
    local = datetime_utc(now_us).astimezone(zone)
    minute = local.hour * 60 + local.minute
    if quiet.from_minute < quiet.to_minute:
        inside, tomorrow = quiet.from_minute <= minute < quiet.to_minute, False
    else:
        inside = minute >= quiet.from_minute or minute < quiet.to_minute
        tomorrow = minute >= quiet.from_minute
    if not inside:
        return now_us
    day = local.date() + timedelta(days=1 if tomorrow else 0)
    ends = datetime.combine(day, time(quiet.to_minute // 60, quiet.to_minute % 60), zone)
    return max(now_us, instant_us(ends))


def next_attempt_us(attempts: int, now_us: int) -> int | None:
    """When a delivery that failed so many times is tried again; None: given up."""
    if attempts >= ATTEMPTS_MAX:
        return None
    return now_us + RETRY_S[attempts - 1] * US_PER_S
