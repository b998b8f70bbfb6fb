"""Numbers that are money: exact, bounded, with the unit in the name.

Everything here is an int or a Fraction. A fiat amount is counted in the currency's minor units
(GTQ 20.00 = 2000), bitcoin in sats, a rate is a Fraction. Text comes in as PostgreSQL prints it.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

INT64_MAX = 2**63 - 1  # the widest integer both databases store exactly
SATS_PER_COIN = 100_000_000
MSAT_PER_SAT = 1000
NUMBER_TEXT_MAX = 64  # longer than any numeric(30,0) or numeric(14,5) that is a real amount

# A cash-out may be received up to 100 atoms short under Lamassu's own "fudge factor" setting
# (lamassu.md 2): that is a normal sale, and the smaller number is distributed.
FUDGE_ATOMS_MAX = 100

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")

# ISO 4217 active currencies by the number of decimals of their minor unit; 2 where not named.
_EXPONENT_0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split()
_EXPONENT_3 = "BHD IQD JOD KWD LYD OMR TND".split()
_EXPONENT_2 = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN "
    "BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS "
    "GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR "
    "LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD "
    "PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN "
    "SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW "
    "ZWG"
).split()
CURRENCY_EXPONENT: dict[str, int] = {
    **dict.fromkeys(_EXPONENT_0, 0),
    **dict.fromkeys(_EXPONENT_2, 2),
    **dict.fromkeys(_EXPONENT_3, 3),
}


def parse_decimal(value: str | None) -> Fraction | None:
    """The exact number in a decimal text; None for NULL, NaN, infinity, markup or absurd length."""
    if value is None or len(value) > NUMBER_TEXT_MAX or not _DECIMAL.fullmatch(value):
        return None
    return exact(value)


@lru_cache(maxsize=1_024)
def exact(text: str) -> Fraction:
    """A number's exact value; a machine's rates and amounts are few, and each is read often.

    Raises ValueError or ZeroDivisionError for what is no number.
    """
    return Fraction(text)


def parse_atoms(value: str | None) -> int | None:
    """A whole, non-negative number that fits 64 bits; None for anything else."""
    number = parse_decimal(value)
    if number is None or number.denominator != 1 or not 0 <= number <= INT64_MAX:
        return None
    return int(number)


def minor_from_whole(whole: Fraction, currency: str) -> int | None:
    """Whole currency units to minor units; None when it is finer than the minor unit or too big.

    Raises KeyError for a currency that is not in CURRENCY_EXPONENT.
    """
    minor = whole * 10 ** CURRENCY_EXPONENT[currency]
    if minor.denominator != 1 or abs(minor) > INT64_MAX:
        return None
    return int(minor)


def whole_from_minor(minor: int, currency: str) -> Fraction:
    """Minor units to whole currency units, exactly."""
    return Fraction(minor, 10 ** CURRENCY_EXPONENT[currency])


def decimal_text(minor: int, currency: str) -> str:
    """Minor units as people write them: 2000 GTQ cents are '20.00', 500 JPY are '500'."""
    exponent = CURRENCY_EXPONENT[currency]
    sign, digits = ("-" if minor < 0 else ""), str(abs(minor)).rjust(exponent + 1, "0")
    return sign + (f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits)
