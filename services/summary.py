"""The numbers of the overview: bounded sums over indexed ranges, never over all history.

A day is a calendar day of the operator's time zone, and a cash-out belongs to the day it was sold
on, as in the lists that the numbers link to. Sats and minor units are integers, rates Fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from statistics import median
from typing import Any

from .. import clock, crud
from ..books import MOMENT
from ..database import BooksConnection, Row, own, stored_time
from ..domain.days import last_days
from ..domain.money import parse_decimal
from ..domain.split import effective_commission
from ..domain.states import SplitRule
from .alert_rules import rule_of

COUNT_MAX = 10_000  # of what waits for a person: nobody works through more, and counting is work
RECENT_DAYS = 30  # what "average" is about
RECENT_PAID = 100  # cash-outs whose way to the clients is timed
GROUPS_MAX = 1_000  # different rates within RECENT_DAYS


@dataclass(frozen=True)
class Commission:
    """What was taken on average, and what it should have been, as the split rules count it."""

    average: Fraction | None
    configured: Fraction | None  # the machines' own percentage
    expected: Fraction | None  # after their discounts
    cash_outs: int


async def read_summary() -> dict[str, Any]:
    """What stands on the tiles. Reads only; takes no lock of the wallets."""
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> dict[str, Any]:
        settings = await crud.get_settings(conn)
        days = last_days(now_us, settings.time_zone, RECENT_DAYS)
        day, start_us, end_us = days[-1]
        return {
            "now_us": now_us,
            "day": day,
            "days": RECENT_DAYS,
            "first_day": days[0][0],
            "currency": settings.currency,
            "time_zone": settings.time_zone,
            "today": await _paid_between(conn, start_us, end_us),
            "held": await held(conn),
            "failed": await failed_shares(conn),
            "clients": await _clients(conn),
            "commission": await _commission(conn, days[0][1]),
            "paid_after_us": await _paid_after_us(conn),
            "deposits": await pending_deposits(conn, now_us),
        }

    return await own(work)


async def _one(conn: BooksConnection, query: str, values: dict[str, Any] | None = None) -> Row:
    rows = await crud.fetch_rows(query, values, conn)
    return rows[0]  # a sum without GROUP BY always has one


async def _paid_between(conn: BooksConnection, start_us: int, end_us: int) -> dict[str, int]:
    row = await _one(
        conn,
        "SELECT COUNT(*) AS cash_outs, COALESCE(SUM(t.confirmed_sats), 0) AS distributed,"
        " COALESCE(SUM(t.commission_sats), 0) AS commission"
        " FROM satoshimachine.lamassu_transactions t"
        f" WHERE t.status = 'completed' AND {MOMENT} >= :start AND {MOMENT} < :end",
        {"start": start_us, "end": end_us},
    )
    return {
        "cash_outs": int(row["cash_outs"]),
        "distributed_sats": int(row["distributed"]),
        "commission_sats": int(row["commission"]),
    }


async def held(conn: BooksConnection) -> dict[str, int]:
    """Cash-outs that wait for the operator, by what their customers paid."""
    row = await _one(
        conn,
        "SELECT COUNT(*) AS n, COALESCE(SUM(crypto_atoms), 0) AS sats FROM (SELECT crypto_atoms"
        " FROM satoshimachine.lamassu_transactions WHERE status = 'held' LIMIT :most) held",
        {"most": COUNT_MAX},
    )
    return {"count": int(row["n"]), "sats": int(row["sats"])}


async def failed_shares(conn: BooksConnection) -> dict[str, int]:
    """Shares that wait in the source wallet."""
    row = await _one(
        conn,
        "SELECT COUNT(*) AS n, COALESCE(SUM(amount_sats), 0) AS sats FROM (SELECT amount_sats"
        " FROM satoshimachine.dca_payments WHERE status = 'failed' AND origin = 'observed'"
        " LIMIT :most) failed",
        {"most": COUNT_MAX},
    )
    return {"count": int(row["n"]), "sats": int(row["sats"])}


async def _clients(conn: BooksConnection) -> dict[str, Any]:
    """How many clients take part now, and what they have left; as many rows as clients."""
    rows = await crud.fetch_rows(
        "SELECT b.unit, COUNT(*) AS n, SUM(b.balance) AS minor FROM satoshimachine.dca_clients c"
        " JOIN satoshimachine.ledger_balances b ON b.account = 'client:' || c.id"
        " WHERE c.status = 'active' AND b.balance > 0 GROUP BY b.unit ORDER BY b.unit LIMIT 200",
        None,
        conn,
    )
    with_balance = await _one(
        conn,
        "SELECT COUNT(*) AS active, COUNT(CASE WHEN EXISTS (SELECT 1"
        " FROM satoshimachine.ledger_balances b WHERE b.account = 'client:' || c.id"
        " AND b.balance > 0) THEN 1 END) AS funded"
        " FROM satoshimachine.dca_clients c WHERE c.status = 'active'",
    )
    return {
        "active": int(with_balance["active"]),
        "with_balance": int(with_balance["funded"]),
        "remaining_minor": {str(row["unit"]): int(row["minor"]) for row in rows},
    }


async def _commission(conn: BooksConnection, first_us: int) -> Commission:
    """Cash-outs of the same rate are summed together: there are few different rates."""
    groups = await crud.fetch_rows(
        "SELECT t.split_rule, t.commission_percentage, t.discount, COUNT(*) AS n,"
        " SUM(t.total_sats) AS total, SUM(t.base_sats) AS base, SUM(t.commission_sats) AS taken"
        " FROM satoshimachine.lamassu_transactions t WHERE t.status = 'completed'"
        f" AND {MOMENT} >= :first AND t.origin = 'observed'"
        " GROUP BY t.split_rule, t.commission_percentage, t.discount LIMIT :most",
        {"first": first_us, "most": GROUPS_MAX},
        conn,
    )
    return average_commission(groups)


def average_commission(groups: list[Row]) -> Commission:
    """Of groups of one rule, rate and discount each, with their sums.

    `markup` adds the commission to the base, the other rules take it from the total. A rate that a
    person stated is not in the source row: such cash-outs count into no average.
    """
    taken = configured = expected = Fraction(0)
    reference = cash_outs = 0
    for group in groups:
        rate = parse_decimal(group["commission_percentage"])
        discount = parse_decimal(group["discount"]) or Fraction(0)
        if rate is None or not 0 <= rate <= 1:
            continue
        of = group["base"] if group["split_rule"] == SplitRule.MARKUP.value else group["total"]
        reference += int(of)
        cash_outs += int(group["n"])
        taken += int(group["taken"])
        configured += int(of) * rate
        expected += int(of) * effective_commission(rate, discount)
    if not reference:
        return Commission(None, None, None, cash_outs)
    return Commission(taken / reference, configured / reference, expected / reference, cash_outs)


async def _paid_after_us(conn: BooksConnection) -> int | None:
    """The median time from the sale to the clients' wallets, of the newest cash-outs; SAT-49."""
    rows = await crud.fetch_rows(
        "SELECT t.processed_us - t.confirmed_at_us + t.clock_difference_us AS us"
        " FROM satoshimachine.lamassu_transactions t WHERE t.status = 'completed'"
        " AND t.confirmed_at_us IS NOT NULL AND t.origin = 'observed'"
        " ORDER BY t.confirmed_at_us DESC, t.id DESC LIMIT :most",
        {"most": RECENT_PAID},
        conn,
    )
    times = [max(0, int(row["us"])) for row in rows]
    return int(median(times)) if times else None


async def pending_deposits(conn: BooksConnection, now_us: int) -> dict[str, Any]:
    """Deposits nobody confirmed yet, and those that wait longer than the rule says (SAT-49)."""
    late = stored_time(now_us - rule_of("deposit_waits").threshold_us)
    rows = await crud.fetch_rows(
        "SELECT currency, COUNT(*) AS n, SUM(amount_minor) AS minor, MIN(created_at) AS oldest,"
        " COUNT(CASE WHEN created_at < :late THEN 1 END) AS late FROM (SELECT currency,"
        " amount_minor, created_at FROM satoshimachine.dca_deposits WHERE status = 'pending'"
        " LIMIT :most) pending GROUP BY currency ORDER BY currency LIMIT 200",
        {"late": late, "most": COUNT_MAX},
        conn,
    )
    return {
        "count": sum(int(row["n"]) for row in rows),
        "late": sum(int(row["late"]) for row in rows),
        "oldest": min((row["oldest"] for row in rows), default=None),
        "waiting_minor": {str(row["currency"]): int(row["minor"]) for row in rows},
    }
