"""The operator's calendar day: 23 to 25 hours, every instant in exactly one (design.md 3.3)."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from satmachineadmin.domain.days import US_PER_S, datetime_utc, instant_us, local_day
from satmachineadmin.domain.eligibility import parse_instant_us

HOUR_US = 3600 * US_PER_S

# Ordinary operators, and every odd kind of midnight there is: half-hour zones and half-hour
# daylight saving, a midnight that does not exist (Cairo, Havana), a day that never was (Apia 2011).
ZONES = [
    "UTC",
    "America/Guatemala",
    "America/New_York",
    "Europe/Madrid",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Pacific/Apia",
    "Pacific/Kiritimati",
]
FIRST_US = instant_us(datetime(2013, 1, 1, tzinfo=timezone.utc))  # older than any Lamassu row
LAST_US = instant_us(datetime(2040, 1, 1, tzinfo=timezone.utc))
INSTANTS = st.integers(FIRST_US, LAST_US)


def us_of(text: str) -> int:
    """Epoch microseconds of an ISO text with offset."""
    return instant_us(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2025, 3, 9), 23),
        ("America/New_York", date(2025, 11, 2), 25),
        ("America/New_York", date(2025, 7, 4), 24),
        ("Europe/Madrid", date(2025, 3, 30), 23),
        ("Europe/Madrid", date(2025, 10, 26), 25),
        ("Africa/Cairo", date(2025, 4, 25), 23),  # begins at 01:00
        ("Africa/Cairo", date(2025, 10, 30), 25),  # its 23rd hour comes twice
        ("Australia/Lord_Howe", date(2025, 4, 6), 24.5),
        ("Australia/Lord_Howe", date(2025, 10, 5), 23.5),
        ("America/Guatemala", date(2025, 3, 9), 24),
    ],
)
def test_local_day_length(zone: str, day: date, hours: float) -> None:
    noon = instant_us(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)))
    found, start, end = local_day(noon, zone)
    assert found == day
    assert end - start == hours * HOUR_US
    assert start < noon < end


@pytest.mark.parametrize(
    ("zone", "instant", "day"),
    [
        ("America/Guatemala", "2025-06-01T05:59:59.999999+00:00", date(2025, 5, 31)),
        ("America/Guatemala", "2025-06-01T06:00:00+00:00", date(2025, 6, 1)),
        ("Europe/Madrid", "2025-10-26T00:30:00+00:00", date(2025, 10, 26)),  # first 02:30
        ("Europe/Madrid", "2025-10-26T01:30:00+00:00", date(2025, 10, 26)),  # second 02:30
        ("America/New_York", "2025-11-03T04:59:59.999999+00:00", date(2025, 11, 2)),
        ("America/New_York", "2025-11-03T05:00:00+00:00", date(2025, 11, 3)),
    ],
)
def test_local_day_of_an_instant(zone: str, instant: str, day: date) -> None:
    assert local_day(us_of(instant), zone)[0] == day


def test_local_day_skips_a_day_that_never_was() -> None:
    """Samoa had no 30 December 2011."""
    day, _, end = local_day(us_of("2011-12-29T12:00:00-10:00"), "Pacific/Apia")
    assert day == date(2011, 12, 29)
    assert local_day(end, "Pacific/Apia")[0] == date(2011, 12, 31)


@given(INSTANTS, st.sampled_from(ZONES))
def test_local_day_holds_its_instant_and_is_the_calendars_date(us: int, zone: str) -> None:
    day, start, end = local_day(us, zone)
    assert start <= us < end
    assert day == datetime_utc(us).astimezone(ZoneInfo(zone)).date()
    assert 23 * HOUR_US <= end - start <= 25 * HOUR_US


@given(INSTANTS, st.sampled_from(ZONES))
def test_local_day_days_follow_each_other_without_gap_or_overlap(us: int, zone: str) -> None:
    whole = local_day(us, zone)
    day, start, end = whole
    assert local_day(start, zone) == whole
    assert local_day(end - 1, zone) == whole
    after, begins, _ = local_day(end, zone)
    assert begins == end
    assert after == day + timedelta(days=1)
    before, _, ends = local_day(start - 1, zone)
    assert ends == start
    assert before == day - timedelta(days=1)


def test_local_day_refuses_an_unknown_zone() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        local_day(0, "Mars/Olympus_Mons")


@pytest.mark.parametrize("zone", ["UTC", "America/Guatemala", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00.000000",
        "0001-01-02T00:00:00.000000",
        "1970-01-01T00:00:00.000000",
        "9999-12-30T23:59:59.000000",
        "9999-12-31T23:59:59.999999",
    ],
)
def test_local_day_exists_for_every_instant_the_parser_lets_through(text: str, zone: str) -> None:
    """design.md 3.1: one poisonous row never stops the others, so it must not raise in the pool."""
    us = parse_instant_us(text)
    if us is not None:
        _, start, end = local_day(us, zone)
        assert start <= us < end


@given(st.datetimes(timezones=st.just(timezone.utc)))
@example(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc))
@example(datetime(2025, 6, 1, 0, 0, 0, 1, tzinfo=timezone.utc))
def test_instant_us_and_datetime_utc_are_inverse(moment: datetime) -> None:
    assert datetime_utc(instant_us(moment)) == moment


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.sampled_from(ZONES))
def test_instant_us_does_not_depend_on_the_zone_it_is_written_in(
    naive: datetime, zone: str
) -> None:
    moment = naive.replace(tzinfo=timezone.utc)
    assert instant_us(moment.astimezone(ZoneInfo(zone))) == instant_us(moment)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00.000000", 0),
        ("1970-01-01T00:00:00.000001", 1),
        ("1969-12-31T23:59:59.999999", -1),
        ("2025-06-01T12:34:56.789012", 1_748_781_296_789_012),
        ("2024-02-29T00:00:00.000000", 1_709_164_800_000_000),
    ],
)
def test_parse_instant_us_keeps_every_microsecond(text: str, us: int) -> None:
    assert parse_instant_us(text) == us


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "infinity",
        "-infinity",
        "2026-02-30T00:00:00.000000",
        "2025-02-29T00:00:00.000000",
        "2025-13-01T00:00:00.000000",
        "2025-00-10T00:00:00.000000",
        "2025-06-01T24:00:00.000000",
        "2025-06-01T12:60:00.000000",
        "2025-06-01T12:00:61.000000",
        "0000-01-01T00:00:00.000000",
        "2025-06-01T12:00:00",
        "2025-06-01T12:00:00.123",
        "2025-06-01 12:00:00.000000",
        "2025-06-01T12:00:00.000000Z",
        "2025-06-01T12:00:00.000000+00",
        "2025-06-01T12:00:00.000000\n",
        " 2025-06-01T12:00:00.000000",
        "10000-01-01 00:00:00+00",
        "4713-01-01 00:00:00+00 BC",
        "20٢5-06-01T12:00:00.000000",
        "２０２５-06-01T12:00:00.000000",
    ],
)
def test_parse_instant_us_refuses_everything_else(text: str | None) -> None:
    assert parse_instant_us(text) is None


@given(st.text())
def test_parse_instant_us_never_raises(text: str) -> None:
    assert parse_instant_us(text) is None
