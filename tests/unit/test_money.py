"""Numbers that are money: text in, exact integers and fractions out (style.md 4.2)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from satmachineadmin.domain.money import (
    CURRENCY_EXPONENT,
    FUDGE_ATOMS_MAX,
    INT64_MAX,
    NUMBER_TEXT_MAX,
    decimal_text,
    minor_from_whole,
    parse_atoms,
    parse_decimal,
    whole_from_minor,
)

CURRENCIES = st.sampled_from(sorted(CURRENCY_EXPONENT))
MINOR = st.integers(-INT64_MAX, INT64_MAX)

NO_NUMBERS = [
    None,
    "",
    " 1",
    "1 ",
    "1\n",
    "+1",
    "--1",
    ".5",
    "5.",
    "1e5",
    "1E5",
    "1_000",
    "1,000.00",
    "0x10",
    "1/3",
    "NaN",
    "nan",
    "Infinity",
    "-Infinity",
    "inf",
    "null",
    "true",
    "<b>1</b>",
    "1;DROP TABLE x",
    "1\x00",
    "²",
    "½",
    "Ⅷ",
    "9" * 400,
    "0." + "0" * 400 + "1",
]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_parse_decimal_refuses_what_is_no_plain_number(text: str | None) -> None:
    assert parse_decimal(text) is None
    assert parse_atoms(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", Fraction(0)),
        ("-0.00000", Fraction(0)),
        ("007", Fraction(7)),
        ("0.05500", Fraction(55, 1000)),
        ("-0.15000", Fraction(-15, 100)),
        ("826091.28000", Fraction(82609128, 100)),
        ("99.99000", Fraction(9999, 100)),
        ("9" * NUMBER_TEXT_MAX, Fraction(10**NUMBER_TEXT_MAX - 1)),
    ],
)
def test_parse_decimal_reads_postgresqls_numeric_exactly(text: str, number: Fraction) -> None:
    assert parse_decimal(text) == number


def test_parse_decimal_has_a_longest_text() -> None:
    assert parse_decimal("1" * NUMBER_TEXT_MAX) is not None
    assert parse_decimal("1" * (NUMBER_TEXT_MAX + 1)) is None


@pytest.mark.parametrize("text", ["٣", "１２.５", "०.०५", "1٠", "𝟙𝟚"])
def test_parse_decimal_refuses_digits_postgresql_never_prints(text: str) -> None:
    """`\\d` of a text pattern matches every script's digits; the database prints ASCII only."""
    assert parse_decimal(text) is None
    assert parse_atoms(text) is None


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=5, min_value=-(10**9), max_value=10**9
    )
)
def test_parse_decimal_agrees_with_the_decimal_module(number: Decimal) -> None:
    assert parse_decimal(f"{number:f}") == Fraction(number)


@given(st.text())
def test_parsers_never_raise(text: str) -> None:
    number, atoms = parse_decimal(text), parse_atoms(text)
    assert atoms is None or (number == atoms and 0 <= atoms <= INT64_MAX)


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("0", 0),
        ("1", 1),
        ("512400", 512400),
        ("512400.000", 512400),
        (str(INT64_MAX), INT64_MAX),
        (str(INT64_MAX + 1), None),
        ("9" * 30, None),
        ("-1", None),
        ("1.5", None),
    ],
)
def test_parse_atoms_is_a_whole_number_of_64_bits(text: str, atoms: int | None) -> None:
    assert parse_atoms(text) == atoms


@given(MINOR, CURRENCIES)
def test_minor_and_whole_are_inverse(minor: int, currency: str) -> None:
    assert minor_from_whole(whole_from_minor(minor, currency), currency) == minor


@given(MINOR, CURRENCIES)
def test_decimal_text_reads_back_as_the_same_money(minor: int, currency: str) -> None:
    text = decimal_text(minor, currency)
    assert parse_decimal(text) == whole_from_minor(minor, currency)
    decimals = len(text.partition(".")[2])
    assert decimals == CURRENCY_EXPONENT[currency]


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (2000, "GTQ", "20.00"),
        (5, "GTQ", "0.05"),
        (-5, "GTQ", "-0.05"),
        (-2000, "EUR", "-20.00"),
        (0, "USD", "0.00"),
        (500, "JPY", "500"),
        (-500, "JPY", "-500"),
        (1, "KWD", "0.001"),
        (12345, "BHD", "12.345"),
    ],
)
def test_decimal_text_writes_as_people_do(minor: int, currency: str, text: str) -> None:
    assert decimal_text(minor, currency) == text


@pytest.mark.parametrize(
    ("whole", "currency", "minor"),
    [
        (Fraction(4000), "GTQ", 400_000),
        (Fraction(9999, 100), "GTQ", 9999),
        (Fraction(99_999, 1000), "GTQ", None),  # finer than a centavo
        (Fraction(99_999, 1000), "KWD", 99_999),
        (Fraction(1, 2), "JPY", None),
        (Fraction(1, 3), "GTQ", None),
        (Fraction(INT64_MAX, 100), "GTQ", INT64_MAX),
        (Fraction(INT64_MAX + 1, 100), "GTQ", None),
        (Fraction(-INT64_MAX - 1, 100), "GTQ", None),
    ],
)
def test_minor_from_whole_is_exact_or_nothing(
    whole: Fraction, currency: str, minor: int | None
) -> None:
    assert minor_from_whole(whole, currency) == minor


def test_minor_from_whole_raises_for_an_unknown_currency() -> None:
    with pytest.raises(KeyError):
        minor_from_whole(Fraction(1), "XXX")


def test_currency_table_is_three_letter_codes_with_0_2_or_3_decimals() -> None:
    for code, exponent in CURRENCY_EXPONENT.items():
        assert len(code) == 3
        assert code.isascii()
        assert code.isupper()
        assert exponent in (0, 2, 3)
    known = {"GTQ": 2, "USD": 2, "EUR": 2, "CRC": 2, "MGA": 2, "CLP": 0, "JPY": 0, "KRW": 0}
    known |= {"PYG": 0, "VND": 0, "ISK": 0, "KWD": 3, "TND": 3, "JOD": 3}
    assert {code: CURRENCY_EXPONENT[code] for code in known} == known
    # A coin must never pass as a fiat currency.
    assert not {"BTC", "XBT", "SAT", "XXX", "XTS", "XAU"} & set(CURRENCY_EXPONENT)


def test_fudge_is_lamassus_own_100_atoms() -> None:
    """lamassu.md 2: the 'fudge factor' setting accepts a payment up to 100 atoms short."""
    assert FUDGE_ATOMS_MAX == 100
