"""What a Lamassu row means: every class of lamassu.md 3.6 as decided in design.md 3.1."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from satmachineadmin.domain.eligibility import (
    Sale,
    SourceRow,
    Stated,
    Verdict,
    classify,
    read_sale,
    settle_problem,
)
from satmachineadmin.domain.money import INT64_MAX
from satmachineadmin.domain.plan import PlanInput, make_plan
from satmachineadmin.domain.pool import PoolClient
from satmachineadmin.domain.states import CashOutState, FundingMode, HoldCode, SplitRule

THOROUGH = settings(max_examples=3 * settings().max_examples)
MARKUP, MARGIN, TICKER = SplitRule.MARKUP, SplitRule.MARGIN, SplitRule.TICKER

# The production row of lamassu.md 0, as PostgreSQL prints it.
GOOD: dict[str, str | None] = {
    "id": "3f8a1c2e-0000-4000-8000-000000000001",
    "device_id": "c0ffee",
    "device_name": "Lobby",
    "crypto_code": "BTC",
    "crypto_atoms": "512400",
    "received_crypto_atoms": None,
    "fiat": "4000.00000",
    "fiat_code": "GTQ",
    "status": "confirmed",
    "dispense": "true",
    "dispense_confirmed": "true",
    "error": None,
    "error_code": None,
    "commission_percentage": "0.05500",
    "discount": None,
    "raw_ticker_price": "826091.28000",
    "created": "2025-06-01T17:59:00.000000",
    "confirmed_at": "2025-06-01T18:00:00.123456",
    "fixed_fee": "0.00000",
    "test_customer": "false",
    "device_known": "true",
}

IGNORED = Verdict(None)
ELIGIBLE = Verdict(CashOutState.PENDING)


def row(**changes: str | None) -> dict[str, str | None]:
    """An ordinary completed sale, but for these columns."""
    return {**GOOD, **changes}


def held(code: HoldCode) -> Verdict:
    return Verdict(CashOutState.HELD, code)


def watching(code: HoldCode) -> Verdict:
    return Verdict(CashOutState.WATCHING, code)


def unpaid(status: str, **changes: str | None) -> dict[str, str | None]:
    return row(
        status=status,
        confirmed_at=None,
        **{"dispense": "false", "dispense_confirmed": "false"} | changes,
    )


NOT_STORED = {
    **{
        f"coin {coin}": row(crypto_code=coin)
        for coin in ("BCH", "LTC", "DASH", "ZEC", "XMR", "ETH", "USDT", "USDT_TRON", "TRX", "USDC")
    },
    "coin in small letters": row(crypto_code="btc"),
    "coin with a space": row(crypto_code="BTC "),
    "no coin": row(crypto_code=None),
    "another coin in trouble": row(crypto_code="BCH", error="x", status="instant"),
    "not seen": unpaid("notSeen"),
    "published": unpaid("published"),
    "rejected": unpaid("rejected"),
    "insufficient funds": unpaid("insufficientFunds"),
    "authorized, no cash given": unpaid("authorized"),
    "authorized, no cash given, error": unpaid("authorized", error="timeout"),
    "operator cancelled before payment": unpaid(
        "notSeen", dispense="true", error="Operator cancel"
    ),
    "refused by wallet scoring": unpaid(
        "published", dispense="true", error_code="scoreThresholdReached"
    ),
    "no status at all": unpaid(""),
}

WATCHED = {
    "paid, no cash yet": (
        row(dispense="false", dispense_confirmed="false"),
        HoldCode.NOT_DISPENSED,
    ),
    "paid, no cash yet, confirmation null": (
        row(dispense="false", dispense_confirmed=None),
        HoldCode.NOT_DISPENSED,
    ),
    "dispense null": (row(dispense=None), HoldCode.NOT_DISPENSED),
    "cash going out": (row(dispense_confirmed="false"), HoldCode.DISPENSE_UNCONFIRMED),
    "cash going out, null": (row(dispense_confirmed=None), HoldCode.DISPENSE_UNCONFIRMED),
    "0-conf": (
        unpaid("authorized", dispense="true", dispense_confirmed="true"),
        HoldCode.AUTHORIZED_ONLY,
    ),
    "0-conf, cash going out": (unpaid("authorized", dispense="true"), HoldCode.AUTHORIZED_ONLY),
    "a watched one whose numbers are bad, too": (
        row(dispense="false", crypto_atoms="NaN"),
        HoldCode.NOT_DISPENSED,
    ),
}

HELD = {
    "instant": (row(status="instant"), HoldCode.STATUS_INSTANT),
    "instant, unpaid": (unpaid("instant"), HoldCode.STATUS_INSTANT),
    "confirmed, then insufficient": (row(status="insufficientFunds"), HoldCode.STATUS_UNEXPECTED),
    "confirmed, then published": (row(status="published"), HoldCode.STATUS_UNEXPECTED),
    "confirmed, then authorized": (row(status="authorized"), HoldCode.STATUS_UNEXPECTED),
    "confirmed, a word of a later version": (row(status="settled"), HoldCode.STATUS_UNEXPECTED),
    "confirmed without its time": (row(confirmed_at=None), HoldCode.STATUS_UNEXPECTED),
    "partial dispense": (
        row(dispense_confirmed="false", error="Notes jammed"),
        HoldCode.SOURCE_ERROR,
    ),
    "error stays after a good dispense": (row(error="Notes jammed"), HoldCode.SOURCE_ERROR),
    "error is an empty text": (row(error=""), HoldCode.SOURCE_ERROR),
    "error code alone": (row(error_code="scoreThresholdReached"), HoldCode.SOURCE_ERROR),
    "cancelled after payment": (
        row(error="Operator cancel", dispense_confirmed="false"),
        HoldCode.SOURCE_ERROR,
    ),
    "0-conf with an error": (
        unpaid("authorized", dispense="true", error="Notes jammed"),
        HoldCode.SOURCE_ERROR,
    ),
    "created unreadable": (row(created="infinity"), HoldCode.NUMBER_UNUSABLE),
    "created missing": (row(created=None), HoldCode.NUMBER_UNUSABLE),
    "confirmed on 30 February": (
        row(confirmed_at="2026-02-30T00:00:00.000000"),
        HoldCode.NUMBER_UNUSABLE,
    ),
    "atoms missing": (row(crypto_atoms=None), HoldCode.NUMBER_UNUSABLE),
    "atoms negative": (row(crypto_atoms="-1"), HoldCode.NUMBER_UNUSABLE),
    "atoms NaN": (row(crypto_atoms="NaN"), HoldCode.NUMBER_UNUSABLE),
    "atoms with a fraction": (row(crypto_atoms="1.5"), HoldCode.NUMBER_UNUSABLE),
    "atoms beyond 64 bits": (row(crypto_atoms=str(INT64_MAX + 1)), HoldCode.NUMBER_UNUSABLE),
    "atoms of 30 digits": (row(crypto_atoms="9" * 30), HoldCode.NUMBER_UNUSABLE),
    "atoms zero": (row(crypto_atoms="0"), HoldCode.AMOUNT_ZERO),
    "atoms zero, received some": (
        row(crypto_atoms="0", received_crypto_atoms="500"),
        HoldCode.AMOUNT_ZERO,
    ),
    "received NaN": (row(received_crypto_atoms="NaN"), HoldCode.NUMBER_UNUSABLE),
    "received negative": (row(received_crypto_atoms="-1"), HoldCode.NUMBER_UNUSABLE),
    "received 101 short": (row(received_crypto_atoms="512299"), HoldCode.RECEIVED_SHORT),
    "received nothing": (row(received_crypto_atoms="0"), HoldCode.RECEIVED_SHORT),
    "received nothing of a few": (
        row(crypto_atoms="50", received_crypto_atoms="0"),
        HoldCode.RECEIVED_SHORT,
    ),
    "currency unknown": (row(fiat_code="XXX"), HoldCode.CURRENCY_UNKNOWN),
    "currency in small letters": (row(fiat_code="gtq"), HoldCode.CURRENCY_UNKNOWN),
    "currency is a coin": (row(fiat_code="BTC"), HoldCode.CURRENCY_UNKNOWN),
    "currency missing": (row(fiat_code=None), HoldCode.CURRENCY_UNKNOWN),
    "fiat zero": (row(fiat="0.00000"), HoldCode.FIAT_ZERO),
    "fiat minus zero": (row(fiat="-0.00000"), HoldCode.FIAT_ZERO),
    "fiat missing": (row(fiat=None), HoldCode.NUMBER_UNUSABLE),
    "fiat negative": (row(fiat="-20.00000"), HoldCode.NUMBER_UNUSABLE),
    "fiat infinite": (row(fiat="Infinity"), HoldCode.NUMBER_UNUSABLE),
    "fiat with an exponent": (row(fiat="4e3"), HoldCode.NUMBER_UNUSABLE),
    "fiat beyond 64 bits": (row(fiat="9" * 30), HoldCode.NUMBER_UNUSABLE),
    "fiat finer than a centavo": (row(fiat="99.99900"), HoldCode.FIAT_FRACTION),
    "fiat half a yen": (row(fiat_code="JPY", fiat="0.50000"), HoldCode.FIAT_FRACTION),
    "fiat tiny": (row(fiat="0.00001"), HoldCode.FIAT_FRACTION),
    "commission missing": (row(commission_percentage=None), HoldCode.COMMISSION_MISSING),
    "commission no number": (row(commission_percentage="5 %"), HoldCode.NUMBER_UNUSABLE),
    "commission NaN": (row(commission_percentage="NaN"), HoldCode.NUMBER_UNUSABLE),
    "commission negative": (row(commission_percentage="-0.15000"), HoldCode.COMMISSION_NEGATIVE),
    "commission negative, whole discount": (
        row(commission_percentage="-0.15000", discount="100"),
        HoldCode.COMMISSION_NEGATIVE,
    ),
    "commission in percent": (row(commission_percentage="5.50000"), HoldCode.COMMISSION_OVER_100),
    "commission just over": (row(commission_percentage="1.00001"), HoldCode.COMMISSION_OVER_100),
    "discount negative": (row(discount="-1"), HoldCode.DISCOUNT_OUT_OF_RANGE),
    "discount 101": (row(discount="101"), HoldCode.DISCOUNT_OUT_OF_RANGE),
    "discount no number": (row(discount="ten"), HoldCode.DISCOUNT_OUT_OF_RANGE),
    "test customer": (row(test_customer="true"), HoldCode.TEST_CUSTOMER),
    "unknown device": (row(device_known="false"), HoldCode.DEVICE_UNKNOWN),
}

SETTLED = {
    "ordinary": row(),
    "lightning": row(crypto_code="LN"),
    "fiat 99.99": row(fiat="99.99000"),
    "fiat one centavo": row(fiat="0.01000"),
    "three decimals": row(fiat_code="KWD", fiat="99.99900"),
    "no decimals": row(fiat_code="JPY", fiat="500.00000"),
    "discount null": row(discount=None),
    "discount 0": row(discount="0"),
    "discount 100": row(discount="100"),
    "commission 0": row(commission_percentage="0.00000"),
    "commission 100 %": row(commission_percentage="1.00000"),
    "commission over 100 %, discounted to it": row(commission_percentage="2.00000", discount="50"),
    "received null": row(received_crypto_atoms=None),
    "received exact": row(received_crypto_atoms="512400"),
    "received 100 short": row(received_crypto_atoms="512300"),
    "received over": row(received_crypto_atoms="600000"),
    "one sat": row(crypto_atoms="1"),
    "all the bits": row(crypto_atoms=str(INT64_MAX)),
    "no ticker, not needed": row(raw_ticker_price=None),
    "role may not see customers or devices": row(test_customer=None, device_known=None),
    "a fixed fee": row(fixed_fee="10.00000"),
}


@pytest.mark.parametrize("rule", SplitRule)
@pytest.mark.parametrize("case", NOT_STORED)
def test_classify_does_not_store_other_coins_or_refused_sales(case: str, rule: SplitRule) -> None:
    assert classify(NOT_STORED[case], rule) == IGNORED


@pytest.mark.parametrize("case", WATCHED)
def test_classify_watches_the_normal_moments_of_a_running_sale(case: str) -> None:
    source, code = WATCHED[case]
    assert classify(source, MARKUP) == watching(code)


@pytest.mark.parametrize("rule", SplitRule)
@pytest.mark.parametrize("case", HELD)
def test_classify_holds_every_suspicious_class(case: str, rule: SplitRule) -> None:
    source, code = HELD[case]
    assert classify(source, rule) == held(code)


@pytest.mark.parametrize("case", SETTLED)
def test_classify_lets_through_what_is_eligible(case: str) -> None:
    assert classify(SETTLED[case], MARKUP) == ELIGIBLE
    assert classify(SETTLED[case], MARGIN) == ELIGIBLE


@pytest.mark.parametrize("price", [None, "", "0.00000", "-1.00000", "NaN"])
def test_classify_needs_a_price_for_the_ticker_rule_only(price: str | None) -> None:
    source = row(raw_ticker_price=price)
    assert classify(source, TICKER) == held(HoldCode.TICKER_MISSING)
    assert classify(source, MARKUP) == classify(source, MARGIN) == ELIGIBLE


def test_classify_table_meets_every_code_a_row_alone_can_have() -> None:
    met = {code for _, code in [*WATCHED.values(), *HELD.values()]} | {HoldCode.TICKER_MISSING}
    by_others = {
        HoldCode.WATCHED_TOO_LONG,
        HoldCode.SOURCE_CHANGED,
        HoldCode.NO_CLIENT_BALANCE,
    }
    assert met == set(HoldCode) - by_others


@pytest.mark.parametrize("name", sorted(GOOD))
def test_classify_takes_a_missing_column_as_null(name: str) -> None:
    without = {key: value for key, value in GOOD.items() if key != name}
    assert classify(without, TICKER) == classify(row(**{name: None}), TICKER)


def test_classify_of_an_empty_row_is_nothing() -> None:
    assert classify({}, MARKUP) == IGNORED


@pytest.mark.parametrize(
    ("atoms", "received", "total"),
    [
        ("512400", None, 512_400),
        ("512400", "512400", 512_400),
        ("512400", "512300", 512_300),
        ("512400", "600000", 512_400),
        ("512400", "0", 0),
        ("NaN", "5", None),
        # Unreadable is not "not received": such a row is held before its total is used.
        ("512400", "NaN", 512_400),
    ],
)
def test_sale_total_is_never_more_than_was_received(
    atoms: str, received: str | None, total: int | None
) -> None:
    """design.md 3.2: total = min(crypto_atoms, received where not null)."""
    sale = read_sale(row(crypto_atoms=atoms, received_crypto_atoms=received))
    assert sale.total_sats == total


def test_read_sale_reads_the_production_row() -> None:
    assert read_sale(GOOD) == Sale(
        crypto_code="BTC",
        fiat_code="GTQ",
        crypto_atoms=512_400,
        received_crypto_atoms=None,
        fiat_minor=400_000,
        commission_rate=Fraction(55, 1000),
        discount_percent=Fraction(0),
        ticker_price=Fraction("826091.28"),
        created_us=1_748_800_740_000_000,
        confirmed_at_us=1_748_800_800_123_456,
    )


def test_read_sale_of_an_empty_row_reads_nothing() -> None:
    nothing = Sale("", "", None, None, None, None, Fraction(0), None, None, None)
    assert read_sale({}) == nothing


# -- any row -------------------------------------------------------------------------------------

POISON = st.sampled_from(
    [
        "",
        " ",
        " 1",
        "1 ",
        "1\n",
        "-1",
        "-0",
        "+1",
        "1e5",
        "1E400",
        "NaN",
        "Infinity",
        "-Infinity",
        "null",
        "None",
        "true",
        "TRUE",
        "t",
        "1/0",
        "0/0",
        "1_000",
        "0x1F",
        "9" * 400,
        "-" + "9" * 400,
        "0." + "0" * 70 + "1",
        "٣",
        "１２３",
        "²",
        "<script>alert(1)</script>",
        "'; DROP TABLE cash_out_txs; --",
        "\x00",
        "\x1b[31m",
        "\u202e000,4",
        "\ud800",
        "2026-02-30",
        "2026-02-30T00:00:00.000000",
        "9999-12-31T23:59:59.999999",
        "0001-01-01T00:00:00.000000",
        "infinity",
        str(2**63),
        str(2**64),
    ]
)
STATUSES = "notSeen published rejected authorized instant confirmed insufficientFunds".split()
BOOLEANS = st.sampled_from(["true", "false", None])
ORDINARY: dict[str, st.SearchStrategy[str | None]] = {
    "crypto_code": st.sampled_from(["BTC", "LN", "BTC", "LN", "BCH", "LTC"]),
    "crypto_atoms": st.integers(-1, 1_000_000).map(str),
    "received_crypto_atoms": st.one_of(st.none(), st.integers(-1, 1_000_000).map(str)),
    "fiat": st.decimals(-1, 5000, places=5).map(lambda n: f"{n:f}"),
    "fiat_code": st.sampled_from(["GTQ", "USD", "JPY", "KWD", "XXX"]),
    "status": st.sampled_from(STATUSES),
    "dispense": BOOLEANS,
    "dispense_confirmed": BOOLEANS,
    "error": st.sampled_from([None, None, "Operator cancel"]),
    "error_code": st.sampled_from([None, None, "walletScoringError"]),
    "commission_percentage": st.one_of(
        st.none(), st.decimals(Decimal("-0.2"), Decimal("1.3"), places=5).map(lambda n: f"{n:f}")
    ),
    "discount": st.one_of(st.none(), st.integers(-5, 105).map(str)),
    "raw_ticker_price": st.one_of(
        st.none(), st.decimals(-1, 10**6, places=5).map(lambda n: f"{n:f}")
    ),
    "created": st.sampled_from(["2025-06-01T00:00:00.000000", "2025-06-01T00:00:00.000000", None]),
    "confirmed_at": st.sampled_from(["2025-06-01T00:00:00.000001", None, "infinity"]),
    "test_customer": st.sampled_from([None, "false", "false", "true"]),
    "device_known": st.sampled_from([None, "true", "true", "false"]),
}


@st.composite
def ordinary_rows(draw: st.DrawFn) -> dict[str, str | None]:
    """A good row with up to four columns set to something a real database could hold."""
    names = draw(st.lists(st.sampled_from(sorted(ORDINARY)), unique=True, max_size=4))
    return row(**{name: draw(ORDINARY[name]) for name in names})


@st.composite
def poisoned_rows(draw: st.DrawFn) -> dict[str, str | None]:
    """A good row with up to four columns set to anything at all."""
    names = draw(st.lists(st.sampled_from(sorted(GOOD)), unique=True, min_size=1, max_size=4))
    anything = st.one_of(POISON, st.none(), st.text(), st.text("0123456789.-e+ ", max_size=80))
    return row(**{name: draw(anything) for name in names})


ANY_ROW = st.one_of(ordinary_rows(), poisoned_rows())


def _number(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def predicate(source: SourceRow) -> bool:
    """lamassu.md 3.6, word for word, with Decimal and without our code. For ordinary rows."""
    atoms, fiat = _number(source["crypto_atoms"]), _number(source["fiat"])
    return (
        source["crypto_code"] in ("BTC", "LN")
        and source["status"] == "confirmed"
        and source["confirmed_at"] is not None
        and source["dispense"] == "true"
        and source["dispense_confirmed"] == "true"
        and source["error"] is None
        and source["error_code"] is None
        and atoms is not None
        and atoms > 0
        and fiat is not None
        and fiat > 0
    )


def suspicious(source: SourceRow, rule: SplitRule) -> bool:
    """The suspicious classes of lamassu.md 3.6 and design.md 3.1 that concern a paid sale."""
    atoms, received = _number(source["crypto_atoms"]), _number(source["received_crypto_atoms"])
    rate, discount = _number(source["commission_percentage"]), _number(source["discount"])
    price, fiat = _number(source["raw_ticker_price"]), _number(source["fiat"])
    decimals = {"GTQ": 2, "USD": 2, "JPY": 0, "KWD": 3}.get(source["fiat_code"] or "")
    if rate is None or decimals is None or atoms is None or fiat is None:
        return True
    off = discount or Decimal(0)
    return (
        rate < 0
        or not 0 <= off <= 100
        or rate * (100 - off) > 100
        or (received is not None and (received <= 0 or received < atoms - 100))
        or fiat != round(fiat, decimals)
        or (rule is TICKER and (price is None or price <= 0))
        or source["created"] is None
        or source["confirmed_at"] == "infinity"
        or source["test_customer"] == "true"
        or source["device_known"] == "false"
    )


@THOROUGH
@given(ordinary_rows(), st.sampled_from(SplitRule))
def test_classify_is_pending_exactly_for_the_predicate(
    source: dict[str, str | None], rule: SplitRule
) -> None:
    """design.md 3.1: eligible, and nothing suspicious (held wins over eligible)."""
    pending = classify(source, rule) == ELIGIBLE
    assert pending == (predicate(source) and not suspicious(source, rule))


@given(ANY_ROW, st.sampled_from(SplitRule))
@example(row(fiat="9" * 400), MARKUP)
@example(row(discount="\ud800"), MARKUP)
def test_classify_never_raises_and_always_gives_a_verdict(
    source: dict[str, str | None], rule: SplitRule
) -> None:
    """design.md 3.1: one poisonous row never stops the others."""
    verdict = classify(source, rule)
    assert verdict == classify(dict(source), rule)
    if verdict.state in (None, CashOutState.PENDING):
        assert verdict.code is None
    else:
        assert verdict.state in (CashOutState.WATCHING, CashOutState.HELD)
        assert isinstance(verdict.code, HoldCode)


@given(
    st.dictionaries(
        st.sampled_from(sorted(GOOD)), st.one_of(st.none(), st.text(), POISON), max_size=21
    ),
    st.sampled_from(SplitRule),
    st.booleans(),
)
def test_classify_of_any_texts_at_all(
    source: dict[str, str | None], rule: SplitRule, a_coin: bool
) -> None:
    if a_coin:
        source = {**source, "crypto_code": "BTC"}
    assert isinstance(classify(source, rule), Verdict)
    assert isinstance(settle_problem(source, rule, Stated()), HoldCode)
    read_sale(source)


# -- what a person may add -----------------------------------------------------------------------

PLAIN = Stated()
FIAT = Stated(fiat_minor=400_000)
RIGHT_FIAT = Stated(fiat_minor=400_000, fiat_is_wrong=True)
RATE = Stated(commission_rate=Fraction(55, 1000))
DISCOUNT = Stated(discount_percent=Fraction(10))
EVERYTHING = replace(
    RIGHT_FIAT, commission_rate=RATE.commission_rate, discount_percent=Fraction(10)
)
STATEMENTS = {
    "nothing": PLAIN,
    "fiat": FIAT,
    "right fiat": RIGHT_FIAT,
    "rate": RATE,
    "discount": DISCOUNT,
    "everything": EVERYTHING,
}
ANY = frozenset(STATEMENTS)
NEVER: frozenset[str] = frozenset()
WITH_FIAT = frozenset({"right fiat", "everything"})
WITH_RATE = frozenset({"rate", "everything"})
WITH_DISCOUNT = frozenset({"discount", "everything"})

# Case of HELD -> the statements with which a person may have it settled.
RESCUES: dict[str, frozenset[str]] = {
    **dict.fromkeys(HELD, ANY),  # but for:
    **dict.fromkeys(
        [
            "atoms missing",
            "atoms negative",
            "atoms NaN",
            "atoms with a fraction",
            "atoms beyond 64 bits",
            "atoms of 30 digits",
            "atoms zero",
            "atoms zero, received some",
            "received NaN",
            "received negative",
            "received nothing",
            "received nothing of a few",
            "currency unknown",
            "currency in small letters",
            "currency is a coin",
            "currency missing",
        ],
        NEVER,
    ),
    **dict.fromkeys(
        [
            "fiat zero",
            "fiat minus zero",
            "fiat missing",
            "fiat negative",
            "fiat infinite",
            "fiat with an exponent",
            "fiat beyond 64 bits",
            "fiat finer than a centavo",
            "fiat half a yen",
            "fiat tiny",
        ],
        WITH_FIAT,
    ),
    **dict.fromkeys(
        [
            "commission missing",
            "commission no number",
            "commission NaN",
            "commission negative",
            "commission negative, whole discount",
            "commission in percent",
        ],
        WITH_RATE,
    ),
    "commission just over": WITH_RATE | WITH_DISCOUNT,
    **dict.fromkeys(["discount negative", "discount 101", "discount no number"], WITH_DISCOUNT),
}


@pytest.mark.parametrize("case", HELD)
def test_settle_problem_says_which_statement_lets_a_person_settle_it(case: str) -> None:
    """design.md 7: a body with what is missing, 422 naming it otherwise."""
    source, code = HELD[case]
    allowed = {
        name
        for name, stated in STATEMENTS.items()
        if settle_problem(source, MARKUP, stated) is None
    }
    assert allowed == RESCUES[case]
    if not allowed:
        assert settle_problem(source, MARKUP, EVERYTHING) is code


@pytest.mark.parametrize("case", WATCHED)
def test_settle_problem_lets_a_person_finish_a_running_sale(case: str) -> None:
    source, _ = WATCHED[case]
    readable = read_sale(source).crypto_atoms is not None
    assert (settle_problem(source, MARKUP, PLAIN) is None) == readable


@pytest.mark.parametrize("stated", STATEMENTS.values(), ids=list(STATEMENTS))
def test_settle_problem_without_a_price_no_statement_helps_the_ticker_rule(stated: Stated) -> None:
    source = row(raw_ticker_price=None)
    assert settle_problem(source, TICKER, stated) is HoldCode.TICKER_MISSING
    assert settle_problem(source, MARKUP, stated) is None


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        (Stated(commission_rate=Fraction(-1, 100)), HoldCode.COMMISSION_NEGATIVE),
        (Stated(commission_rate=Fraction(101, 100)), HoldCode.COMMISSION_OVER_100),
        (Stated(discount_percent=Fraction(-1)), HoldCode.DISCOUNT_OUT_OF_RANGE),
        (Stated(discount_percent=Fraction(101)), HoldCode.DISCOUNT_OUT_OF_RANGE),
    ],
)
def test_settle_problem_holds_a_statement_to_the_same_bounds(
    stated: Stated, code: HoldCode
) -> None:
    assert settle_problem(row(), MARKUP, stated) is code


@pytest.mark.parametrize(("fiat_minor", "is_wrong"), [(0, True), (-1, True), (-1, False)])
def test_settle_problem_refuses_a_statement_a_plan_would_halt_on(
    fiat_minor: int, is_wrong: bool
) -> None:
    """It is the price's denominator or what may be drawn; HALT is for our own bugs only."""
    stated = Stated(fiat_minor=fiat_minor, fiat_is_wrong=is_wrong)
    assert settle_problem(row(), MARKUP, stated) is HoldCode.FIAT_ZERO


@pytest.mark.parametrize("case", [*HELD, *SETTLED])
@pytest.mark.parametrize("rule", SplitRule)
def test_settle_problem_without_a_statement_agrees_with_classify(
    case: str, rule: SplitRule
) -> None:
    """The rule may change after a row was stored: the second look holds what the first would."""
    source = HELD[case][0] if case in HELD else SETTLED[case]
    verdict = classify(source, rule)
    origin = {
        HoldCode.STATUS_INSTANT,
        HoldCode.STATUS_UNEXPECTED,
        HoldCode.SOURCE_ERROR,
        HoldCode.TEST_CUSTOMER,
        HoldCode.DEVICE_UNKNOWN,
    }
    if verdict.code not in origin:
        assert settle_problem(source, rule, None) == verdict.code


STATED = st.builds(
    Stated,
    fiat_minor=st.one_of(st.none(), st.integers(1, 10**12)),
    fiat_is_wrong=st.booleans(),
    commission_rate=st.one_of(st.none(), st.fractions(0, 1)),
    discount_percent=st.one_of(st.none(), st.fractions(0, 100)),
)


@given(ANY_ROW, st.sampled_from(SplitRule), st.one_of(st.none(), STATED))
@example(row(fiat="NaN"), MARKUP, Stated(fiat_minor=None, fiat_is_wrong=True))
def test_settle_problem_none_means_that_a_plan_can_be_made(
    source: dict[str, str | None], rule: SplitRule, stated: Stated | None
) -> None:
    """What passes here never halts in the plan (design.md 8); input built as at settlement."""
    if settle_problem(source, rule, stated) is not None:
        return
    sale, said = read_sale(source), stated or Stated()
    wrong = said.fiat_is_wrong and said.fiat_minor is not None
    fiat_minor = said.fiat_minor if wrong else sale.fiat_minor
    assert fiat_minor is not None
    assert sale.total_sats
    rate, discount = said.commission_rate, said.discount_percent
    plan = make_plan(
        PlanInput(
            lamassu_transaction_id="sale",
            rule=rule,
            total_sats=sale.total_sats,
            commission_rate=sale.commission_rate if rate is None else rate,
            discount_percent=(
                (sale.discount_percent or Fraction(0)) if discount is None else discount
            ),
            ticker_price=sale.ticker_price,
            currency=sale.fiat_code,
            fiat_minor=fiat_minor,
            draw_limit_minor=fiat_minor if said.fiat_minor is None else said.fiat_minor,
            funding_mode=FundingMode.CREDIT,
            source_wallet_id="source",
            commission_wallet_id=None,
            clients=(PoolClient("a", "wallet-a", "flow", None, 10**9, 0, 0),),
        )
    )
    assert plan.split.total_sats == sale.total_sats


@given(ANY_ROW, st.sampled_from(SplitRule), st.one_of(st.none(), STATED))
def test_settle_problem_is_a_code_or_none(
    source: dict[str, str | None], rule: SplitRule, stated: Any
) -> None:
    problem = settle_problem(source, rule, stated)
    assert problem is None or isinstance(problem, HoldCode)
    if classify(source, rule) == ELIGIBLE:
        assert settle_problem(source, rule, None) is None
