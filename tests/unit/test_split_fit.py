"""Which split rule a machine fits: Lamassu's own profit tells (lamassu.md 0, SAT-17)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from satmachineadmin.domain.split_fit import (
    ROUNDING_SATS,
    SaleFit,
    best_rule,
    fit_rules,
    fit_sale,
)
from satmachineadmin.domain.states import HoldCode, SplitRule

MARKUP, MARGIN, TICKER = SplitRule.MARKUP, SplitRule.MARGIN, SplitRule.TICKER
PRICE = Fraction("826091.28")  # fiat per coin, the production row of lamassu.md 0


def row(
    atoms: int, fiat: str, rate: str = "0.05500", **changes: str | None
) -> dict[str, str | None]:
    """A completed sale with these numbers."""
    return {
        "crypto_code": "BTC",
        "crypto_atoms": str(atoms),
        "fiat": fiat,
        "fiat_code": "GTQ",
        "status": "confirmed",
        "dispense": "true",
        "dispense_confirmed": "true",
        "commission_percentage": rate,
        "raw_ticker_price": f"{float(PRICE):.5f}",
        "created": "2025-06-01T17:59:00.000000",
        "confirmed_at": "2025-06-01T18:00:00.123456",
        "device_known": "true",
        **changes,
    }


def sold(fiat: int, markup: Fraction, *, by: SplitRule) -> dict[str, str | None]:
    """What a machine that reckons by this rule asks for, in whole hundreds of sats."""
    worth = Fraction(fiat) * 10**8 / PRICE
    asked = worth * (1 + markup) if by is MARKUP else worth / (1 - markup)
    hundreds = -(-asked // 100)
    return row(int(hundreds) * 100, str(fiat), f"{float(markup):.5f}")


def test_profit_is_lamassus_own() -> None:
    """coins x price - fiat: 0.00512400 x 826091.28 - 4000 = 232.89 GTQ, 28,192 sats."""
    fit = fit_sale(row(512_400, "4000.00000"))
    assert fit.profit_minor == 23289
    assert fit.profit_sats == 512_400 - int(4000 * 10**8 / PRICE)
    assert fit.comparable
    assert set(fit.splits) == set(SplitRule)


@pytest.mark.parametrize("price", [None, "0.00000", "nonsense"])
def test_without_a_price_nothing_is_compared(price: str | None) -> None:
    fit = fit_sale(row(512_400, "4000.00000", raw_ticker_price=price))
    assert (fit.profit_sats, fit.profit_minor, fit.comparable) == (None, None, False)
    assert MARKUP in fit.splits
    assert TICKER in fit.problems
    assert best_rule([fit]) is None


def test_a_sale_that_would_be_held_says_why() -> None:
    """Without a commission every rule holds it (design.md 3.1): nothing is guessed."""
    fit = fit_sale(row(512_400, "4000.00000", commission_percentage=None))
    assert not fit.splits
    assert all(isinstance(code, HoldCode) for code in fit.problems.values())
    assert [one.held for one in fit_rules([fit])] == [1, 1, 1]


def test_nothing_to_go_by() -> None:
    assert best_rule([]) is None
    assert all(one.commission_sats == 0 for one in fit_rules([]))


SALES = st.lists(
    st.tuples(st.integers(100, 20_000), st.integers(1, 300).map(lambda n: Fraction(n, 1000))),
    min_size=1,
    max_size=20,
)


@given(sales=SALES)
def test_a_markup_machine_is_recognized(sales: list[tuple[int, Fraction]]) -> None:
    """Its rounding is below a hundred sats, so the rule misses nowhere and none fits better."""
    fits = [fit_sale(sold(fiat, markup, by=MARKUP)) for fiat, markup in sales]
    by_rule = {one.rule: one for one in fit_rules(fits)}
    assert by_rule[MARKUP].misses == 0
    assert by_rule[TICKER].misses == 0
    assert best_rule(fits) in (MARKUP, TICKER)


@given(sales=SALES)
def test_a_margin_machine_is_not_taken_for_a_markup_one(sales: list[tuple[int, Fraction]]) -> None:
    fits = [fit_sale(sold(fiat, markup, by=MARGIN)) for fiat, markup in sales]
    by_rule = {one.rule: one for one in fit_rules(fits)}
    assert by_rule[MARGIN].misses == 0
    assert best_rule(fits) != MARKUP or by_rule[MARKUP].misses == 0


@given(sales=SALES, by=st.sampled_from([MARKUP, MARGIN]))
def test_sums_are_those_of_the_sales(sales: list[tuple[int, Fraction]], by: SplitRule) -> None:
    """Base and commission of a rule are the totals; the order of sales plays no part."""
    fits: list[SaleFit] = [fit_sale(sold(fiat, markup, by=by)) for fiat, markup in sales]
    total = sum(fit.splits[MARKUP].total_sats for fit in fits)
    for one in fit_rules(fits):
        assert one.base_sats + one.commission_sats == total
        assert abs(one.difference_sats) <= one.off_sats
        assert one.misses <= len(fits)
        assert one.off_sats > ROUNDING_SATS * one.misses or one.misses == 0
    assert fit_rules(fits) == fit_rules(fits[::-1])
