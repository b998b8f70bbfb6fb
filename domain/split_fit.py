"""Which split rule the operator's machines fit, judged by Lamassu's own profit (lamassu.md 0).

Lamassu computes the profit of a sale as `coins x its bitcoin price - fiat`. In sats that is what
the customer paid less what the fiat was worth: the commission that a fitting rule finds, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .eligibility import SourceRow, read_sale, settle_problem
from .money import CURRENCY_EXPONENT, SATS_PER_COIN, whole_from_minor
from .split import Split, SplitInput, split
from .states import HoldCode, SplitRule

# Machines ask for whole hundreds of sats: a rule that fits is off by less (lamassu.md 2).
ROUNDING_SATS = 100


@dataclass(frozen=True)
class SaleFit:
    """One sale under every rule. `profit_*`: Lamassu's own, None where it noted no price."""

    profit_sats: int | None
    profit_minor: int | None  # rounded down, as Lamassu shows it
    splits: dict[SplitRule, Split]
    problems: dict[SplitRule, HoldCode]  # why a rule would hold this sale

    @property
    def comparable(self) -> bool:
        """Every rule splits it, and Lamassu's profit is known."""
        return self.profit_sats is not None and not self.problems


@dataclass(frozen=True)
class RuleFit:
    """A rule over all sales that can be compared, beside Lamassu's profit on the same sales."""

    rule: SplitRule
    base_sats: int
    commission_sats: int
    profit_sats: int
    misses: int  # sales on which it is off by more than rounding
    held: int  # sales it could not split
    off_sats: int  # the sum of what it is off, up and down

    @property
    def difference_sats(self) -> int:
        """Above zero: more commission than Lamassu's profit."""
        return self.commission_sats - self.profit_sats


def fit_sale(row: SourceRow) -> SaleFit:
    """What each rule makes of a row; the row may be of any kind."""
    sale = read_sale(row)
    splits: dict[SplitRule, Split] = {}
    problems: dict[SplitRule, HoldCode] = {}
    for rule in SplitRule:
        problem = settle_problem(row, rule, None)
        if problem is not None or sale.fiat_minor is None:
            problems[rule] = problem or HoldCode.NUMBER_UNUSABLE
            continue
        given = SplitInput(
            total_sats=sale.total_sats or 0,
            commission_rate=sale.commission_rate,
            discount_percent=sale.discount_percent or Fraction(0),
            fiat_whole=whole_from_minor(sale.fiat_minor, sale.fiat_code),
            ticker_price=sale.ticker_price,
        )
        splits[rule] = split(rule, given)
    price, atoms = sale.ticker_price, sale.crypto_atoms
    if sale.fiat_minor is None or atoms is None or price is None or price <= 0:
        return SaleFit(None, None, splits, problems)
    fiat = whole_from_minor(sale.fiat_minor, sale.fiat_code)
    worth_sats = fiat * SATS_PER_COIN // price
    profit = (price * atoms / SATS_PER_COIN - fiat) * 10 ** CURRENCY_EXPONENT[sale.fiat_code]
    return SaleFit(atoms - worth_sats, profit.numerator // profit.denominator, splits, problems)


def fit_rules(sales: Sequence[SaleFit]) -> list[RuleFit]:
    """Every rule over the sales that all of them can split."""
    compared = [sale for sale in sales if sale.comparable]
    found = []
    for rule in SplitRule:
        offs = [sale.splits[rule].commission_sats - (sale.profit_sats or 0) for sale in compared]
        found.append(
            RuleFit(
                rule=rule,
                base_sats=sum(sale.splits[rule].base_sats for sale in compared),
                commission_sats=sum(sale.splits[rule].commission_sats for sale in compared),
                profit_sats=sum(sale.profit_sats or 0 for sale in compared),
                misses=sum(abs(off) > ROUNDING_SATS for off in offs),
                held=sum(rule in sale.problems for sale in sales),
                off_sats=sum(abs(off) for off in offs),
            )
        )
    return found


def best_rule(sales: Sequence[SaleFit]) -> SplitRule | None:
    """The rule that agrees with Lamassu on the most sales, splits the most, and is off the least.

    None when no sale can be compared: then there is nothing to go by.
    """
    if not any(sale.comparable for sale in sales):
        return None
    return min(fit_rules(sales), key=lambda fit: (fit.misses, fit.held, fit.off_sats)).rule
