"""The one commission formula: its published vectors, its laws, its rounding (design.md 3.2)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from satmachineadmin.domain.money import INT64_MAX
from satmachineadmin.domain.split import Split, SplitInput, effective_commission, split
from satmachineadmin.domain.states import SplitRule
from satmachineadmin.errors import InvariantViolation

MARKUP, MARGIN, TICKER = SplitRule.MARKUP, SplitRule.MARGIN, SplitRule.TICKER
SCALE = 10**7  # rates have 5 decimals, discounts are whole percent

TOTALS = st.one_of(st.integers(0, 1000), st.integers(0, 10**9), st.integers(0, INT64_MAX))
RATES = st.integers(0, 10**5).map(lambda n: Fraction(n, 10**5))
DISCOUNTS = st.integers(0, 100).map(Fraction)
RULES = st.sampled_from(SplitRule)


def given_of(
    total_sats: int,
    rate: str | None = None,
    discount: str = "0",
    fiat: str = "0",
    price: str | None = None,
) -> SplitInput:
    return SplitInput(
        total_sats,
        None if rate is None else Fraction(rate),
        Fraction(discount),
        Fraction(fiat),
        None if price is None else Fraction(price),
    )


@pytest.mark.parametrize(
    ("total", "rate", "discount", "base", "commission"),
    [
        (266_800, "0.03", "0", 259_029, 7_771),
        (100_000, "0.05", "10", 95_693, 4_307),
        (1, "0.03", "0", 0, 1),
        (103, "0.03", "0", 100, 3),
        (1_826, "0.05", "25", 1_760, 66),
        (1_000, "0.03", "0", 970, 30),
        (1_000_000, "0.03", "0", 970_873, 29_127),
        (1_000, "0.055", "0", 947, 53),
        (1_000_000, "0.055", "0", 947_867, 52_133),
        (0, "0.03", "0", 0, 0),
        (1_000, "0", "0", 1_000, 0),
        (1_000, "0.03", "100", 1_000, 0),
        (1_000, "1", "0", 500, 500),
    ],
)
def test_split_markup_vectors(
    total: int, rate: str, discount: str, base: int, commission: int
) -> None:
    """design.md 3.2's published vectors, and LSP-27..30's 1,000 and 1,000,000 sats by name."""
    outcome = split(MARKUP, given_of(total, rate, discount))
    assert (outcome.base_sats, outcome.commission_sats) == (base, commission)


@pytest.mark.parametrize(
    ("total", "rate", "discount", "base"),
    [
        (33, "0.1", "0", 30),  # float floors to 29
        (2_011, "0.055", "90", 2_000),  # float floors to 1999
        (1_826, "0.05", "25", 1_760),  # float floors to 1759
    ],
)
def test_split_markup_does_not_fall_into_the_float_traps(
    total: int, rate: str, discount: str, base: int
) -> None:
    """requirements.md A4.8: `int(total / (1 + float))` loses a sat here."""
    with_floats = int(total / (1 + float(rate) * (100 - float(discount)) / 100))
    assert with_floats == base - 1
    assert split(MARKUP, given_of(total, rate, discount)).base_sats == base


@pytest.mark.parametrize(
    ("rule", "base", "commission"),
    [(MARKUP, 485_687, 26_713), (MARGIN, 484_218, 28_182), (TICKER, 484_207, 28_193)],
)
def test_split_production_row_under_all_three_rules(
    rule: SplitRule, base: int, commission: int
) -> None:
    """lamassu.md 0: the published row that fits `margin`; ticker differs by at most 49 sats."""
    row = given_of(512_400, "0.055", "0", "4000", "826091.28")
    outcome = split(rule, row)
    assert (outcome.base_sats, outcome.commission_sats) == (base, commission)


@pytest.mark.parametrize(
    ("total", "base", "commission"), [(1_000, 945, 55), (1_000_000, 945_000, 55_000)]
)
def test_split_margin_small_and_large(total: int, base: int, commission: int) -> None:
    """LSP-27..30 under the rule of machines since v8."""
    outcome = split(MARGIN, given_of(total, "0.055"))
    assert (outcome.base_sats, outcome.commission_sats) == (base, commission)


@pytest.mark.parametrize(
    ("total", "fiat", "base"),
    [
        (1_000, "8.00", 968),  # 8 / 826091.28 coins
        (1_000_000, "8000.00", 968_415),
        (100, "8.00", 100),  # more fiat than the sats are worth: capped, commission 0
        (100, "0", 0),
    ],
)
def test_split_ticker_is_what_the_fiat_buys_capped_to_the_total(
    total: int, fiat: str, base: int
) -> None:
    """design.md 3.2; LSP-27..30 by name."""
    outcome = split(TICKER, given_of(total, None, "0", fiat, "826091.28"))
    assert (outcome.base_sats, outcome.commission_sats) == (base, total - base)


@given(RULES, TOTALS, RATES, DISCOUNTS, st.integers(1, 10**9), st.integers(1, 10**12))
def test_split_parts_add_up_and_are_never_negative(
    rule: SplitRule, total: int, rate: Fraction, discount: Fraction, fiat: int, price: int
) -> None:
    """SAT-20: base + commission = total, for every rule and every input."""
    outcome = split(
        rule, SplitInput(total, rate, discount, Fraction(fiat, 100), Fraction(price, 10**5))
    )
    assert outcome.total_sats == total
    assert outcome.base_sats + outcome.commission_sats == total
    assert 0 <= outcome.base_sats <= total


@given(TOTALS, RATES, DISCOUNTS)
def test_split_markup_is_the_largest_base_whose_price_fits_the_total(
    total: int, rate: Fraction, discount: Fraction
) -> None:
    """Floor, by its meaning: base x (1 + c) <= total, and one sat more would be too much."""
    base = split(MARKUP, SplitInput(total, rate, discount, Fraction(0), None)).base_sats
    c_eff = rate * (100 - discount) / 100
    assert base * (1 + c_eff) <= total
    assert (base + 1) * (1 + c_eff) > total


@given(TOTALS, RATES, DISCOUNTS)
def test_split_margin_is_the_floor_of_what_is_left(
    total: int, rate: Fraction, discount: Fraction
) -> None:
    base = split(MARGIN, SplitInput(total, rate, discount, Fraction(0), None)).base_sats
    exact = total * (1 - rate * (100 - discount) / 100)
    assert base <= exact < base + 1


@given(TOTALS, RATES, DISCOUNTS)
def test_split_markup_never_gives_clients_less_than_margin(
    total: int, rate: Fraction, discount: Fraction
) -> None:
    """lamassu.md 0: markup moves commission to the clients, never the other way."""
    row = SplitInput(total, rate, discount, Fraction(0), None)
    assert split(MARKUP, row).base_sats >= split(MARGIN, row).base_sats


@given(st.sampled_from([MARKUP, MARGIN]), TOTALS, RATES, RATES, DISCOUNTS, DISCOUNTS)
def test_split_more_commission_never_makes_more_base(
    rule: SplitRule, total: int, one: Fraction, two: Fraction, less: Fraction, more: Fraction
) -> None:
    low, high = sorted([one, two])
    small, big = sorted([less, more])
    cheap = split(rule, SplitInput(total, low, big, Fraction(0), None))
    dear = split(rule, SplitInput(total, high, small, Fraction(0), None))
    assert cheap.base_sats >= dear.base_sats


# Rate in 1/100000, discount in percent: those of the vectors and what else operators set.
FULL_GRID = [(3000, 0), (5000, 10), (5000, 25), (5500, 0), (5500, 90), (10_000, 0), (5126, 33)]
WIDE_GRID = [(r, d) for r in range(0, 100_001, 1997) for d in (0, 1, 7, 25, 33, 50, 99, 100)]


def _integer_bases(total: int, rate: int, discount: int) -> tuple[int, int]:
    c_eff = rate * (100 - discount)  # in 1 / SCALE
    return total * SCALE // (SCALE + c_eff), total * (SCALE - c_eff) // SCALE


@pytest.mark.parametrize(("rate", "discount"), FULL_GRID)
def test_split_equals_integer_arithmetic_for_every_total(rate: int, discount: int) -> None:
    """SAT-20, A4.8: every total from 1 to 20000, tolerance 0, both percentage rules."""
    fraction, percent, none = Fraction(rate, 10**5), Fraction(discount), Fraction(0)
    wrong = []
    for total in range(1, 20_001):
        row = SplitInput(total, fraction, percent, none, None)
        bases = split(MARKUP, row).base_sats, split(MARGIN, row).base_sats
        if bases != _integer_bases(total, rate, discount):
            wrong.append(total)
    assert not wrong


def test_split_equals_integer_arithmetic_over_a_wide_grid() -> None:
    """408 pairs of rate and discount; together they meet every total from 1 to 20000 repeatedly."""
    wrong, met = [], set()
    for index, (rate, discount) in enumerate(WIDE_GRID):
        fraction, percent, none = Fraction(rate, 10**5), Fraction(discount), Fraction(0)
        for total in range(1 + index % 193, 20_001, 193):
            met.add(total)
            row = SplitInput(total, fraction, percent, none, None)
            bases = split(MARKUP, row).base_sats, split(MARGIN, row).base_sats
            if bases != _integer_bases(total, rate, discount):
                wrong.append((total, rate, discount))
    assert not wrong
    assert met == set(range(1, 20_001))


def test_split_ticker_equals_integer_arithmetic() -> None:
    wrong = []
    for price in (1, 99_999, 82_609_128_000, 10**12 + 7):  # in 1/100000
        for fiat_minor in range(1, 2001):
            total = 10**6
            base = min(total, fiat_minor * 10**8 * 10**5 // (100 * price))
            row = SplitInput(
                total, None, Fraction(0), Fraction(fiat_minor, 100), Fraction(price, 10**5)
            )
            if split(TICKER, row).base_sats != base:
                wrong.append((fiat_minor, price))
    assert not wrong


@pytest.mark.parametrize(
    ("rate", "discount", "effective"),
    [
        ("0.03", "0", "0.03"),
        ("0.05", "10", "0.045"),
        ("0.055", "90", "0.0055"),
        ("0.055", "100", "0"),
        ("-0.15", "0", "-0.15"),
    ],
)
def test_effective_commission_is_exact(rate: str, discount: str, effective: str) -> None:
    assert effective_commission(Fraction(rate), Fraction(discount)) == Fraction(effective)


@pytest.mark.parametrize("rule", [MARKUP, MARGIN])
@pytest.mark.parametrize(
    ("rate", "discount"), [(None, "0"), ("-0.01", "0"), ("1.01", "0"), ("0.6", "-100")]
)
def test_split_refuses_a_percentage_that_should_have_been_held(
    rule: SplitRule, rate: str | None, discount: str
) -> None:
    with pytest.raises(InvariantViolation):
        split(rule, given_of(1_000, rate, discount))


@pytest.mark.parametrize("price", [None, "0", "-1"])
def test_split_ticker_refuses_a_price_that_should_have_been_held(price: str | None) -> None:
    with pytest.raises(InvariantViolation):
        split(TICKER, given_of(1_000, "0.03", "0", "100", price))


@pytest.mark.parametrize(
    ("total", "base", "commission"), [(100, 97, 2), (100, 97, 4), (100, -1, 101), (100, 101, -1)]
)
def test_split_proves_its_own_sum(total: int, base: int, commission: int) -> None:
    """SAT-20: the post-calculation assertion. Not an `assert`: -O would remove it."""
    with pytest.raises(InvariantViolation):
        Split(total, base, commission)


@given(st.integers(0, 200), st.integers(-5, 205), st.integers(-5, 205))
def test_split_exists_only_when_its_parts_add_up(total: int, base: int, commission: int) -> None:
    assume(not (base >= 0 and commission >= 0 and base + commission == total))
    with pytest.raises(InvariantViolation):
        Split(total, base, commission)
