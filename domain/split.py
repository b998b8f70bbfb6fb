"""One home for the commission formula: total sats into base and commission (design.md 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..errors import ensure
from .money import SATS_PER_COIN
from .states import SplitRule


@dataclass(frozen=True)
class Split:
    """The outcome: base + commission = total, all in sats and none below zero."""

    total_sats: int
    base_sats: int
    commission_sats: int

    def __post_init__(self) -> None:
        ensure(self.base_sats >= 0, "base is below zero")
        ensure(self.commission_sats >= 0, "commission is below zero")
        ensure(
            self.base_sats + self.commission_sats == self.total_sats,
            "base and commission do not add up to the total",
        )


@dataclass(frozen=True)
class SplitInput:
    """Everything a split rule may look at. Rates are fractions (0.03 = 3 %), a discount percent."""

    total_sats: int
    commission_rate: Fraction | None
    discount_percent: Fraction
    fiat_whole: Fraction
    ticker_price: Fraction | None  # fiat per whole coin, without commission


def effective_commission(commission_rate: Fraction, discount_percent: Fraction) -> Fraction:
    """`commission_percentage x (100 - discount) / 100`, exactly (lamassu.md 0)."""
    return commission_rate * (100 - discount_percent) / 100


def split(rule: SplitRule, given: SplitInput) -> Split:
    """Split by the chosen rule; base is floored and capped to [0, total].

    Raises InvariantViolation when an input of the rule is missing: such a row is held before it
    comes here (domain/eligibility.py).
    """
    if rule is SplitRule.TICKER:
        price = given.ticker_price
        ensure(price is not None and price > 0, "the ticker rule needs a price")
        exact = given.fiat_whole * SATS_PER_COIN / (price or 1)
    else:
        rate = given.commission_rate
        ensure(rate is not None, "the split rule needs a commission percentage")
        c_eff = effective_commission(rate or Fraction(0), given.discount_percent)
        ensure(0 <= c_eff <= 1, "effective commission is outside 0 to 100 %")
        if rule is SplitRule.MARKUP:
            exact = given.total_sats / (1 + c_eff)
        else:
            exact = given.total_sats * (1 - c_eff)
    base_sats = max(0, min(given.total_sats, exact.numerator // exact.denominator))
    return Split(given.total_sats, base_sats, given.total_sats - base_sats)
