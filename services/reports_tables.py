"""The sections of the report as CSV files: one a section, because each has columns of its own.

One file with a section column would leave most cells of every line empty, and no spreadsheet could
sum it. They are written like the accountant's files (docs/export.md): numbered lines, SUM and END.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from zoneinfo import ZoneInfo

from ..domain.money import CURRENCY_EXPONENT
from .export_csv import Fiat, Line, Table, local_iso
from .reports_sections import FiveSections

CLIENTS = Table(
    "report-clients",
    (
        *("client_id", "client", "status", "currency", "opening", "deposits", "corrections"),
        *("shares", "closing", "later", "stored", "discrepancy", "verdict", "deposits_count"),
        *("shares_count", "received_sats", "owed_sats"),
    ),
    (
        *("opening", "deposits", "corrections", "shares", "closing", "later", "stored"),
        *("deposits_count", "shares_count", "received_sats", "owed_sats"),
    ),
    "currency",
)
PROCESSING = Table(
    "report-processing",
    ("what", "currency", "cash_outs", "sats", "dispensed", "charged", "first", "last"),
    (),
    "currency",
)
SHARES = Table(
    "report-shares", ("status", "count", "sats", "oldest", "newest"), ("count", "sats"), ""
)
DEPOSITS = Table(
    "report-deposits",
    ("deposit_id", "client_id", "client", "currency", "amount", "written_down_at", "hours"),
    ("amount",),
    "currency",
)
SPLITS = Table(
    "report-splits",
    (
        *("cash_out_id", "lamassu_id", "time", "rule", "total_sats", "base_sats"),
        *("commission_sats", "expected_base_sats", "expected_commission_sats"),
        *("difference_sats", "verdict"),
    ),
    ("total_sats", "base_sats", "commission_sats", "difference_sats"),
    "",
)


def _fiat(minor: int, currency: str) -> Fiat | None:
    return Fiat(minor, currency) if currency in CURRENCY_EXPONENT else None


def _clients(found: FiveSections, zone: ZoneInfo) -> list[Line]:
    amounts = (
        *("opening", "deposits", "corrections", "shares", "closing", "later", "stored"),
        "discrepancy",
    )
    return [
        Line(
            {
                **{name: _fiat(getattr(line, name), line.currency) for name in amounts},
                "client_id": line.client_id,
                "client": line.username,
                "status": line.status,
                "currency": line.currency,
                "verdict": "ok" if line.ok else "mismatch",
                "deposits_count": line.deposits_count,
                "shares_count": line.shares_count,
                "received_sats": line.received_sats,
                "owed_sats": line.owed_sats,
            }
        )
        for line in found.clients
    ]


def _processing(found: FiveSections, zone: ZoneInfo) -> list[Line]:
    one = found.processing
    ends = {"first": local_iso(one.first_us, zone), "last": local_iso(one.last_us, zone)}
    sats = (
        *("total_sats", "base_sats", "distributed_sats", "owed_sats"),
        *("operator_remainder_sats", "commission_sats"),
    )
    lines = [Line({"what": "completed", "cash_outs": one.cash_outs, **ends})]
    lines += [Line({"what": name, "sats": getattr(one, name)}) for name in sats]
    lines += [
        Line(
            {
                "what": "completed",
                "currency": currency,
                "cash_outs": sums["cash_outs"],
                "dispensed": _fiat(sums["dispensed_minor"], currency),
                "charged": _fiat(sums["charged_minor"], currency),
            }
        )
        for currency, sums in sorted(found.by_currency.items())
    ]
    return lines + [
        Line({"what": state, "cash_outs": count}) for state, count in found.waiting.items()
    ]


def _shares(found: FiveSections, zone: ZoneInfo) -> list[Line]:
    return [
        Line(
            {
                "status": one.status,
                "count": one.count,
                "sats": one.sats,
                "oldest": local_iso(one.oldest_us, zone),
                "newest": local_iso(one.newest_us, zone),
            }
        )
        for one in found.shares
    ]


def _deposits(found: FiveSections, zone: ZoneInfo) -> list[Line]:
    return [
        Line(
            {
                "deposit_id": one.id,
                "client_id": one.client_id,
                "client": one.username,
                "currency": one.currency,
                "amount": _fiat(one.amount_minor, one.currency),
                "written_down_at": local_iso(one.created_us, zone),
                "hours": one.hours,
            }
        )
        for one in found.deposits
    ]


def _splits(found: FiveSections, zone: ZoneInfo) -> list[Line]:
    return [
        Line(
            {
                "cash_out_id": one.id,
                "lamassu_id": one.lamassu_transaction_id,
                "time": local_iso(one.moment_us, zone),
                "rule": one.rule,
                "total_sats": one.total_sats,
                "base_sats": one.base_sats,
                "commission_sats": one.commission_sats,
                "expected_base_sats": one.expected_base_sats,
                "expected_commission_sats": one.expected_commission_sats,
                "difference_sats": one.difference_sats,
                "verdict": "ok" if one.ok else "mismatch",
            }
        )
        for one in found.splits
    ]


Lines = Callable[[FiveSections, ZoneInfo], list[Line]]
SECTIONS: dict[str, tuple[Table, Lines]] = {
    "clients": (CLIENTS, _clients),
    "processing": (PROCESSING, _processing),
    "shares": (SHARES, _shares),
    "deposits": (DEPOSITS, _deposits),
    "splits": (SPLITS, _splits),
}


async def section_pages(name: str, found: FiveSections) -> AsyncIterator[list[Any]]:
    """The lines of one section, as csv_chunks takes them."""
    yield SECTIONS[name][1](found, ZoneInfo(found.period.time_zone))
