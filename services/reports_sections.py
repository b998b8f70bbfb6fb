"""The five sections of the full report (SAT-30 to SAT-34): right units, no row counted twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .. import books, clock
from ..books import MOMENT
from ..crud import fetch_rows
from ..database import Row, stored_time
from ..domain.days import US_PER_S
from ..domain.recalculation import recalculate
from ..domain.states import SplitRule
from ..listing import stored_us
from .alert_rules import rule_of
from .periods import Period
from .pool import stated_facts
from .reports_clients import ClientLine, read_clients
from .slices import shared_windows, sold_windows

LAST_SPLITS = 20
DEPOSITS_MAX = 1_000
# Worst first, as SAT-32 asks; the words are those of design.md 1.
SHARE_ORDER = ("failed", "cancelled", "confirmed")
HOUR_US = 3_600 * US_PER_S


@dataclass
class Processing:
    """S2: what was settled. Sats over all currencies, fiat by currency in minor units."""

    cash_outs: int = 0
    total_sats: int = 0
    base_sats: int = 0
    distributed_sats: int = 0
    owed_sats: int = 0
    operator_remainder_sats: int = 0
    commission_sats: int = 0
    first_us: int | None = None
    last_us: int | None = None


@dataclass
class InState:
    """S3: the shares in one state."""

    status: str
    count: int = 0
    sats: int = 0
    oldest_us: int | None = None
    newest_us: int | None = None


@dataclass(frozen=True)
class Pending:
    """S4: a deposit nobody confirmed for more than 48 hours."""

    id: str
    client_id: str
    username: str | None
    currency: str
    amount_minor: int
    created_us: int
    hours: int


@dataclass(frozen=True)
class SplitCheck:
    """S5: a stored split beside its recalculation; None where it cannot be recalculated."""

    id: str
    lamassu_transaction_id: str
    moment_us: int
    rule: str
    total_sats: int
    base_sats: int
    commission_sats: int
    expected_base_sats: int | None
    expected_commission_sats: int | None

    @property
    def difference_sats(self) -> int | None:
        """Stored commission less the rule's: above zero, too much was taken."""
        if self.expected_commission_sats is None:
            return None
        return self.commission_sats - self.expected_commission_sats

    @property
    def ok(self) -> bool:
        """To the sat, and base + commission = total."""
        return (
            self.base_sats + self.commission_sats == self.total_sats
            and self.base_sats == self.expected_base_sats
            and self.commission_sats == self.expected_commission_sats
        )


@dataclass(frozen=True)
class FiveSections:
    """The whole report of a period."""

    period: Period
    at_us: int
    clients: list[ClientLine]
    processing: Processing
    by_currency: dict[str, dict[str, int]]
    waiting: dict[str, int]  # cash-outs that are not completed, by state, whatever the period
    shares: list[InState]
    deposits: list[Pending]
    splits: list[SplitCheck]


async def read_sections(period: Period) -> FiveSections:
    """All five; a period narrows S1 to S3, S4 and S5 are about now."""
    processing, by_currency = await _processing(period)
    counts = await books.counts_by_status()
    return FiveSections(
        period=period,
        at_us=clock.now_us(),
        clients=await read_clients(period),
        processing=processing,
        by_currency=by_currency,
        waiting={state: n for state, n in counts.items() if state != "completed"},
        shares=await _shares(period),
        deposits=await late_deposits(),
        splits=await last_splits(),
    )


async def _processing(period: Period) -> tuple[Processing, dict[str, dict[str, int]]]:
    whole, by_currency = Processing(), dict[str, dict[str, int]]()
    for window in await sold_windows(period):
        for row in await fetch_rows(
            "SELECT t.fiat_code, COUNT(*) AS cash_outs, SUM(t.total_sats) AS total_sats,"
            " SUM(t.base_sats) AS base_sats, SUM(t.confirmed_sats) AS distributed_sats,"
            " SUM(t.failed_sats) AS owed_sats, SUM(t.commission_sats) AS commission_sats,"
            " SUM(t.operator_remainder_sats) AS operator_remainder_sats,"
            " SUM(t.fiat_minor) AS dispensed_minor, SUM(t.drawn_minor) AS charged_minor,"
            f" MIN({MOMENT}) AS first_us, MAX({MOMENT}) AS last_us"
            " FROM satoshimachine.lamassu_transactions t WHERE t.status = 'completed'"
            f" AND {MOMENT} >= :begins AND {MOMENT} < :ends GROUP BY t.fiat_code",
            window,
        ):
            _add_processed(whole, by_currency, row)
    return whole, by_currency


SUMMED = (
    *("cash_outs", "total_sats", "base_sats", "distributed_sats", "owed_sats"),
    *("operator_remainder_sats", "commission_sats"),
)
OF_CURRENCY = ("cash_outs", "dispensed_minor", "charged_minor")


def _add_processed(whole: Processing, by_currency: dict[str, dict[str, int]], row: Row) -> None:
    for name in SUMMED:
        setattr(whole, name, getattr(whole, name) + int(row[name] or 0))
    whole.first_us = min(whole.first_us or int(row["first_us"]), int(row["first_us"]))
    whole.last_us = max(whole.last_us or 0, int(row["last_us"]))
    one = by_currency.setdefault(str(row["fiat_code"]), dict.fromkeys(OF_CURRENCY, 0))
    for name in OF_CURRENCY:
        one[name] += int(row[name] or 0)


async def _shares(period: Period) -> list[InState]:
    found = {state: InState(state) for state in SHARE_ORDER}
    for window in await shared_windows(period):
        for row in await fetch_rows(
            "SELECT status, COUNT(*) AS n, SUM(amount_sats) AS sats, MIN(cash_out_us) AS oldest,"
            " MAX(cash_out_us) AS newest FROM satoshimachine.dca_payments"
            " WHERE cash_out_us >= :begins AND cash_out_us < :ends GROUP BY status",
            window,
        ):
            one = found.setdefault(str(row["status"]), InState(str(row["status"])))
            one.count += int(row["n"])
            one.sats += int(row["sats"])
            one.oldest_us = min(one.oldest_us or int(row["oldest"]), int(row["oldest"]))
            one.newest_us = max(one.newest_us or 0, int(row["newest"]))
    return list(found.values())


async def late_deposits() -> list[Pending]:
    """Deposits pending for more than 48 hours, the oldest first."""
    now_us = clock.now_us()
    rows = await fetch_rows(
        "SELECT d.*, (SELECT username FROM satoshimachine.dca_clients c WHERE c.id = d.client_id)"
        " AS username FROM satoshimachine.dca_deposits d WHERE d.status = 'pending'"
        " AND d.created_at < :late ORDER BY d.created_at, d.id LIMIT :most",
        {"late": stored_time(now_us - rule_of("deposit_waits").threshold_us), "most": DEPOSITS_MAX},
    )
    found = []
    for row in rows:
        created_us = stored_us(row["created_at"]) or 0
        found.append(
            Pending(
                id=str(row["id"]),
                client_id=str(row["client_id"]),
                username=row["username"],
                currency=str(row["currency"]),
                amount_minor=int(row["amount_minor"]),
                created_us=created_us,
                hours=(now_us - created_us) // HOUR_US,
            )
        )
    return found


SPLIT_COLUMNS = (
    "t.id, t.lamassu_transaction_id, t.split_rule, t.total_sats, t.base_sats, t.commission_sats,"
    " t.source_row, t.operator_facts, t.device_id, t.machine_name"
)


async def last_splits() -> list[SplitCheck]:
    """The newest settled cash-outs, recalculated."""
    rows = await fetch_rows(
        f"SELECT {SPLIT_COLUMNS}, {MOMENT} AS moment_us"
        " FROM satoshimachine.lamassu_transactions t"
        " WHERE t.status = 'completed' AND t.origin = 'observed'"
        f" ORDER BY {MOMENT} DESC, t.id DESC LIMIT {LAST_SPLITS}"
    )
    return [check_split(row) for row in rows]


def check_split(row: Row) -> SplitCheck:
    """A settled cash-out beside what its own rule gives, tolerance 0."""
    again = recalculate(json.loads(row["source_row"]), stated_facts(row))
    rule = str(row["split_rule"])
    expected = again.splits.get(SplitRule(rule)) if rule in RULES else None
    return SplitCheck(
        id=str(row["id"]),
        lamassu_transaction_id=str(row["lamassu_transaction_id"]),
        moment_us=int(row["moment_us"]),
        rule=rule,
        total_sats=int(row["total_sats"]),
        base_sats=int(row["base_sats"]),
        commission_sats=int(row["commission_sats"]),
        expected_base_sats=expected.base_sats if expected else None,
        expected_commission_sats=expected.commission_sats if expected else None,
    )


RULES = {rule.value for rule in SplitRule}


def wrong_lines(found: FiveSections) -> dict[str, Any]:
    """How many lines of each section need a person."""
    return {
        "clients": sum(not line.ok for line in found.clients),
        "shares": sum(one.count for one in found.shares if one.status == "failed"),
        "deposits": len(found.deposits),
        "splits": sum(not one.ok for one in found.splits),
    }
