"""The operator's calendar day around an instant, daylight saving included."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

US_PER_S = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def instant_us(moment: datetime) -> int:
    """Epoch microseconds of an aware datetime, exactly (no float on the way)."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * US_PER_S + since.microseconds


def datetime_utc(us: int) -> datetime:
    """The aware UTC datetime of epoch microseconds."""
    return _EPOCH + timedelta(microseconds=us)


def local_day(us: int, time_zone: str) -> tuple[date, int, int]:
    """(day, first microsecond, first microsecond of the next day) of the local day around `us`.

    A day has 23, 24 or 25 hours. Raises ZoneInfoNotFoundError for an unknown zone; settings refuse
    one when they are saved.
    """
    zone = ZoneInfo(time_zone)
    day = datetime_utc(us).astimezone(zone).date()
    start = datetime.combine(day, time(), zone)
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    return day, instant_us(start), instant_us(end)


def last_days(us: int, time_zone: str, count: int) -> list[tuple[date, int, int]]:
    """The local day around `us` and those before it, oldest first, each as `local_day` says."""
    days = [local_day(us, time_zone)]
    while len(days) < count:
        days.append(local_day(days[-1][1] - 1, time_zone))
    return days[::-1]


def day_start_us(day: date, time_zone: str) -> int:
    """The first microsecond of a calendar day in this zone."""
    return instant_us(datetime.combine(day, time(), ZoneInfo(time_zone)))
