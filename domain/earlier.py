"""Rows of the earlier extension's tables: what they say and what they become (design.md 6).

A row comes in as its JSON, with everything that extension and its operator left in it: amounts of
any sign, any word as a status, numbers as text. What cannot be read becomes None here and stays in
`earlier_rows` alone; nothing raises. Amounts of fiat are whole currency units there and minor units
here. In what these functions return `*_at` and `transaction_time` are epoch microseconds and a
Fraction stands for a column of approximate numbers; legacy.py stores them as each database wants.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .days import US_PER_S, instant_us
from .money import CURRENCY_EXPONENT, INT64_MAX, minor_from_whole, parse_decimal
from .states import CashOutState, DepositState

Old = Mapping[str, Any]
New = dict[str, Any]

ORIGIN = "earlier"
DECIDED_BY = "earlier extension"  # who confirmed a deposit that its books had confirmed
CURRENCY = "GTQ"  # the one currency the earlier extension counted in
COIN = "BTC"  # its default where it named none
PAID = "confirmed"  # the status of a payment that reached its wallet and was charged
# Beyond any real deposit, and far enough inside 64 bits that sums of thousands of them fit.
WHOLE_UNITS_MAX = 10**12

_US_MAX = 253_402_300_800_000_000  # the year 10000: datetime ends there
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d(?::\d\d)?)?"
)


# -- values -----------------------------------------------------------------------------------


def read(text: str) -> Old:
    """A kept row; numbers with decimals stay exact."""
    row: Old = json.loads(text, parse_float=Decimal)
    return row


def number(value: Any) -> Fraction | None:
    """The exact number, whether it was stored as one or as text."""
    if isinstance(value, Decimal):
        value = f"{value:f}"
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    return parse_decimal(str(value).strip())


def whole(value: Any) -> int | None:
    """A whole number that fits 64 bits."""
    found = number(value)
    if found is None or found.denominator != 1 or abs(found) > INT64_MAX:
        return None
    return int(found)


def plain(value: Any) -> str | None:
    """The value as text; numbers without an exponent."""
    if value is None or isinstance(value, str):
        return value
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def yes(value: Any) -> bool:
    """A boolean as either database wrote it."""
    return str(value).strip().lower() in ("true", "t", "1")


def instant(value: Any) -> int | None:
    """Epoch microseconds of Unix seconds (SQLite) or of a naive UTC timestamp (PostgreSQL)."""
    seconds = number(value)
    if seconds is not None:
        us = int(seconds * US_PER_S)
        return us if 0 < us < _US_MAX else None
    match = _ISO.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, time, fraction, zone = match.groups()
    if zone in (None, "Z"):
        zone = "+00:00"
    try:
        moment = datetime.fromisoformat(f"{day}T{time}{zone if ':' in zone else zone + ':00'}")
    except ValueError:
        return None
    us = instant_us(moment) + int((fraction or "").ljust(6, "0"))
    return us if 0 < us < _US_MAX else None


# -- clients, deposits, payments --------------------------------------------------------------


def client(old: Old, now_us: int) -> New | None:
    """A client as they are; a word or limit nobody knows means paused, as for the companion's."""
    if old.get("id") is None:
        return None
    return {
        "id": plain(old["id"]),
        "user_id": plain(old["user_id"]) or "",
        "wallet_id": plain(old["wallet_id"]) or "",
        "username": plain(old["username"]),
        "dca_mode": plain(old["dca_mode"]) or "",
        "fixed_mode_daily_limit": number(old["fixed_mode_daily_limit"]),
        "status": plain(old["status"]) or "",
        "created_at": instant(old["created_at"]) or now_us,
        "updated_at": instant(old["updated_at"]) or now_us,
    }


def deposit_minor(old: Old) -> int | None:
    """The amount of a deposit in minor units of its currency, of any sign; None if not exact."""
    amount, currency = number(old["amount"]), plain(old["currency"]) or ""
    if amount is None or currency not in CURRENCY_EXPONENT or abs(amount) > WHOLE_UNITS_MAX:
        return None
    return minor_from_whole(amount, currency)


def deposit_problem(old: Old) -> str | None:
    """Why a deposit cannot be one of ours, for a person; None when it can."""
    if old.get("id") is None or old["client_id"] is None:
        return "it has no id or no client"
    if plain(old["currency"]) not in CURRENCY_EXPONENT:
        return f"its currency {plain(old['currency'])!r} is not known"
    minor = deposit_minor(old)
    if minor is None:
        return f"its amount {plain(old['amount'])!r} is not an amount of its currency"
    if minor <= 0:
        return "its amount is not above zero"
    if old["status"] not in [state.value for state in DepositState]:
        return f"its status {plain(old['status'])!r} is not known"
    return None


def deposit(old: Old, now_us: int) -> New | None:
    """A deposit we can keep as ours. A confirmed one counts from its confirmation."""
    if deposit_problem(old):
        return None
    created_us = instant(old["created_at"]) or now_us
    confirmed_us = instant(old["confirmed_at"])
    counts = old["status"] == DepositState.CONFIRMED.value
    return {
        "id": plain(old["id"]),
        "client_id": plain(old["client_id"]),
        "amount": number(old["amount"]),
        "currency": old["currency"],
        "status": old["status"],
        "notes": plain(old["notes"]),
        "created_at": created_us,
        "confirmed_at": confirmed_us,
        "amount_minor": deposit_minor(old),
        "effective_us": (confirmed_us or created_us) if counts else None,
        "decided_us": (confirmed_us or created_us) if counts else None,
        "decided_by": DECIDED_BY if counts else None,
    }


def charged_minor(old: Old, currency: str) -> int | None:
    """What a payment charged, to the nearest minor unit; None when no amount can be read."""
    amount = number(old["amount_fiat"])
    if amount is None or abs(amount) > WHOLE_UNITS_MAX:
        return None
    exponent: int = CURRENCY_EXPONENT[currency]
    return round(amount * Fraction(10**exponent))


def payment(old: Old, cash_out_id: str | None, fiat_code: str, now_us: int) -> New | None:
    """A payment, whatever its status: it is history, never retried. `fiat_code` is its sale's."""
    currency = fiat_code if fiat_code in CURRENCY_EXPONENT else CURRENCY
    sats, fiat_minor = whole(old["amount_sats"]), charged_minor(old, currency)
    if old.get("id") is None or old["client_id"] is None or sats is None or fiat_minor is None:
        return None
    created_us = instant(old["created_at"]) or now_us
    sold_us = instant(old.get("transaction_time"))
    return {
        "id": plain(old["id"]),
        "client_id": plain(old["client_id"]),
        "amount_sats": sats,
        "amount_fiat": number(old["amount_fiat"]),
        "exchange_rate": number(old["exchange_rate"]) or Fraction(0),
        "transaction_type": plain(old["transaction_type"]) or "",
        "lamassu_transaction_id": plain(old["lamassu_transaction_id"]) or None,
        "payment_hash": plain(old["payment_hash"]),
        "status": plain(old["status"]) or "",
        "created_at": created_us,
        "transaction_time": sold_us,
        "leg_key": f"{ORIGIN}:{plain(old['id'])}",
        "cash_out_id": cash_out_id,
        "currency": currency,
        "fiat_minor": fiat_minor,
        "cash_out_us": sold_us or created_us,
        "updated_us": created_us,
        "origin": ORIGIN,
    }


# -- cash-outs ----------------------------------------------------------------------------------


def cash_out(old: Old, now_us: int) -> New | None:
    """A transaction: a completed cash-out, so that its id can never be paid again.

    What its payments add up to is filled in when they are all there.
    """
    lamassu_id = plain(old["lamassu_transaction_id"])
    if old.get("id") is None or not lamassu_id:
        return None
    currency = plain(old["fiat_code"]) or CURRENCY
    fiat = number(old["fiat_amount"])
    exact = currency in CURRENCY_EXPONENT and fiat is not None and abs(fiat) <= WHOLE_UNITS_MAX
    rate = number(old["effective_commission"])
    sold_us, processed_us = instant(old["transaction_time"]), instant(old["processed_at"])
    sats = whole(old["crypto_amount"])
    return {
        **_settled(plain(old["id"]) or "", lamassu_id, processed_us or sold_us or now_us),
        "device_id": plain(old["device_id"]),
        "crypto_code": plain(old["crypto_code"]) or COIN,
        "fiat_code": currency,
        "crypto_atoms": sats,
        "fiat_minor": minor_from_whole(fiat, currency) if exact and fiat is not None else None,
        "commission_percentage": plain(old["commission_percentage"]),
        "discount": plain(old["discount"]),
        "confirmed_at_us": sold_us or processed_us,
        # Values as text, as in every row of this column; the row itself is in earlier_rows.
        "source_row": json.dumps({k: plain(v) for k, v in old.items()}, sort_keys=True),
        "effective_commission": (None if rate is None else f"{rate.numerator}/{rate.denominator}"),
        "total_sats": sats or 0,
        "base_sats": whole(old["base_amount_sats"]),
        "commission_sats": whole(old["commission_amount_sats"]),
        "clients_count": whole(old["clients_count"]) or 0,
    }


def cash_out_of_payment(old: Old, now_us: int) -> New:
    """The cash-out a payment names, where the earlier extension stored only the payment."""
    lamassu_id = plain(old["lamassu_transaction_id"]) or ""
    paid_us = instant(old["created_at"])
    sold_us = instant(old.get("transaction_time"))
    return {
        **_settled(f"{ORIGIN}:{lamassu_id}", lamassu_id, paid_us or sold_us or now_us),
        "device_id": None,
        "crypto_code": COIN,
        "fiat_code": CURRENCY,
        "crypto_atoms": None,
        "fiat_minor": None,
        "commission_percentage": None,
        "discount": None,
        "confirmed_at_us": sold_us or paid_us,
        "source_row": json.dumps({"known_only_from": "dca_payments"}),
        "effective_commission": None,
        "total_sats": 0,
        "base_sats": None,
        "commission_sats": None,
        "clients_count": 0,
    }


def _settled(cash_out_id: str, lamassu_id: str, processed_us: int) -> New:
    return {
        "id": cash_out_id,
        "lamassu_transaction_id": lamassu_id,
        "status": CashOutState.COMPLETED.value,
        "observed_us": processed_us,
        "processed_us": processed_us,
        "announced_us": processed_us,  # the wallets were told long ago
        "origin": ORIGIN,
    }


# -- connection ---------------------------------------------------------------------------------


def newest_active(configs: Iterable[Old]) -> Old | None:
    """The connection the earlier extension used: of several active ones the newest."""
    active = [row for row in configs if row.get("id") is not None and yes(row["is_active"])]
    if not active:
        return None
    return max(active, key=lambda row: (instant(row["created_at"]) or 0, plain(row["id"]) or ""))


def config(old: Old, now_us: int) -> New:
    """The connection in our shape. Its secrets must be sealed already; no host key is pinned."""
    created_us = instant(old["created_at"]) or now_us
    taken = ("database_name", "username", "password", "source_wallet_id", "commission_wallet_id")
    ssh = ("ssh_host", "ssh_username", "ssh_password", "ssh_private_key")
    return {
        **{name: plain(old[name]) or None for name in (*taken, *ssh)},
        "id": plain(old["id"]),
        "host": plain(old["host"]) or "",
        "database_name": plain(old["database_name"]) or "",
        "username": plain(old["username"]) or "",
        "port": _port(old["port"], 5432),
        "ssh_port": _port(old["ssh_port"], 22),
        "use_ssh_tunnel": yes(old["use_ssh_tunnel"]),
        "polling_enabled": True,
        "created_us": created_us,
        "updated_us": instant(old["updated_at"]) or created_us,
    }


def _port(value: Any, default: int) -> int:
    found = whole(value)
    return found if found is not None and 1 <= found <= 65535 else default
