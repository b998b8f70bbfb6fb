"""Test Transaction shows what a sale would give and moves nothing (SAT-65).

The earlier extension's credited real sats and charged real clients (C-SAT-u, peer.md h).
"""

from __future__ import annotations

from typing import Any

import pytest
from satmachineadmin.dev import sample_rows
from support.machine import change, picture
from support.operator import BASE, Operator


async def simulate(operator: Operator, expect: int = 200, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await operator.api(
        "POST", "test-transaction", expect=expect, params=params
    )
    return answer


async def test_the_default_is_103_at_3_percent(operator: Operator) -> None:
    await operator.add_client()
    answer = await simulate(operator)
    assert answer["success"] is True
    details = answer["transaction_details"]
    assert (details["total_amount_sats"], details["base_amount_sats"]) == (103, 100)
    assert details["commission_amount_sats"] == 3
    assert (details["commission_percentage"], details["effective_commission"]) == (3.0, 3.0)
    assert details["discount"] == 0.0
    assert details["transaction_id"]


@pytest.mark.parametrize(
    ("params", "base", "commission", "effective"),
    [
        ({"crypto_atoms": 266_800}, 259_029, 7_771, 3.0),
        (
            {"crypto_atoms": 100_000, "commission_percentage": "0.05", "discount": 10},
            95_693,
            4_307,
            4.5,
        ),
        ({"crypto_atoms": 1}, 0, 1, 3.0),
        (
            {"crypto_atoms": 1826, "commission_percentage": "0.05", "discount": 25},
            1_760,
            66,
            3.75,
        ),
        ({"crypto_atoms": 1000, "commission_percentage": 0}, 1000, 0, 0.0),
        ({"crypto_atoms": 1000, "discount": 100}, 1000, 0, 0.0),
        ({"crypto_atoms": 1000, "commission_percentage": 1}, 500, 500, 100.0),
        ({"crypto_atoms": 33, "commission_percentage": "0.1"}, 30, 3, 10.0),
    ],
)
async def test_the_published_examples(
    operator: Operator, params: dict[str, Any], base: int, commission: int, effective: float
) -> None:
    """The corrected vectors of design.md 3.2; 33 at 10 % is where floats lose a sat."""
    details = (await simulate(operator, **params))["transaction_details"]
    assert (details["base_amount_sats"], details["commission_amount_sats"]) == (base, commission)
    assert details["effective_commission"] == effective


async def test_it_moves_nothing(operator: Operator) -> None:
    await operator.add_client("3000")
    await operator.add_client("12.75")
    await operator.lamassu.insert([sample_rows.sale()])
    await operator.poll()
    before, balances = await picture(), await operator.balances()
    for params in ({}, {"crypto_atoms": 1_000_000, "fiat_amount": 500}, {"crypto_atoms": -1}):
        await operator.http.post(f"{BASE}/test-transaction", params=params)
    assert (await picture(), await operator.balances()) == (before, balances)


async def test_the_plan_is_the_one_a_real_sale_gets(operator: Operator) -> None:
    for fiat in ("3000", "1000", "12.75"):
        await operator.add_client(fiat)
    plan = (
        await simulate(
            operator, crypto_atoms=266_800, commission_percentage="0.03", fiat_amount=2000
        )
    )["plan"]
    row = sample_rows.sale(fiat=2000, commission="0.03", crypto_atoms=266_800)
    await operator.lamassu.insert([row])
    await operator.poll()
    real = {s["client_id"]: (s["amount_sats"], s["fiat"]) for s in await operator.shares(row["id"])}
    assert {s["client_id"]: (s["amount_sats"], s["fiat"]) for s in plan["shares"]} == real
    assert plan["drawn"] == (await operator.cash_out(row["id"]))["drawn"]


async def test_without_a_fiat_amount_the_last_price_counts(operator: Operator) -> None:
    await operator.add_client("3000")
    first = (await simulate(operator))["transaction_details"]
    assert first["fiat_assumed"] is True
    await operator.lamassu.insert([sample_rows.sale(fiat=100, commission="0", crypto_atoms=10_000)])
    await operator.poll()
    answer = await simulate(operator, crypto_atoms=20_000, commission_percentage=0)
    details = answer["transaction_details"]
    assert (details["fiat"], details["fiat_assumed"]) == ("200.00", False)
    assert answer["plan"]["shares"][0]["amount_sats"] == 20_000


async def test_with_nobody_to_pay_it_shows_that(operator: Operator) -> None:
    answer = await simulate(operator)
    assert answer["plan"]["shares"] == []
    assert answer["plan"]["operator_remainder_sats"] == 100


@pytest.mark.parametrize(
    "params",
    [
        {"crypto_atoms": 0},
        {"crypto_atoms": -5},
        {"crypto_atoms": "many"},
        {"crypto_atoms": 1.5},
        {"crypto_atoms": 10**30},
        {"commission_percentage": -0.01},
        {"commission_percentage": 1.01},
        {"commission_percentage": "NaN"},
        {"commission_percentage": "three"},
        {"discount": -1},
        {"discount": 101},
        {"discount": "NaN"},
        {"fiat_amount": 0},
        {"fiat_amount": "0.001"},
        {"fiat_amount": "Infinity"},
        {"fiat_amount": 10**13},
        {"raw_ticker_price": 0},
        {"currency": "XQX"},
        {"currency": "gtq"},
        {"currency": "<b>"},
    ],
)
async def test_bad_input_is_refused(operator: Operator, params: dict[str, Any]) -> None:
    before = await picture()
    said = await simulate(operator, 422, **params)
    assert said["code"] == "BAD_INPUT"
    (name,) = params
    assert name in said["detail"]
    assert await picture() == before


async def test_the_largest_amount_is_answered(operator: Operator) -> None:
    """Never a 500, whatever the sums become."""
    await operator.add_client("1000000000000")
    for params in (
        {"crypto_atoms": 2**63 - 1},
        {"crypto_atoms": 2**63 - 1, "fiat_amount": 10**12},
        {"crypto_atoms": 1, "fiat_amount": 10**12},
    ):
        answer = await operator.http.post(f"{BASE}/test-transaction", params=params)
        assert answer.status_code in (200, 422), answer.text


async def test_the_ticker_rule_asks_for_a_price(operator: Operator) -> None:
    await operator.api("PUT", "settings", json={"split_rule": "ticker"})
    said = await simulate(operator, 422)
    assert "raw_ticker_price" in said["hint"]
    params = {"fiat_amount": 100, "raw_ticker_price": 1_000_000, "crypto_atoms": 10_500}
    details = (await simulate(operator, **params))["transaction_details"]
    assert (details["base_amount_sats"], details["split_rule"]) == (10_000, "ticker")


async def test_it_works_while_automatic_work_is_off(operator: Operator) -> None:
    await operator.api("PUT", "polling", json={"enabled": False})
    assert (await simulate(operator))["success"] is True


async def test_without_a_connection_it_says_so(operator: Operator) -> None:
    await change("DELETE FROM satoshimachine.lamassu_config")
    assert (await simulate(operator, 503))["code"] == "NOT_CONFIGURED"


@pytest.mark.parametrize("name", ["commission_percentage", "discount", "fiat_amount"])
async def test_a_tiny_number_is_answered_at_once(operator: Operator, name: str) -> None:
    """An exact fraction of millions of digits must not be computed: LNbits stands meanwhile."""
    import time

    began = time.perf_counter()
    answer = await operator.http.post(f"{BASE}/test-transaction", params={name: "1e-3000000"})
    assert answer.status_code in (200, 422), answer.text
    assert time.perf_counter() - began < 1
