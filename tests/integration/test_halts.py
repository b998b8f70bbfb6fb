"""Halts: what is stopped stays stopped, in the next settlement already, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from satmachineadmin import crud, lnbits_version, transaction_processor
from satmachineadmin.dev import sample_rows
from satmachineadmin.services import halts, readiness
from support.lnbits_app import make_wallet
from support.operator import Operator
from support.trouble import delete_wallet, open_alerts, refused_poll, set_column

S = "satoshimachine"
PUT = f"INSERT INTO {S}.halts (id, scope, subject, reason, set_by, set_us)"


async def halt(operator: Operator, scope: str, subject: str = "", expect: int = 201) -> Any:
    body = {"scope": scope, "subject": subject, "reason": "a look at it"}
    return await operator.api("POST", "halts", expect=expect, json=body)


async def lift(operator: Operator, halt_id: str, expect: int = 200) -> Any:
    body = {"reason": "it is well"}
    return await operator.api("POST", f"halts/{halt_id}/lift", expect=expect, json=body)


async def statuses(operator: Operator) -> dict[str, int]:
    found = (await operator.api("GET", "status"))["cash_outs"]
    return {name: n for name, n in found.items() if n}


async def test_a_halted_machine_waits_and_the_others_are_paid(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of its sales are the oldest: they leave the queue until it is lifted."""
    monkeypatch.setattr(transaction_processor, "SETTLE_PER_TICK_MAX", 2)
    await operator.add_client("30000")
    first = sample_rows.sale(fiat=100)
    await operator.lamassu.insert([first])
    await operator.poll()
    placed = await halt(operator, "machine", sample_rows.MACHINE)
    waiting = [sample_rows.sale(fiat=100) for _ in range(3)]
    other = sample_rows.sale(fiat=100, device_id=sample_rows.OTHER_MACHINE)
    await operator.lamassu.insert([*waiting, other])
    for _ in range(3):
        await operator.poll()
    assert await statuses(operator) == {"completed": 2, "pending": 3}
    shown = await operator.cash_out(waiting[0]["id"])
    assert shown["error_message"] == "Its machine is halted: a look at it"
    refused = await operator.api("POST", f"process-transaction/{waiting[0]['id']}", expect=409)
    assert refused["code"] == "WAITS_FOR_HALT"
    found = await operator.api("GET", "health")
    assert next(c for c in found["checks"] if c["name"] == "halts")["state"] == "warn"
    (alert,) = (await open_alerts(operator))["halt"]
    assert alert["severity"] == "warning"

    await lift(operator, placed["id"])
    assert not (await open_alerts(operator))["halt"]
    assert (await operator.cash_out(waiting[0]["id"]))["error_message"] is None
    for _ in range(2):
        await operator.poll()
    assert await statuses(operator) == {"completed": 5}
    assert (await lift(operator, placed["id"], expect=409))["code"] == "STATE_CONFLICT"


async def test_a_halted_client_gets_nothing_and_the_others_not_their_part(
    operator: Operator,
) -> None:
    """What they would have a part in waits; what they have none in is paid; so do retries."""
    client = await operator.add_client()
    await operator.add_client()
    dollars = await operator.add_client("500", currency="USD")
    good, bad = operator.wallets[client], await make_wallet("to be deleted")
    await set_column(client, wallet_id=bad)
    await delete_wallet(bad)
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    await operator.poll()
    assert (await operator.api("GET", "status"))["failed_shares"] == 1
    placed = await halt(operator, "client", client)
    await set_column(client, wallet_id=good)
    with_them = sample_rows.sale(fiat=100)
    without = sample_rows.sale(fiat=100, fiat_code="USD", bid="100000")
    await operator.lamassu.insert([with_them, without])
    before = await operator.balances()
    await operator.poll()
    after = await operator.balances()
    assert after[client] == before[client] == 0
    assert after[dollars] > before[dollars]
    assert (await operator.cash_out(with_them["id"]))["status"] == "pending"
    (share,) = await crud.fetch_rows(f"SELECT id FROM {S}.dca_payments WHERE status = 'failed'")
    refused = await operator.api("POST", f"payments/{share['id']}/retry", expect=409)
    assert refused["code"] == "WAITS_FOR_HALT"
    await lift(operator, placed["id"])
    await operator.poll()
    assert (await operator.api("GET", "status"))["failed_shares"] == 0
    assert (await operator.cash_out(with_them["id"]))["status"] == "completed"


async def test_intake_is_halted_and_what_is_stored_is_paid(operator: Operator) -> None:
    await operator.add_client()
    await operator.api("PUT", "polling", json={"enabled": True})
    held = sample_rows.sale(fiat=100)
    await operator.lamassu.insert([held])
    placed = await halt(operator, "intake")
    answer = (await refused_poll(operator)).json()
    assert (answer["code"], answer["detail"]) == ("HALTED", "Intake is halted: a look at it")
    assert await statuses(operator) == {}
    assert "poll_failed" not in await open_alerts(operator)
    refused = await operator.api("POST", f"process-transaction/{held['id']}", expect=409)
    assert refused["code"] == "HALTED"
    await lift(operator, placed["id"])
    await operator.poll()
    assert await statuses(operator) == {"completed": 1}


@pytest.mark.parametrize("scope", ["settlement", "everything"])
async def test_nothing_is_paid_by_itself_or_by_hand(operator: Operator, scope: str) -> None:
    """By plain SQL, in the middle of a poll: the next settlement does not begin (I10)."""
    await operator.add_client("30000")
    sales = [sample_rows.sale(fiat=100) for _ in range(3)]
    await operator.lamassu.insert(sales)
    settle, original = transaction_processor.settle, transaction_processor.settle.settle_cash_out

    async def stop_after_one(cash_out_id: str, **more: Any) -> Any:
        result = await original(cash_out_id, **more)
        await crud.db.execute(f"{PUT} VALUES ('sql', '{scope}', '', 'by SQL', 'me', 1)")
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settle, "settle_cash_out", stop_after_one)
        await operator.poll()
    assert await statuses(operator) == {"completed": 1, "pending": 2}
    paid = await operator.balances()
    await operator.http.post("/satmachineadmin/api/v1/dca/manual-poll")
    for sale in sales:
        await operator.http.post(
            f"/satmachineadmin/api/v1/dca/process-transaction/{sale['id']}", json={}
        )
    assert await operator.balances() == paid
    status = await operator.api("GET", "status")
    assert (status["state"], "is halted: by SQL" in status["state_message"]) == ("halted", True)
    refused = await lift(operator, "sql", expect=409)
    assert "step by step" in refused["detail"]
    await crud.db.execute(f"UPDATE {S}.halts SET lifted_us = 2, lifted_by = 'me'")
    await operator.poll()
    assert await statuses(operator) == {"completed": 3}


async def test_a_changed_host_key_halts_intake_until_it_is_resumed(operator: Operator) -> None:
    """Even when the old key comes back: a person looks first."""
    await operator.lamassu.rotate_host_key()
    for _ in range(2):
        assert (await refused_poll(operator)).json()["code"] == "HOST_KEY_CHANGED"
    (one,) = (await operator.api("GET", "halts"))["active"]
    assert (one["scope"], one["cause"], one["set_by"]) == ("intake", "host_key", "system")
    shown = await operator.api("GET", "host-key")
    await crud.write(  # the server shows what was accepted, and nobody looked
        f"UPDATE {S}.lamassu_config SET ssh_host_key = :key", {"key": shown["ssh_host_key"]}
    )
    assert (await refused_poll(operator)).json()["code"] == "HALTED"
    early = await operator.api("POST", "resuming/begin", expect=409, json={"reason": "too soon"})
    assert "Not green yet: host_key" in early["detail"]
    await operator.api("PUT", "host-key", json={"ssh_host_key": shown["ssh_host_key"]})
    refused = (await refused_poll(operator)).json()
    assert (refused["code"], "Setup, Health" in refused["hint"]) == ("HALTED", True)
    assert "step by step" in (await lift(operator, one["id"], expect=409))["detail"]
    await operator.resume()
    await operator.poll()
    found = await operator.api("GET", "halts")
    assert (found["active"], found["lifted"][0]["id"]) == ([], one["id"])


async def test_an_unsupported_lnbits_halts_everything_once(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(lnbits_version, "_found", lambda: "1.9.0")
        readiness.forget()
        for _ in range(2):
            assert (await refused_poll(operator)).json()["code"] == "NOT_READY"
    (one,) = (await operator.api("GET", "halts"))["active"]
    assert (one["scope"], one["cause"]) == ("everything", halts.LNBITS_VERSION)
    assert (await refused_poll(operator)).json()["code"] == "HALTED"


async def test_what_there_is_not_is_not_halted(operator: Operator) -> None:
    """A mistyped id would stop nothing and look as if it did."""
    for scope, subject in (
        *(("client", "nobody"), ("machine", "nowhere"), ("client", ""), ("intake", "x")),
        ("world", ""),
    ):
        refused = await halt(operator, scope, subject, expect=422)
        assert refused["code"] == "BAD_INPUT", scope
    await halt(operator, "intake")
    assert (await halt(operator, "intake", expect=409))["code"] == "STATE_CONFLICT"
    assert (await lift(operator, "nosuch", expect=404))["code"] == "NOT_FOUND"
    assert len((await operator.api("GET", "halts"))["active"]) == 1
