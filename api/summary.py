"""Routes: the overview. What needs the operator, the numbers of today, the charts, the wallets."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Query

from .. import clock
from ..services import charts, funds, needs, overview, summary
from ..transaction_processor import progress
from .answers import fiat, instant
from .routing import AnsweringRoute

RATE_DIGITS = 6  # of a fraction shown as percent with four decimals

router = APIRouter(route_class=AnsweringRoute)


@router.get("/needs")
async def get_needs() -> dict[str, Any]:
    """What needs a person, worst first."""
    found = await overview.read_overview(running=progress.phase != "idle")
    return {"data": [asdict(need) for need in await needs.read_needs(found)]}


@router.get("/summary")
async def get_summary() -> dict[str, Any]:
    """Sums of today and of the recent past; integer sats, decimal fiat, rates as fractions."""
    found = await summary.read_summary()
    commission, deposits, clients = found["commission"], found["deposits"], found["clients"]
    return {
        "at": clock.iso(found["now_us"]),
        "day": found["day"].isoformat(),
        "days": found["days"],
        "first_day": found["first_day"].isoformat(),
        "currency": found["currency"],
        "time_zone": found["time_zone"],
        "today": found["today"],
        "held": found["held"],
        "failed_shares": found["failed"],
        "clients": {
            "active": clients["active"],
            "with_balance": clients["with_balance"],
            "remaining": _amounts(clients["remaining_minor"]),
        },
        "commission": {
            "average": _rate(commission.average),
            "configured": _rate(commission.configured),
            "expected": _rate(commission.expected),
            "cash_outs": commission.cash_outs,
        },
        "paid_after_s": _seconds(found["paid_after_us"]),
        "deposits": {
            "pending": deposits["count"],
            "late": deposits["late"],
            "oldest_at": instant(deposits["oldest"]),
            "waiting": _amounts(deposits["waiting_minor"]),
        },
    }


@router.get("/charts")
async def get_charts(
    days: Annotated[int, Query(ge=1, le=charts.DAYS_MAX)] = 30,
) -> dict[str, Any]:
    """Sums per local day and per client over this many days up to today."""
    found = await charts.read_charts(days)
    return {
        **found,
        "first": found["first"].isoformat(),
        "last": found["last"].isoformat(),
        "days": [_dated(day) for day in found["days"]],
        "prices": {
            currency: {**prices, "days": [_dated(day) for day in prices["days"]]}
            for currency, prices in found["prices"].items()
        },
    }


@router.get("/funds")
async def get_funds() -> dict[str, Any]:
    """What lies in the source and the commission wallet, and how long the source lasts."""
    found = await funds.read_funds()
    at = clock.iso(found.pop("at_us"))
    return {"at": at, **found}


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "day": row["day"].isoformat()}


def _amounts(minor: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {"currency": currency, "minor": amount, "amount": fiat(amount, currency)}
        for currency, amount in minor.items()
    ]


def _rate(fraction: Fraction | None) -> float | None:
    """A fraction of 1 for people; never used in a computation."""
    if fraction is None:
        return None
    return round(fraction.numerator / fraction.denominator, RATE_DIGITS)


def _seconds(us: int | None) -> int | None:
    return None if us is None else us // 1_000_000
