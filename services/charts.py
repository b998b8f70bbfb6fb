"""The three charts, as sums per local day and per client over a bounded range."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from fractions import Fraction
from typing import Any

from .. import clock, crud
from ..books import MOMENT
from ..database import BooksConnection, Row, own
from ..domain.days import last_days
from ..domain.money import CURRENCY_EXPONENT, SATS_PER_COIN, decimal_text

DAYS_MAX = 92  # a quarter; more bars than that nobody reads
CLIENTS_SHOWN = 10
PART_DIGITS = 4  # of a fraction shown as percent
CLIENTS_MAX = 100_000  # far more than one machine's cash can serve


async def read_charts(days: int) -> dict[str, Any]:
    """Sums of this many days up to today."""

    async def work(conn: BooksConnection) -> dict[str, Any]:
        settings = await crud.get_settings(conn)
        span = last_days(clock.now_us(), settings.time_zone, days)
        groups = await _per_day(conn, span)
        per_day = _days(span, groups)
        return {
            "time_zone": settings.time_zone,
            "currency": settings.currency,
            "first": span[0][0],
            "last": span[-1][0],
            "days": per_day,
            "distributed_sats": sum(day["distributed_sats"] for day in per_day),
            "commission_sats": sum(day["commission_sats"] for day in per_day),
            "prices": _prices(span, groups),
            "clients": await _per_client(conn, span[0][1], span[-1][2]),
        }

    return await own(work)


async def _per_day(conn: BooksConnection, span: list[tuple[date, int, int]]) -> list[Row]:
    """Sums per day and currency, oldest first; each day is a range of the index.

    A day's shares cost `drawn_minor` in all, whether they arrived or are owed yet.
    """
    values: dict[str, Any] = {}
    parts = []
    for number, (_, start_us, end_us) in enumerate(span):
        values |= {f"from{number}": start_us, f"to{number}": end_us}
        parts.append(
            f"SELECT {number} AS n, t.fiat_code, COUNT(*) AS cash_outs,"
            " COALESCE(SUM(t.confirmed_sats), 0) AS distributed,"
            " COALESCE(SUM(t.commission_sats), 0) AS commission,"
            " COALESCE(SUM(t.drawn_minor), 0) AS drawn,"
            " COALESCE(SUM(CASE WHEN t.drawn_minor > 0 THEN t.confirmed_sats + t.failed_sats END),"
            " 0) AS bought FROM satoshimachine.lamassu_transactions t WHERE t.status = 'completed'"
            f" AND {MOMENT} >= :from{number} AND {MOMENT} < :to{number} GROUP BY t.fiat_code"
        )
    return await crud.fetch_rows(" UNION ALL ".join(parts), values, conn)


def _days(span: list[tuple[date, int, int]], groups: list[Row]) -> list[dict[str, Any]]:
    """Every day of the span, those without a sale as zeros."""
    found: list[dict[str, Any]] = [
        {"day": day, "cash_outs": 0, "distributed_sats": 0, "commission_sats": 0}
        for day, _, _ in span
    ]
    for group in groups:
        day = found[int(group["n"])]
        day["cash_outs"] += int(group["cash_outs"])
        day["distributed_sats"] += int(group["distributed"])
        day["commission_sats"] += int(group["commission"])
    return found


def _prices(span: list[tuple[date, int, int]], groups: list[Row]) -> dict[str, dict[str, Any]]:
    """Per currency, what clients paid for a bitcoin on each day they bought any."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for group in sorted(groups, key=lambda one: int(one["n"])):
        currency, sats, minor = str(group["fiat_code"]), int(group["bought"]), int(group["drawn"])
        if currency in CURRENCY_EXPONENT and sats > 0 and minor > 0:
            found[currency].append(
                {
                    "day": span[int(group["n"])][0],
                    "price": price_text(minor, sats, currency),
                    "sats": sats,
                    "fiat": decimal_text(minor, currency),
                }
            )
    return {currency: _price_range(days) for currency, days in sorted(found.items())}


def _price_range(days: list[dict[str, Any]]) -> dict[str, Any]:
    prices = [Fraction(day["price"]) for day in days]
    low, high = prices.index(min(prices)), prices.index(max(prices))
    return {
        "days": days,
        "low": days[low]["price"],
        "high": days[high]["price"],
        "last": days[-1]["price"],
    }


def price_text(minor: int, sats: int, currency: str) -> str:
    """Fiat for one whole bitcoin, rounded half up to the currency's minor unit."""
    exact = Fraction(minor * SATS_PER_COIN, sats)
    return decimal_text(
        (2 * exact.numerator + exact.denominator) // (2 * exact.denominator), currency
    )


async def _per_client(conn: BooksConnection, first_us: int, end_us: int) -> dict[str, Any]:
    """Who received most, the others together, all in sats."""
    rows = await crud.fetch_rows(
        "SELECT s.client_id, SUM(s.amount_sats) AS sats, COUNT(*) AS shares"
        " FROM satoshimachine.dca_payments s WHERE s.status = 'confirmed'"
        " AND s.cash_out_us >= :first AND s.cash_out_us < :end"
        " GROUP BY s.client_id ORDER BY 2 DESC, 1 LIMIT :most",
        {"first": first_us, "end": end_us, "most": CLIENTS_MAX},
        conn,
    )
    top, others = rows[:CLIENTS_SHOWN], rows[CLIENTS_SHOWN:]
    names = await conn.rows_in(
        "SELECT id, username FROM satoshimachine.dca_clients WHERE id IN ({marks})",
        [str(row["client_id"]) for row in top],
    )
    name_of = {str(row["id"]): row["username"] for row in names}
    whole = sum(int(row["sats"]) for row in rows)
    return {
        "top": [
            {
                "client_id": row["client_id"],
                "username": name_of.get(str(row["client_id"])),
                "sats": int(row["sats"]),
                "shares": int(row["shares"]),
                "part": round(int(row["sats"]) / whole, PART_DIGITS),
            }
            for row in top
        ],
        "others": len(others),
        "others_sats": sum(int(row["sats"]) for row in others),
        "sats": whole,
    }
