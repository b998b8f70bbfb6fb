"""What a field may hold: text, names, numbers and instants as they come in from outside."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from .money import CURRENCY_EXPONENT

REASON_MIN = 3
EXPONENT_MAX = 30  # far beyond any currency's decimals and any rate's

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# A host name, an IPv4 or IPv6 address; never an option, an address list or a shell word.
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-_]{0,251}[A-Za-z0-9])?\.?|[0-9A-Fa-f:]{2,45}")
SOCKET_FOLDER = re.compile(r"/[A-Za-z0-9._\-/]{0,100}")


def plain_text(value: str | None, what: str) -> str | None:
    """Refuse control characters and line breaks: they have no business in one line of text."""
    if value is not None and (CONTROL.search(value) or not is_text(value)):
        raise ValueError(f"{what} must be one line without control characters")
    return value.strip() if value is not None else None


def is_text(value: str) -> bool:
    """False for half a character, which JSON can carry and no database stores."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def host_name(value: str, what: str) -> str:
    """A name or address that can only be a name or address."""
    value = value.strip()
    if not _HOST.fullmatch(value):
        raise ValueError(f"{what} must be a host name or an IP address")
    return value


@cache
def known_time_zones() -> frozenset[str]:
    """The zones of this machine. Asked once: it is a walk through a folder tree."""
    return frozenset(available_timezones())


def given_reason(value: str) -> str:
    """A reason that says something: blanks are none."""
    text = plain_text(value, "the reason") or ""
    if len(text) < REASON_MIN:
        raise ValueError(f"give a reason of at least {REASON_MIN} characters")
    return text


def short_decimal(value: Any) -> Any:
    """Refuse an exponent whose exact fraction would take minutes to compute (1e-99999999)."""
    if value is not None and not isinstance(value, bool):
        try:
            exponent = Decimal(str(value)).as_tuple().exponent
        except (InvalidOperation, ValueError):
            return value  # not a number: pydantic says so
        if isinstance(exponent, int) and abs(exponent) > EXPONENT_MAX:
            raise ValueError("has more decimals or digits than any amount has")
    return value


def whole_number(value: Any) -> Any:
    """Refuse a number with a fraction, and yes or no, where a whole number is asked for."""
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError("must be a whole number")
    return value


def known_currency(value: str) -> str:
    """An ISO 4217 code whose minor unit we know."""
    if value not in CURRENCY_EXPONENT:
        raise ValueError("is not a known currency code, for example GTQ or USD")
    return value


def aware(value: datetime | None) -> datetime | None:
    """An instant without a zone could be any instant: refuse it."""
    if value is not None and value.tzinfo is None:
        raise ValueError("give the time with its zone, for example 2026-01-31T00:00:00Z")
    return value.astimezone(timezone.utc) if value else None
