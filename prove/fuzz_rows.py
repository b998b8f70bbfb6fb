"""Rows of Lamassu under fuzz: never an exception, never a sat for nonsense, good rows still paid.

Twice: as text straight to the rules and the intake (whatever a PostgreSQL could send), and as rows
of a real Lamassu, whose column types let NaN, infinity and years before Christ through.
"""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
from hypothesis import strategies as st
from satmachineadmin import crud
from satmachineadmin.dev import sample_rows
from satmachineadmin.domain.eligibility import classify, settle_problem
from satmachineadmin.domain.money import CURRENCY_EXPONENT
from satmachineadmin.domain.states import HOLD_REASONS, CashOutState, HoldCode, SplitRule
from satmachineadmin.domain.verdicts import FACTS
from satmachineadmin.services import settle
from satmachineadmin.services.intake import Intake, store_rows
from support.operator import BASE, Operator
from support.proof import prove

from .fuzz_engine import HALF, ODD_TEXTS, explore

GOOD: dict[str, str | None] = {
    "device_id": "5f",
    "device_name": "front door",
    "device_known": "true",
    "test_customer": "false",
    "crypto_code": "LN",
    "crypto_atoms": "266800",
    "received_crypto_atoms": "266800",
    "fiat": "2000.00000",
    "fiat_code": "GTQ",
    "status": "confirmed",
    "dispense": "true",
    "dispense_confirmed": "true",
    "error": None,
    "error_code": None,
    "commission_percentage": "0.03000",
    "discount": None,
    "raw_ticker_price": "826091.28000",
    "fixed_fee": None,
    "created": "2026-06-10T05:58:20.000000",
    "confirmed_at": "2026-06-10T05:59:00.000000",
}
ROWS_PER_BATCH = 100
SHOWN_MAX = 6  # pages of single cash-outs opened for a batch; the list shows all of them
NUMBERS = [
    *("NaN", "Infinity", "-Infinity", "0", "-0", "-1", "1e400", "0.00001", "1e5", "+5", " 5"),
    *("9223372036854775807", "9223372036854775808", "9" * 30, "9" * 70, "0.1", "1_000", "0x1"),
    *("\u0661", "1.", ".5", "1,5", "100", "1", "1.00000", "100.00001", "99999999999999.99999"),
]
TIMES = [
    *("infinity", "-infinity", "0044-03-15 00:00:00+00 BC", "2026-02-30T00:00:00.000000"),
    *("0001-01-01T00:00:00.000000", "9999-12-31T23:59:59.999999", "2026-06-10", "now"),
    *("294276-12-31 23:59:59+00", "2026-06-10T05:59:00.000000+02:00", "1970-01-01T00:00:00.000000"),
]
WORDS = ["true", "false", "t", "TRUE", "confirmed", "Confirmed", "instant", "authorized", "LN"]
CODES = ["BTC", "ln", "ETH", "GTQ", "gtq", "JPY", "XXX", "KWD", "USD"]
# PostgreSQL's text knows neither NUL nor half a character, so no source can send them.
_POSTGRES_TEXTS = [x for x in ODD_TEXTS if "\x00" not in x and x != HALF]
_postgres_text = st.one_of(
    st.sampled_from(_POSTGRES_TEXTS),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60),
)
_known = st.sampled_from([*NUMBERS, *TIMES, *WORDS, *CODES])
# What nearly fits a column finds more than what fits nowhere.
_NEAR: dict[str, list[str]] = {
    "device_known": WORDS[:4],
    "test_customer": WORDS[:4],
    "dispense": WORDS[:4],
    "dispense_confirmed": WORDS[:4],
    "created": TIMES,
    "confirmed_at": TIMES,
    "crypto_code": [*CODES, "LN"],
    "fiat_code": CODES,
    "status": WORDS[4:],
}


def changed(text: Any) -> Any:
    """One to four columns of a good row, with other values."""

    def values(names: list[str]) -> Any:
        near = {name: st.sampled_from(_NEAR.get(name, NUMBERS)) for name in names}
        return st.fixed_dictionaries(
            {name: st.one_of(st.none(), near[name], near[name], _known, text) for name in names}
        )

    return st.lists(st.sampled_from(list(GOOD)), min_size=1, max_size=4, unique=True).flatmap(
        values
    )


def is_good(row: dict[str, str | None]) -> bool:
    """May a sat move for this row? Written from the words of money-rules.md, not from the code."""

    def number(name: str) -> Decimal | None:
        text = row.get(name) or ""
        return Decimal(text) if re.fullmatch(r"-?[0-9]{1,40}(\.[0-9]{1,20})?", text) else None

    atoms, fiat, rate = number("crypto_atoms"), number("fiat"), number("commission_percentage")
    received = number("received_crypto_atoms")
    discount = Decimal(0) if row["discount"] is None else number("discount")
    code = row["fiat_code"] or ""
    if None in (atoms, fiat, rate, discount) or code not in CURRENCY_EXPONENT:
        return False
    assert atoms is not None
    assert fiat is not None
    assert rate is not None
    assert discount is not None
    if row["received_crypto_atoms"] is None:
        received = atoms
    if received is None or received % 1 or received <= 0 or received < atoms - 100:
        return False
    minor = fiat.scaleb(CURRENCY_EXPONENT[code])
    return (
        row["crypto_code"] in ("BTC", "LN")
        and (row["status"], row["dispense"], row["dispense_confirmed"])
        == ("confirmed", "true", "true")
        and row["error"] is None
        and row["error_code"] is None
        and not (row["test_customer"] == "true" or row["device_known"] == "false")
        and atoms % 1 == 0
        and 0 < atoms < 2**63
        and received < 2**63
        and minor % 1 == 0
        and 0 < minor < 2**63
        and 0 <= discount <= 100
        and rate >= 0
        and rate * (100 - discount) / 100 <= 1
        and all(_is_moment(row[name]) for name in ("created", "confirmed_at"))
    )


def _is_moment(text: str | None) -> bool:
    return bool(text and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", text) and len(text) == 26)


def one_by_one(texts: list[str]) -> list[dict[str, str | None]]:
    """Every column with every value of these lists, one at a time: complete, not sampled."""
    values = [None, *NUMBERS, *TIMES, *WORDS, *CODES, *texts]
    return [{name: value} for name in GOOD for value in values]


async def fuzz_rules(*, examples: int, fixed: bool = True) -> int:
    """The rules alone, with text of any kind: a verdict, never an exception, never too kind."""

    async def check(changes: dict[str, str | None]) -> None:
        row = {"id": "x", **GOOD, **changes}
        for rule in SplitRule:
            verdict = classify(row, rule)
            if verdict.state is CashOutState.PENDING:
                assert is_good(row), f"{rule}: settles {changes}"
                assert settle_problem(row, rule, None) is None
            elif verdict.state is CashOutState.HELD:
                assert verdict.code in HOLD_REASONS, verdict

    each = one_by_one(ODD_TEXTS)
    for changes in each:
        await check(changes)
    any_text = st.one_of(st.sampled_from(ODD_TEXTS), st.text())
    return len(each) + await explore(changed(any_text), check, examples=examples, fixed=fixed)


async def fuzz_intake(
    operator: Operator, *, examples: int, fixed: bool = True, sweep: bool = False
) -> int:
    """Rows of text to the intake and through the settlement; `sweep`: every value in every column
    as well.
    """
    client = await operator.add_client("1000000000")

    async def check(batch: list[dict[str, str | None]]) -> None:
        rows = [{"id": str(uuid4()), **GOOD, **changes} for changes in batch]
        rows.append({"id": str(uuid4()), **GOOD})
        await store_rows(rows, Intake())
        await _settle_all()
        first = {str(row["id"]): [row] for row in rows}
        await _judge(operator, first, str(rows[-1]["id"]))
        # The same ids once more, each with its neighbour's values: a source that changes its mind.
        turned = [{**rows[i - 1], "id": row["id"]} for i, row in enumerate(rows[:-1])]
        await store_rows(turned, Intake())
        await _settle_all()
        said = {str(row["id"]): [row] for row in rows}
        for row in turned:
            said[str(row["id"])].append(row)
        await _judge(operator, said, str(rows[-1]["id"]))

    each = one_by_one(_POSTGRES_TEXTS) if sweep else []
    for start in range(0, len(each), ROWS_PER_BATCH):
        await check(each[start : start + ROWS_PER_BATCH])
    ran = await explore(
        st.lists(changed(_postgres_text), min_size=1, max_size=4),
        check,
        examples=examples,
        fixed=fixed,
    )
    assert await operator.remaining_minor(client) >= 0
    await prove()
    return len(each) + ran


async def _settle_all() -> None:
    for cash_out_id in await settle.pending_ids(1_000):
        await settle.settle_cash_out(cash_out_id)


async def _judge(
    operator: Operator, rows: dict[str, list[dict[str, str | None]]], good_id: str
) -> None:
    """Paid only what may be paid by something the source said of it; everything else has a reason
    that a person can read.
    """
    marks = {f"v{i}": one for i, one in enumerate(rows)}
    found = await crud.fetch_rows(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE lamassu_transaction_id IN"
        f" ({', '.join(':' + name for name in marks)})",
        marks,
    )
    shown = 0
    for cash_out in found:
        lamassu_id, status = str(cash_out["lamassu_transaction_id"]), cash_out["status"]
        if status == "completed":
            assert any(is_good(row) for row in rows[lamassu_id]), f"paid for {rows[lamassu_id]}"
        else:
            assert status in ("held", "watching"), f"{status}: {rows[lamassu_id]}"
            assert HOLD_REASONS[HoldCode(cash_out["hold_code"])]
        if shown < SHOWN_MAX:
            shown += 1
            page = await operator.http.get(f"{BASE}/transactions/{lamassu_id}")
            assert page.is_success, f"{page.status_code} {page.text[:200]}"
    states = {str(c["lamassu_transaction_id"]): c["status"] for c in found}
    assert states.get(good_id) == "completed", "a good row beside it was not settled"
    listed = await operator.http.get(f"{BASE}/transactions", params={"limit": len(rows)})
    assert listed.is_success, f"{listed.status_code} {listed.text[:200]}"


# What a real Lamassu's column types take, as JSON for json_populate_recordset.
_COLUMNS: dict[str, Any] = {
    "crypto_atoms": st.one_of(st.sampled_from(NUMBERS), st.integers(-(10**29), 10**30 - 1)),
    "received_crypto_atoms": st.one_of(st.none(), st.sampled_from(NUMBERS), st.integers()),
    "fiat": st.one_of(st.sampled_from(NUMBERS), st.integers(-(10**8), 10**9)),
    "fiat_code": st.one_of(st.sampled_from(CODES), _postgres_text),
    "crypto_code": st.one_of(st.sampled_from(["BTC", "LN", "ln", "ETH"]), _postgres_text),
    "status": st.sampled_from(["notSeen", "authorized", "instant", "confirmed", "rejected"]),
    "dispense": st.booleans(),
    "dispense_confirmed": st.one_of(st.none(), st.booleans()),
    "error": st.one_of(st.none(), _postgres_text),
    "error_code": st.one_of(st.none(), _postgres_text),
    "commission_percentage": st.one_of(st.none(), st.sampled_from(NUMBERS)),
    "discount": st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
    "raw_ticker_price": st.one_of(st.none(), st.sampled_from(NUMBERS)),
    "device_id": _postgres_text,
    "created": st.sampled_from(TIMES),
    "confirmed_at": st.one_of(st.none(), st.sampled_from(TIMES)),
}
real_changes = st.lists(
    st.sampled_from(list(_COLUMNS)), min_size=1, max_size=3, unique=True
).flatmap(lambda names: st.fixed_dictionaries({name: _COLUMNS[name] for name in names}))


async def fuzz_source(operator: Operator, *, examples: int, fixed: bool = True) -> tuple[int, int]:
    """A real Lamassu with such rows, polled over SSH; (rows it took, polls)."""
    from satmachineadmin.adapters.lamassu_postgres import open_source
    from satmachineadmin.services.source import source_settings

    client = await operator.add_client("1000000000")
    config = await crud.get_config()
    taken = 0

    async def check(batch: list[dict[str, Any]]) -> None:
        nonlocal taken
        ids = []
        for changes in batch:
            row = {**sample_rows.sale(fiat=100), **changes}
            with suppress(asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
                await operator.lamassu.insert(row)
                ids.append(str(row["id"]))
        good = sample_rows.sale(fiat=50)
        await operator.lamassu.insert(good)
        answer = await operator.http.post(f"{BASE}/manual-poll")
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        taken += len(ids)
        async with open_source(source_settings(config)) as source:
            rows = await source.rows_by_id([*ids, str(good["id"])])
        by_id = {str(row["id"]): [dict(row)] for row in rows}
        assert set(FACTS) <= set(by_id[str(good["id"])][0])
        await _judge(operator, by_id, str(good["id"]))

    polls = await explore(
        st.lists(real_changes, min_size=2, max_size=6), check, examples=examples, fixed=fixed
    )
    assert await operator.remaining_minor(client) >= 0
    await prove()
    return taken, polls
