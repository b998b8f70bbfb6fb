"""The range of days that a report is about, in the operator's time zone, both days included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from .. import clock
from ..domain.days import day_start_us, local_day
from ..errors import BadInput
from .list_filters import parse_day


@dataclass(frozen=True)
class Period:
    """`start_us` is in it, `end_us` is not. Without a first day it begins with the books."""

    time_zone: str
    first: date | None
    last: date
    start_us: int
    end_us: int

    @property
    def days(self) -> int | None:
        """How many days it has; None when it begins with the books."""
        return (self.last - self.first).days + 1 if self.first else None


def read_period(first: str | None, last: str | None, time_zone: str) -> Period:
    """The days as they were written. Raises BadInput for a day that is none, or an order that is
    none. Without a last day it ends today: what was moved a moment ago is in it.
    """
    begins, ends = parse_day("from", first), parse_day("to", last)
    if ends is None:
        ends = max(local_day(clock.now_us(), time_zone)[0], begins or date.min)
    if begins is not None and begins > ends:
        raise BadInput("from: this day is after the last one", hint="Swap the two days.")
    return Period(
        time_zone,
        begins,
        ends,
        day_start_us(begins, time_zone) if begins else 0,
        day_start_us(ends + timedelta(days=1), time_zone),
    )


def last_month(until: Period) -> Period:
    """The 31 days that end with this period."""
    first = until.last - timedelta(days=30)
    return read_period(first.isoformat(), until.last.isoformat(), until.time_zone)
