"""Any Lamassu id by hand: fetched now, settled once, with what a person states (SAT-62 to 64)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from satmachineadmin.dev import sample_rows
from support.machine import change, picture
from support.operator import BASE, Operator

REASON = {"reason": "checked with the customer"}
# Settled by the rules although they lie among the odd ones: within Lamassu's own tolerance, and a
# machine that was known once (domain/states.py, DEVICE_UNKNOWN).
BY_RULES = {"received_short", "on_unpaired_device"}
# No statement of a person makes these countable.
HOPELESS = {"beyond_64_bits", "unknown_currency"}
NEEDS: dict[str, dict[str, Any]] = {
    "fiat_zero": {"fiat_amount": 100, "fiat_is_wrong": True},
    "fiat_beyond_minor_units": {"fiat_amount": "100.00", "fiat_is_wrong": True},
    "without_commission": {"commission_percentage": "0.055"},
    "commission_300_percent": {"commission_percentage": "0.03"},
    "negative_commission": {"commission_percentage": "0"},
    "discount_out_of_range": {"discount": 100},
}
ODD = {
    name: build
    for name, build in {**sample_rows.WATCHED, **sample_rows.SUSPICIOUS}.items()
    if name not in BY_RULES
}


async def process(
    operator: Operator, lamassu_id: str, expect: int = 200, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    answer: dict[str, Any] = await operator.api(
        "POST", f"process-transaction/{lamassu_id}", expect=expect, json=body
    )
    return answer


async def test_without_a_connection_it_is_503(operator: Operator) -> None:
    await change("DELETE FROM satoshimachine.lamassu_config")
    answer = await process(operator, str(uuid4()), 503)
    assert answer["code"] == "NOT_CONFIGURED"
    assert answer["hint"]


@pytest.mark.parametrize(
    "some_id",
    [
        str(uuid4()),
        "'; DROP TABLE cash_out_txs; --",
        "1 OR 1=1",
        "x" * 64,
        "x" * 5000,
        "null",
        "00000000-0000-0000-0000-00000000000g",
        "%25",
        "%F0%9F%98%80",
        "$(touch x)",
    ],
)
async def test_an_unknown_id_is_404(operator: Operator, some_id: str) -> None:
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    before = await picture()
    answer = await process(operator, some_id, 404)
    assert answer["code"] == "NOT_FOUND"
    assert answer["hint"]
    assert await picture() == before
    assert len(await operator.lamassu.fetch("SELECT id FROM cash_out_txs")) == 1


@pytest.mark.parametrize("where", ["process-transaction/%00", "process-transaction/a%00b"])
async def test_a_zero_byte_in_an_id_is_404(operator: Operator, where: str) -> None:
    """PostgreSQL takes no such text; that is no reason for a 500."""
    answer = await operator.http.post(f"{BASE}/{where}")
    assert answer.status_code in (404, 422), answer.text


async def test_an_eligible_sale_needs_no_body(operator: Operator) -> None:
    client = await operator.add_client()
    row = sample_rows.sale(fiat=2000, commission="0.03", crypto_atoms=266_800)
    await operator.lamassu.insert([row])
    answer = await process(operator, row["id"])
    assert (answer["success"], answer["already_processed"]) == (True, False)
    assert answer["payment_count"] == 1
    details = answer["transaction_details"]
    assert details == {
        "transaction_id": row["id"],
        "status": "confirmed",
        "dispense": True,
        "dispense_confirmed": True,
        "crypto_amount": 266_800,
        "fiat_amount": details["fiat_amount"],
        "fiat_code": "GTQ",
    }
    assert float(details["fiat_amount"]) == 2000
    assert answer["transaction"]["status"] == "completed"
    assert (await operator.balances())[client] == 259_029


async def test_a_second_run_pays_nothing(operator: Operator) -> None:
    await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    await process(operator, row["id"])
    balances, before = await operator.balances(), await picture()
    for body in (None, REASON, {**REASON, "fiat_amount": 1}):
        again = await process(operator, row["id"], body=body)
        assert (again["already_processed"], again["payment_count"]) == (True, 1)
    assert (await operator.balances(), await picture()) == (balances, before)
    assert (await operator.poll())["transactions_processed"] == 0
    assert await operator.balances() == balances


async def test_the_cash_out_decides_not_its_shares(operator: Operator) -> None:
    """C-SAT-v: settled without a client it is settled, and is not credited a second time."""
    await operator.api("PUT", "settings", json={"settle_without_clients": True})
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    first = await process(operator, row["id"])
    assert (first["already_processed"], first["payment_count"]) == (False, 0)
    balances = await operator.balances()
    await operator.add_client()
    again = await process(operator, row["id"])
    assert (again["already_processed"], again["payment_count"]) == (True, 0)
    now = await operator.balances()
    assert {name: now[name] for name in balances} == balances
    assert sum(now.values()) == sum(balances.values())


async def test_asked_for_at_the_same_moment_it_is_paid_once(operator: Operator) -> None:
    client = await operator.add_client()
    row = sample_rows.sale(commission="0")
    await operator.lamassu.insert([row])
    answers = await asyncio.gather(
        *(operator.http.post(f"{BASE}/process-transaction/{row['id']}") for _ in range(3)),
        operator.http.post(f"{BASE}/manual-poll"),
    )
    assert {answer.status_code for answer in answers} <= {200, 409}, [a.text for a in answers]
    assert (await operator.balances())[client] == row["crypto_atoms"]


@pytest.mark.parametrize("kind", sorted(sample_rows.ELIGIBLE) + sorted(BY_RULES))
async def test_every_ordinary_sale_needs_nothing(operator: Operator, kind: str) -> None:
    await operator.add_client("1000000")
    row = {**sample_rows.ELIGIBLE, **sample_rows.SUSPICIOUS}[kind]()
    await operator.lamassu.insert([row])
    answer = await process(operator, row["id"])
    assert answer["transaction"]["status"] == "completed"


@pytest.mark.parametrize("kind", sorted(set(ODD) - HOPELESS))
@pytest.mark.parametrize("polled", [True, False])
async def test_an_odd_sale_asks_for_what_it_needs(
    operator: Operator, kind: str, polled: bool
) -> None:
    """Nothing moves until a person gave a reason and what Lamassu's row cannot say."""
    client = await operator.add_client("1000000")
    row = ODD[kind]()
    await operator.lamassu.insert([row])
    if polled:
        await operator.poll()
        assert (await operator.cash_out(row["id"]))["status"] in ("held", "watching")
    balances = await operator.balances()

    said = await process(operator, row["id"], 422)
    assert said["missing"] == ["reason"]
    assert said["code"] == "BAD_INPUT"
    body: dict[str, Any] = dict(REASON)
    if kind in NEEDS:
        more = await process(operator, row["id"], 422, body)
        assert sorted(more["missing"]) == sorted(NEEDS[kind])
        assert all(name in more["hint"] for name in NEEDS[kind])
        body |= NEEDS[kind]
    assert await operator.balances() == balances

    answer = await process(operator, row["id"], body=body)
    assert answer["transaction"]["status"] == "completed"
    assert answer["transaction"]["operator_reason"] == REASON["reason"]
    assert (await operator.balances())[client] > 0
    assert (await process(operator, row["id"]))["already_processed"] is True
    assert (await operator.poll())["transactions_processed"] == 0


@pytest.mark.parametrize("kind", sorted(HOPELESS))
async def test_what_cannot_be_counted_is_refused_for_good(operator: Operator, kind: str) -> None:
    await operator.add_client()
    row = ODD[kind]()
    await operator.lamassu.insert([row])
    for body in (REASON, {**REASON, "fiat_amount": 100, "fiat_is_wrong": True}):
        said = await process(operator, row["id"], 422, body)
        assert "missing" not in said
        assert "Skip" in said["hint"]
    await operator.poll()
    assert (await operator.cash_out(row["id"]))["status"] == "held"


async def test_received_much_too_little_settles_what_came(operator: Operator) -> None:
    client = await operator.add_client()
    row = {**sample_rows.sale(commission="0", crypto_atoms=50_000), "received_crypto_atoms": 20_000}
    await operator.lamassu.insert([row])
    assert (await process(operator, row["id"], 422))["missing"] == ["reason"]
    await process(operator, row["id"], body=REASON)
    assert (await operator.balances())[client] == 20_000


@pytest.mark.parametrize("kind", sorted(sample_rows.NOT_OURS))
async def test_other_coins_and_unpaid_sales_are_refused(operator: Operator, kind: str) -> None:
    await operator.add_client()
    row = sample_rows.NOT_OURS[kind]()
    await operator.lamassu.insert([row])
    before = await picture()
    for body in (None, {**REASON, "fiat_amount": 100, "fiat_is_wrong": True}):
        said = await process(operator, row["id"], 422, body)
        assert said["code"] == "BAD_INPUT"
        assert said["hint"]
        assert "missing" not in said
    assert await picture() == before


# -- what a person states ----------------------------------------


async def test_a_stated_fiat_limits_what_is_drawn(operator: Operator) -> None:
    """25 of 40 notes: the price stays Lamassu's, the rest stays with the operator."""
    client = await operator.add_client("3000")
    row = sample_rows.partly_dispensed(fiat=200, commission="0", crypto_atoms=20_000)
    await operator.lamassu.insert([row])
    await process(operator, row["id"], body={**REASON, "fiat_amount": "50"})
    found = await operator.cash_out(row["id"])
    assert (found["drawn"], found["base_sats"]) == ("50.00", 20_000)
    assert (found["confirmed_sats"], found["operator_remainder_sats"]) == (5_000, 15_000)
    assert (await operator.balances())[client] == 5_000
    assert await operator.remaining_minor(client) == 295_000
    assert found["operator_facts"]["fiat_minor"] == 5_000


async def test_a_wrong_fiat_changes_the_price(operator: Operator) -> None:
    client = await operator.add_client("3000")
    row = sample_rows.partly_dispensed(fiat=200, commission="0", crypto_atoms=20_000)
    await operator.lamassu.insert([row])
    body = {**REASON, "fiat_amount": "50", "fiat_is_wrong": True}
    await process(operator, row["id"], body=body)
    found = await operator.cash_out(row["id"])
    assert (found["drawn"], found["operator_remainder_sats"]) == ("50.00", 0)
    assert (await operator.balances())[client] == 20_000
    assert await operator.remaining_minor(client) == 295_000


async def test_more_fiat_than_lamassus_never_draws_more_sats(operator: Operator) -> None:
    client = await operator.add_client("3000")
    row = sample_rows.sale(fiat=200, commission="0", crypto_atoms=20_000)
    await operator.lamassu.insert([row])
    await process(operator, row["id"], body={**REASON, "fiat_amount": "1000"})
    assert (await operator.balances())[client] == 20_000
    assert await operator.remaining_minor(client) >= 200_000


async def test_stating_something_about_an_eligible_sale_needs_a_reason(operator: Operator) -> None:
    await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    said = await process(operator, row["id"], 422, {"fiat_amount": 50})
    assert said["missing"] == ["reason"]
    assert (await operator.balances())["source"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": "no"},
        {"reason": "a\nb and more"},
        {"reason": "x" * 501},
        {"reason": "fine", "fiat_amount": 0},
        {"reason": "fine", "fiat_amount": -1},
        {"reason": "fine", "fiat_amount": "NaN"},
        {"reason": "fine", "fiat_amount": 0.001},
        {"reason": "fine", "fiat_amount": 10**13},
        {"reason": "fine", "fiat_is_wrong": True},
        {"reason": "fine", "commission_percentage": -0.1},
        {"reason": "fine", "commission_percentage": 1.1},
        {"reason": "fine", "discount": 101},
        {"reason": "fine", "discount": -1},
        {"reason": "fine", "crypto_atoms": 1},
    ],
)
async def test_a_bad_statement_is_refused(operator: Operator, wrong: dict[str, Any]) -> None:
    await operator.add_client()
    row = sample_rows.partly_dispensed()
    await operator.lamassu.insert([row])
    before = await picture()
    said = await process(operator, row["id"], 422, wrong)
    assert said["code"] == "BAD_INPUT"
    assert await picture() == before


async def test_nobody_had_a_balance(operator: Operator) -> None:
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    said = await process(operator, row["id"], 409)
    assert said["hint"]
    assert (await operator.cash_out(row["id"]))["hold_code"] == "no_client_balance"
    client = await operator.add_client()
    assert (await process(operator, row["id"]))["payment_count"] == 1
    assert (await operator.balances())[client] > 0


# -- switched off, halted, skipped ----------------------------------------


async def test_it_works_while_automatic_work_is_off(operator: Operator) -> None:
    await operator.add_client()
    rows = [sample_rows.sale(), sample_rows.sale()]
    await operator.lamassu.insert(rows)
    await operator.api("PUT", "polling", json={"enabled": False})
    await process(operator, rows[0]["id"])
    assert (await operator.api("POST", "manual-poll", expect=409))["code"] == "POLLING_DISABLED"
    await operator.api("GET", f"transactions/{rows[1]['id']}", expect=404)


@pytest.mark.parametrize("gate", ["halt", "restore", "takeover"])
async def test_it_does_not_work_while_something_is_halted(operator: Operator, gate: str) -> None:
    from satmachineadmin.services.gates import close_gate

    client = await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    await close_gate(gate, "a sum does not hold", "look at it", {})
    said = await process(operator, row["id"], 503)
    assert (said["code"], said["detail"]) == ("NOT_READY", "a sum does not hold")
    assert (await operator.balances())[client] == 0
    status = await operator.api("GET", "status")
    assert (status["state"], status["state_message"]) == ("halted", "a sum does not hold")
    looked = {"reason": "looked at it"}
    if gate == "halt":
        await operator.api("POST", "resume/halt", expect=409, json=looked)
        await operator.api("POST", "resuming/begin", json=looked)
    else:
        await operator.api("POST", f"resume/{gate}", json=looked)
    await process(operator, row["id"])
    assert (await operator.balances())[client] > 0
    await operator.api("POST", f"resume/{gate}", expect=422, json={"reason": "once more"})


async def test_a_skipped_one_stays_skipped(operator: Operator) -> None:
    client = await operator.add_client()
    row = sample_rows.partly_dispensed()
    await operator.lamassu.insert([row])
    await operator.poll()
    skipped = await operator.api("POST", f"transactions/{row['id']}/skip", json=REASON)
    assert (skipped["status"], skipped["operator_reason"]) == ("skipped", REASON["reason"])
    await operator.poll()
    await operator.lamassu.update(row["id"], error=None, error_code=None, dispense_confirmed=True)
    await operator.poll()
    found = await operator.cash_out(row["id"])
    assert found["status"] == "skipped"
    assert found["changed_row"] is not None
    assert (await operator.balances())[client] == 0
    said = await process(operator, row["id"], 409, REASON)
    assert said["code"] == "STATE_CONFLICT"
    await operator.api("POST", f"transactions/{row['id']}/skip", expect=409, json=REASON)


async def test_a_skip_needs_a_reason(operator: Operator) -> None:
    row = sample_rows.partly_dispensed()
    await operator.lamassu.insert([row])
    await operator.poll()
    for body in ({}, {"reason": ""}, {"reason": "no"}, {"reason": "   "}, {"reason": "a\nb c"}):
        await operator.api("POST", f"transactions/{row['id']}/skip", expect=422, json=body)
    assert (await operator.cash_out(row["id"]))["status"] == "held"


async def test_a_settled_one_cannot_be_skipped(operator: Operator) -> None:
    client = await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    await operator.poll()
    paid = (await operator.balances())[client]
    said = await operator.api("POST", f"transactions/{row['id']}/skip", expect=409, json=REASON)
    assert said["code"] == "STATE_CONFLICT"
    assert (await operator.balances())[client] == paid > 0
