"""Commission by rule: every stored split recalculated by its own rule, and by the others beside it
(SAT-17 to SAT-19), so that the operator sees which rule their machines fit and what the choice
costs.

Rows are read and recalculated in slices; between two of them everybody else gets a turn.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..books import MOMENT
from ..crud import fetch_rows
from ..database import BooksConnection, Row, own
from ..domain.days import local_day
from ..domain.recalculation import Recalculated, recalculate, shares_by_rule
from ..domain.split_fit import ROUNDING_SATS
from ..domain.states import SplitRule
from ..errors import BadInput
from .periods import Period
from .pool import stated_facts
from .reports_sections import RULES, SPLIT_COLUMNS, SplitCheck, check_split
from .slices import settled_rows
from .slow import Progress

ROWS_PER_SLICE = 250  # some 25 ms of arithmetic
DAYS_MAX = 366
SHOWN_MAX = 100  # splits that are off, by name; all of them count
OWN = "own"


@dataclass
class Sums:
    """Cash-outs of one day, month, machine, or all of them."""

    cash_outs: int = 0
    total_sats: int = 0
    commission_sats: int = 0  # stored
    wrong: int = 0  # off by their own rule
    wrong_sats: int = 0  # stored less the rule's; above zero: too much was taken
    compared: int = 0  # cash-outs that every rule splits and whose profit is known
    compared_sats: int = 0  # their stored commission
    by_rule: dict[str, int] = field(default_factory=lambda: dict.fromkeys(sorted(RULES), 0))
    profit_sats: int = 0  # Lamassu's own, of those
    misses: dict[str, int] = field(default_factory=lambda: dict.fromkeys(sorted(RULES), 0))

    def add(self, check: SplitCheck, again: Recalculated) -> None:
        """One more cash-out."""
        self.cash_outs += 1
        self.total_sats += check.total_sats
        self.commission_sats += check.commission_sats
        if not check.ok:
            self.wrong += 1
            self.wrong_sats += check.difference_sats or 0
        if again.profit_sats is None or len(again.splits) < len(RULES):
            return
        self.compared += 1
        self.compared_sats += check.commission_sats
        self.profit_sats += again.profit_sats
        for rule, one in again.splits.items():
            self.by_rule[rule.value] += one.commission_sats
            off = abs(one.commission_sats - again.profit_sats)
            self.misses[rule.value] += off > ROUNDING_SATS

    def costs(self) -> dict[str, int]:
        """Per rule: how many sats more the operator would have had with it, on what can be
        compared; below zero, less. What the operator gets more, the clients get less.
        """
        return {rule: sats - self.compared_sats for rule, sats in self.by_rule.items()}


@dataclass
class Impact:
    """What one client got beside what a rule asked; below zero: too little."""

    client_id: str
    username: str | None = None
    cash_outs: int = 0
    got_sats: int = 0
    expected_sats: int = 0
    compensated_sats: int = 0  # given to them by corrections since the period began

    @property
    def sats(self) -> int:
        """Got less expected, by the shares alone."""
        return self.got_sats - self.expected_sats

    @property
    def missing_sats(self) -> int:
        """What is still to be paid back: nobody is compensated twice for the same."""
        return max(0, -self.sats - self.compensated_sats)


@dataclass
class CommissionReport:
    """The whole of a period. `against`: the rule that `impacts` compares with."""

    period: Period
    against: str
    whole: Sums = field(default_factory=Sums)
    days: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    months: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    machines: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    machine_names: dict[str, str] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong: list[SplitCheck] = field(default_factory=list)
    impacts: dict[str, Impact] = field(default_factory=dict)

    def best_rule(self) -> str | None:
        """The rule that misses Lamassu's profit least often; None without anything to go by."""
        if not self.whole.compared:
            return None
        return min(
            sorted(RULES),
            key=lambda rule: (
                self.whole.misses[rule],
                abs(self.whole.by_rule[rule] - self.whole.profit_sats),
            ),
        )


def refuse_long(period: Period, against: str) -> None:
    """Raise BadInput for a range or rule that no report is made of."""
    if period.days is None or period.days > DAYS_MAX:
        raise BadInput(
            f"This report is about at most {DAYS_MAX} days", hint="Choose a shorter range."
        )
    if against not in {OWN, *RULES}:
        raise BadInput(
            "rule: there is no such split rule",
            hint=f"Use one of {', '.join([OWN, *sorted(RULES)])}.",
        )


async def read_commission(period: Period, against: str, progress: Progress) -> CommissionReport:
    """Raises BadInput as refuse_long."""
    refuse_long(period, against)
    report = CommissionReport(period, against)
    progress.of = await _count(period)
    after: tuple[int, str] | None = None
    while True:
        rows = await settled_rows(period, SPLIT_COLUMNS, after, ROWS_PER_SLICE)
        off = [found for row in rows if (found := _add(report, row)) is not None]
        if off:
            await _add_impacts(report, off)
        progress.done += len(rows)
        if len(rows) < ROWS_PER_SLICE:
            break
        after = (int(rows[-1]["moment_us"]), str(rows[-1]["id"]))
        await asyncio.sleep(0)
    await _name(report)
    return report


async def _count(period: Period) -> int:
    rows = await fetch_rows(
        "SELECT COUNT(*) AS n FROM satoshimachine.lamassu_transactions t"
        f" WHERE t.status = 'completed' AND {MOMENT} >= :start AND {MOMENT} < :end",
        {"start": period.start_us, "end": period.end_us},
    )
    return int(rows[0]["n"])


Off = tuple[str, int, int]  # cash-out, its base by the rule, the fiat it is a price of


def _add(report: CommissionReport, row: Row) -> Off | None:
    """Count a cash-out in; what its clients should have shared, where that differs."""
    check = check_split(row)
    again = recalculate(json.loads(row["source_row"]), stated_facts(row))
    day = local_day(check.moment_us, report.period.time_zone)[0].isoformat()
    device = str(row["device_id"] or "")
    report.machine_names[device] = str(row["machine_name"] or device)
    report.rules[check.rule] += 1
    for sums in (
        *(report.whole, report.days[day], report.months[day[:7]], report.machines[device]),
    ):
        sums.add(check, again)
    if not check.ok and len(report.wrong) < SHOWN_MAX:
        report.wrong.append(check)
    rule = check.rule if report.against == OWN else report.against
    wanted = again.splits.get(SplitRule(rule)) if rule in RULES else None
    if wanted is None or wanted.base_sats == check.base_sats or not again.fiat_minor:
        return None
    return check.id, wanted.base_sats, again.fiat_minor


async def _add_impacts(report: CommissionReport, off: Sequence[Off]) -> None:
    """What each client of these cash-outs should have got. Shares that were given up are part of
    the division, and nobody's gain or loss; what was withheld for an over-payment was got.
    """
    ids = [one[0] for one in off]

    async def work(conn: BooksConnection) -> list[Row]:
        return await conn.rows_in(
            "SELECT cash_out_id, client_id, fiat_minor, status,"
            " amount_sats + COALESCE(withheld_sats, 0) AS worth_sats"
            " FROM satoshimachine.dca_payments WHERE cash_out_id IN ({marks})",
            ids,
        )

    shares: dict[str, list[Row]] = defaultdict(list)
    for share in await own(work):
        shares[str(share["cash_out_id"])].append(share)
    for cash_out_id, base_sats, fiat_minor in off:
        mine = shares[cash_out_id]
        charged = {str(share["client_id"]): int(share["fiat_minor"]) for share in mine}
        expected = shares_by_rule(base_sats, fiat_minor, charged)
        for share in mine:
            client_id = str(share["client_id"])
            if share["status"] == "cancelled":
                continue
            one = report.impacts.setdefault(client_id, Impact(client_id))
            one.cash_outs += 1
            one.got_sats += int(share["worth_sats"])
            one.expected_sats += expected[client_id]


async def _name(report: CommissionReport) -> None:
    """Names, and what was compensated already."""
    ids = sorted(report.impacts)

    async def work(conn: BooksConnection) -> tuple[list[Row], list[Row]]:
        named = "SELECT id, username FROM satoshimachine.dca_clients WHERE id IN ({marks})"
        given = await conn.rows_in(COMPENSATED, ids, {"start": report.period.start_us})
        return await conn.rows_in(named, ids), given

    names, given = await own(work)
    for row in names:
        report.impacts[str(row["id"])].username = row["username"]
    for row in given:
        report.impacts[str(row["client_id"])].compensated_sats = int(row["sats"])


COMPENSATED = """
    SELECT client_id, SUM(sats) AS sats FROM satoshimachine.corrections
    WHERE client_id IN ({marks}) AND kind = 'compensate' AND status = 'executed'
        AND decided_us >= :start
    GROUP BY client_id
"""
BATCH_MAX = 200  # clients of one correction


def compensation(report: CommissionReport) -> dict[str, Any] | None:
    """The batch correction that pays back what is missing, as its preview asks for it."""
    missing = [one for one in impact_list(report) if one.missing_sats][:BATCH_MAX]
    if not missing:
        return None
    clients = [{"client_id": one.client_id, "sats": one.missing_sats} for one in missing]
    return {"action": "compensate", "account": "commission", "clients": clients}


def impact_list(report: CommissionReport) -> list[Impact]:
    """Who got least beside the rule comes first."""
    return sorted(
        (one for one in report.impacts.values() if one.sats),
        key=lambda one: (one.sats, one.client_id),
    )


def sums_facts(sums: Sums) -> dict[str, Any]:
    """As an answer carries them."""
    return {**vars(sums), "costs": sums.costs()}
