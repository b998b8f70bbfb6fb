"""The three split rules on the operator's own newest sales, beside Lamassu's own profit.

Reads Lamassu now, stores nothing and moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import crud
from ..adapters.lamassu_postgres import open_source
from ..domain.eligibility import SourceRow
from ..domain.split_fit import RuleFit, SaleFit, best_rule, fit_rules, fit_sale
from ..domain.states import SplitRule
from .source import source_settings

SALES_MAX = 20
# Running and strange sales stand among the newest, too.
LOOK_AT = 5


@dataclass(frozen=True)
class SplitChoice:
    """The newest confirmed sales under every rule, and which rule fits them best."""

    sales: list[tuple[SourceRow, SaleFit]]
    rules: list[RuleFit]
    best: SplitRule | None


async def compare_rules(limit: int) -> SplitChoice:
    """Raises NotConfigured or SourceError."""
    async with open_source(source_settings(await crud.get_config())) as source:
        rows = await source.newest_rows(limit * LOOK_AT)
    done = [
        row
        for row in rows
        if row["status"] == "confirmed" and row["confirmed_at"] and row["dispense"] == "true"
    ]
    sales = [(row, fit_sale(row)) for row in done[:limit]]
    fits = [fit for _, fit in sales]
    return SplitChoice(sales, fit_rules(fits), best_rule(fits))
