"""What one Lamassu row means: ignore it, watch it, hold it for a person, or settle it.

The predicate and the suspicious classes are lamassu.md 3.6 as decided in design.md 3.1. A row is
text as PostgreSQL prints it; nothing here raises on any text, a value that cannot be read is a
reason to hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from .days import instant_us
from .money import (
    CURRENCY_EXPONENT,
    FUDGE_ATOMS_MAX,
    minor_from_whole,
    parse_atoms,
    parse_decimal,
)
from .split import effective_commission
from .states import CashOutState, HoldCode, SplitRule

SAT_COINS = ("BTC", "LN")  # the only coins whose atoms are sats (lamassu.md 2)

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")

SourceRow = Mapping[str, "str | None"]


@dataclass(frozen=True)
class Sale:
    """One row, read. A field that could not be read is None."""

    crypto_code: str
    fiat_code: str
    crypto_atoms: int | None
    received_crypto_atoms: int | None
    fiat_minor: int | None
    commission_rate: Fraction | None
    discount_percent: Fraction | None  # NULL in the source means 0 here
    ticker_price: Fraction | None
    created_us: int | None
    confirmed_at_us: int | None

    @property
    def total_sats(self) -> int | None:
        """What may be distributed: never more than was received (design.md 3.2)."""
        if self.crypto_atoms is None or self.received_crypto_atoms is None:
            return self.crypto_atoms
        return min(self.crypto_atoms, self.received_crypto_atoms)


@dataclass(frozen=True)
class Verdict:
    """State the row belongs in; None means it is not stored at all."""

    state: CashOutState | None
    code: HoldCode | None = None


def parse_instant_us(value: str | None) -> int | None:
    """Epoch microseconds of 'YYYY-MM-DDTHH:MM:SS.ffffff' in UTC; None for anything else."""
    if value is None or not _INSTANT.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(f"{value}+00:00")
    except ValueError:
        return None
    # A day before and after it exists: local_day looks at both ends of a local day.
    return instant_us(moment) if 1 < moment.year < 9999 else None


def read_sale(row: SourceRow) -> Sale:
    """Read what can be read of a row."""
    fiat_code = row.get("fiat_code") or ""
    fiat = parse_decimal(row.get("fiat"))
    known = fiat_code in CURRENCY_EXPONENT
    discount = row.get("discount")
    return Sale(
        crypto_code=row.get("crypto_code") or "",
        fiat_code=fiat_code,
        crypto_atoms=parse_atoms(row.get("crypto_atoms")),
        received_crypto_atoms=parse_atoms(row.get("received_crypto_atoms")),
        fiat_minor=minor_from_whole(fiat, fiat_code) if known and fiat is not None else None,
        commission_rate=parse_decimal(row.get("commission_percentage")),
        discount_percent=Fraction(0) if discount is None else parse_decimal(discount),
        ticker_price=parse_decimal(row.get("raw_ticker_price")),
        created_us=parse_instant_us(row.get("created")),
        confirmed_at_us=parse_instant_us(row.get("confirmed_at")),
    )


def classify(row: SourceRow, rule: SplitRule) -> Verdict:
    """Where this row belongs now. The same row and rule always give the same verdict."""
    sale = read_sale(row)
    if sale.crypto_code not in SAT_COINS:
        return Verdict(None)
    status = row.get("status")
    dispensed = row.get("dispense") == "true"
    paid = status == "confirmed" or row.get("confirmed_at") is not None
    troubled = row.get("error") is not None or row.get("error_code") is not None
    if status == "instant":
        return Verdict(CashOutState.HELD, HoldCode.STATUS_INSTANT)
    if not paid:
        if status != "authorized" or not dispensed:
            return Verdict(None)
        if troubled:
            return Verdict(CashOutState.HELD, HoldCode.SOURCE_ERROR)
        return Verdict(CashOutState.WATCHING, HoldCode.AUTHORIZED_ONLY)
    if troubled:
        return Verdict(CashOutState.HELD, HoldCode.SOURCE_ERROR)
    if status != "confirmed" or row.get("confirmed_at") is None:
        return Verdict(CashOutState.HELD, HoldCode.STATUS_UNEXPECTED)
    if not dispensed:
        return Verdict(CashOutState.WATCHING, HoldCode.NOT_DISPENSED)
    if row.get("dispense_confirmed") != "true":
        return Verdict(CashOutState.WATCHING, HoldCode.DISPENSE_UNCONFIRMED)
    problem = amount_problem(row, sale, rule) or _origin_problem(row)
    if problem:
        return Verdict(CashOutState.HELD, problem)
    return Verdict(CashOutState.PENDING)


@dataclass(frozen=True)
class Stated:
    """What a person declared about a sale that the rules alone do not settle."""

    fiat_minor: int | None = None  # what was charged for: limits what is drawn
    fiat_is_wrong: bool = False  # Lamassu's own fiat is wrong: this is the price's denominator too
    commission_rate: Fraction | None = None
    discount_percent: Fraction | None = None


def settle_problem(row: SourceRow, rule: SplitRule, stated: Stated | None) -> HoldCode | None:
    """Why this sale cannot be settled by `rule` now, or None.

    Without a statement every doubt counts; with one only what makes the sums impossible.
    """
    sale = read_sale(row)
    if stated is None:
        return amount_problem(row, sale, rule)
    amounts = _atoms_problem(row, sale)
    if amounts is not None and (amounts is not HoldCode.RECEIVED_SHORT or not sale.total_sats):
        return amounts
    if sale.fiat_code not in CURRENCY_EXPONENT:
        return HoldCode.CURRENCY_UNKNOWN
    if stated.fiat_minor is not None and stated.fiat_minor <= 0:
        return HoldCode.FIAT_ZERO
    if not (stated.fiat_is_wrong and stated.fiat_minor is not None):
        problem = _fiat_problem(row, sale)
        if problem:
            return problem
    return _rate_problem(row, sale, rule, stated)


def amount_problem(row: SourceRow, sale: Sale, rule: SplitRule) -> HoldCode | None:
    """The first reason why this row's numbers cannot be settled by `rule`, or None."""
    if sale.created_us is None or sale.confirmed_at_us is None:
        return HoldCode.NUMBER_UNUSABLE
    return (
        _atoms_problem(row, sale)
        or _fiat_problem(row, sale)
        or _rate_problem(row, sale, rule, Stated())
    )


def _atoms_problem(row: SourceRow, sale: Sale) -> HoldCode | None:
    received = row.get("received_crypto_atoms")
    if sale.crypto_atoms is None or (received is not None and sale.received_crypto_atoms is None):
        return HoldCode.NUMBER_UNUSABLE
    if sale.crypto_atoms == 0:
        return HoldCode.AMOUNT_ZERO
    if not sale.total_sats or sale.total_sats < sale.crypto_atoms - FUDGE_ATOMS_MAX:
        return HoldCode.RECEIVED_SHORT
    return None


def _fiat_problem(row: SourceRow, sale: Sale) -> HoldCode | None:
    if sale.fiat_code not in CURRENCY_EXPONENT:
        return HoldCode.CURRENCY_UNKNOWN
    fiat = parse_decimal(row.get("fiat"))
    if fiat is None or fiat < 0:
        return HoldCode.NUMBER_UNUSABLE
    if fiat == 0:
        return HoldCode.FIAT_ZERO
    if sale.fiat_minor is None:
        too_fine = (fiat * 10 ** CURRENCY_EXPONENT[sale.fiat_code]).denominator != 1
        return HoldCode.FIAT_FRACTION if too_fine else HoldCode.NUMBER_UNUSABLE
    return None


def _rate_problem(row: SourceRow, sale: Sale, rule: SplitRule, stated: Stated) -> HoldCode | None:
    rate, discount = sale.commission_rate, sale.discount_percent
    if stated.commission_rate is not None:
        rate = stated.commission_rate
    elif row.get("commission_percentage") is None:
        return HoldCode.COMMISSION_MISSING
    if stated.discount_percent is not None:
        discount = stated.discount_percent
    if rate is None:
        return HoldCode.NUMBER_UNUSABLE
    if discount is None or not 0 <= discount <= 100:
        return HoldCode.DISCOUNT_OUT_OF_RANGE
    if rate < 0:
        return HoldCode.COMMISSION_NEGATIVE
    if effective_commission(rate, discount) > 1:
        return HoldCode.COMMISSION_OVER_100
    if rule is SplitRule.TICKER and (sale.ticker_price is None or sale.ticker_price <= 0):
        return HoldCode.TICKER_MISSING
    return None


def _origin_problem(row: SourceRow) -> HoldCode | None:
    """None of `test_customer` and `device_known` means that the role may not look: no reason."""
    if row.get("test_customer") == "true":
        return HoldCode.TEST_CUSTOMER
    if row.get("device_known") == "false":
        return HoldCode.DEVICE_UNKNOWN
    return None
