"""The readable parameters of the lists, as clauses: states, days, machine, coin, currency, client.

The page keeps them in its own address and the exports take the same, so they are named for people.
Days are calendar days in the operator's time zone, both included.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

from ..books import MOMENT
from ..database import stored_time
from ..domain.days import day_start_us
from ..domain.states import CashOutState, DepositState, ShareState
from ..errors import BadInput
from ..listing import Clause

FIRST_YEAR, LAST_YEAR = 2000, 2999  # beyond them nobody sold bitcoin, and time zones end
VALUE_MAX = 200  # longer than any id or name these look for
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class CashOutQuery:
    """Which cash-outs: every field that is not None narrows the list."""

    status: str | None = None  # one state or several, with commas
    from_day: str | None = None
    to_day: str | None = None
    machine: str | None = None  # a device id
    coin: str | None = None
    currency: str | None = None
    client: str | None = None  # client id: cash-outs with a share of this client
    shares: str | None = None  # 'failed': cash-outs with sats that are owed to clients


@dataclass(frozen=True)
class DepositQuery:
    """Which deposits; the days are those they were written down on."""

    status: str | None = None
    from_day: str | None = None
    to_day: str | None = None
    client: str | None = None
    currency: str | None = None


# By the shares, of which few fail: their index finds these, whatever the number of cash-outs.
FAILED_SHARES = (
    "t.id IN (SELECT cash_out_id FROM satoshimachine.dca_payments"
    " WHERE status = 'failed' AND origin = 'observed')"
)

# Parameter names of the addresses; `from` is no name in Python.
CASH_OUT_NAMES = ("status", "from", "to", "machine", "coin", "currency", "client", "shares")
DEPOSIT_NAMES = ("status", "from", "to", "client", "currency")


def cash_out_clauses(query: CashOutQuery, time_zone: str) -> list[Clause]:
    """Conditions on lamassu_transactions. Raises BadInput for a state or day that is none."""
    refuse_long(query)
    clauses = _states(query.status, {state.value for state in CashOutState})
    clauses += day_clauses(query.from_day, query.to_day, time_zone, MOMENT, lambda us: us)
    clauses += equal_clauses(
        device_id=query.machine, crypto_code=query.coin, fiat_code=query.currency
    )
    if query.client:
        clauses.append(
            Clause(
                "t.id IN (SELECT cash_out_id FROM satoshimachine.dca_payments"
                " WHERE client_id = :client)",
                {"client": query.client},
            )
        )
    if query.shares:
        if query.shares != ShareState.FAILED.value:
            raise BadInput("shares can only be 'failed'", hint="Leave it out to see all.")
        clauses.append(Clause(FAILED_SHARES))
    return clauses


def deposit_clauses(query: DepositQuery, time_zone: str) -> list[Clause]:
    """Conditions on dca_deposits. Raises BadInput as above."""
    refuse_long(query)
    clauses = _states(query.status, {state.value for state in DepositState})
    clauses += day_clauses(query.from_day, query.to_day, time_zone, "t.created_at", stored_time)
    return clauses + equal_clauses(client_id=query.client, currency=query.currency)


def refuse_long(query: Any) -> None:
    """Raise BadInput for a value longer than any there is; `query`: a dataclass of texts."""
    for one in fields(query):
        value = getattr(query, one.name)
        if value is not None and (len(value) > VALUE_MAX or "\x00" in value):
            name = one.name.removesuffix("_day")
            raise BadInput(f"{name}: no such value", hint="Choose one that the list offers.")


def _states(text: str | None, known: Collection[str]) -> list[Clause]:
    if not text:
        return []
    states = text.split(",")
    if unknown := [state for state in states if state not in known]:
        raise BadInput(
            f"status: '{unknown[0]}' is no state of this list",
            hint=f"Use one or several of {', '.join(sorted(known))}, with commas between.",
        )
    named = {f"state_{number}": state for number, state in enumerate(states)}
    return [Clause(f"t.status IN ({', '.join(f':{name}' for name in named)})", named)]


def day_clauses(
    first: str | None, last: str | None, time_zone: str, column: str, stored: Any
) -> list[Clause]:
    """From this day to that one, both included, in the operator's time zone."""
    from_day, to_day = _day("from", first), _day("to", last)
    if from_day and to_day and from_day > to_day:
        raise BadInput("from: this day is after the last one", hint="Swap the two days.")
    clauses = []
    if from_day:
        value = stored(day_start_us(from_day, time_zone))
        clauses.append(Clause(f"{column} >= :from_moment", {"from_moment": value}))
    if to_day:
        value = stored(day_start_us(to_day + timedelta(days=1), time_zone))
        clauses.append(Clause(f"{column} < :to_moment", {"to_moment": value}))
    return clauses


def _day(name: str, text: str | None) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadInput(f"{name}: this is no day", hint="Write a day like 2026-01-31.")
    return day


def equal_clauses(**columns: str | None) -> list[Clause]:
    """Columns that have these values; None: any."""
    return [
        Clause(f"t.{name} = :is_{name}", {f"is_{name}": value})
        for name, value in columns.items()
        if value
    ]
