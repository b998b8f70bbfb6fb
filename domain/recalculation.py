"""Recalculating a stored split by its own rule and by the others, to the sat (SAT-17, C-SAT-i).

From the source row and what a person stated, as the settlement itself took it, and by the same
formula (split.py); what is compared with it is what was stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from .allocation import largest_remainder
from .eligibility import SourceRow, Stated, read_sale
from .money import CURRENCY_EXPONENT, SATS_PER_COIN, whole_from_minor
from .split import Split, SplitInput, effective_commission, split
from .states import SplitRule


@dataclass(frozen=True)
class Recalculated:
    """What each rule makes of a sale. A rule that has not what it needs is left out."""

    splits: Mapping[SplitRule, Split]
    profit_sats: int | None  # Lamassu's own, None where it noted no price
    fiat_minor: int | None  # the price's denominator
    currency: str


def recalculate(row: SourceRow, stated: Stated | None) -> Recalculated:
    """`row` is the stored source row, `stated` what a person said about it."""
    said, sale = stated or Stated(), read_sale(row)
    wrong = said.fiat_is_wrong and said.fiat_minor is not None
    fiat_minor = said.fiat_minor if wrong else sale.fiat_minor
    rate = sale.commission_rate if said.commission_rate is None else said.commission_rate
    discount = sale.discount_percent or Fraction(0)
    if said.discount_percent is not None:
        discount = said.discount_percent
    known = sale.fiat_code in CURRENCY_EXPONENT and fiat_minor is not None
    if not known or not sale.total_sats:
        return Recalculated({}, None, fiat_minor, sale.fiat_code)
    fiat = whole_from_minor(fiat_minor or 0, sale.fiat_code)
    given = SplitInput(sale.total_sats, rate, discount, fiat, sale.ticker_price)
    splits = {rule: split(rule, given) for rule in SplitRule if _has_its_inputs(rule, given)}
    return Recalculated(splits, _profit(given, sale.crypto_atoms), fiat_minor, sale.fiat_code)


def _has_its_inputs(rule: SplitRule, given: SplitInput) -> bool:
    if rule is SplitRule.TICKER:
        return given.ticker_price is not None and given.ticker_price > 0
    rate = given.commission_rate
    return rate is not None and 0 <= effective_commission(rate, given.discount_percent) <= 1


def _profit(given: SplitInput, crypto_atoms: int | None) -> int | None:
    """What was paid less what the fiat was worth, as Lamassu counts it (split_fit.py)."""
    price = given.ticker_price
    if crypto_atoms is None or price is None or price <= 0:
        return None
    return crypto_atoms - given.fiat_whole * SATS_PER_COIN // price


def shares_by_rule(base_sats: int, fiat_minor: int, charged: Mapping[str, int]) -> dict[str, int]:
    """What each client should have got of this base, by what each was charged (design.md 3.4)."""
    drawn = sum(charged.values())
    return largest_remainder(base_sats * drawn // fiat_minor, charged)
