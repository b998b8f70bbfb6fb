"""Guards of the settlement's use cases that nothing else meets (prove/mutants.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Any

import pytest
from satmachineadmin import crud, transaction_processor
from satmachineadmin.adapters import ledger
from satmachineadmin.database import BooksConnection
from satmachineadmin.dev import sample_rows
from satmachineadmin.errors import BadInput, InvariantViolation
from satmachineadmin.services import deposits, gates, settle
from support.lnbits_app import fund_wallet, make_wallet
from support.machine import change
from support.operator import Operator, ago
from support.trouble import delete_wallet, open_alerts, sats_in, settings, state_of

SALE = {"fiat": 2000, "commission": "0.03", "crypto_atoms": 266_800}
TOTAL, BASE, COMMISSION = 266_800, 259_029, 7_771


async def settled_sale(operator: Operator) -> str:
    """A sale that was paid; the cash-out's id."""
    await operator.add_client("30000")
    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    await operator.poll()
    return str((await operator.cash_out(row["id"]))["id"])


async def update(cash_out_id: str, **changes: Any) -> None:
    """Change a cash-out behind the product's back."""
    names = ", ".join(f"{name} = :{name}" for name in changes)
    await crud.write(
        f"UPDATE satoshimachine.lamassu_transactions SET {names} WHERE id = :id",
        {**changes, "id": cash_out_id},
    )


async def test_a_lost_claim_halts(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not `processing` at the end of its own settlement is not completed."""
    await operator.add_client("30000")
    original = ledger.post

    async def and_somebody_takes_it(conn: BooksConnection, *given: Any, **more: Any) -> None:
        await original(conn, *given, **more)
        await conn.execute(
            "UPDATE satoshimachine.lamassu_transactions SET status = 'pending'" " WHERE id = :id",
            {"id": more["cash_out_id"]},
        )

    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "post", and_somebody_takes_it)
        answer = await operator.api("POST", "manual-poll", expect=500)
    assert "claimed cash-out was lost" in answer["detail"]
    assert (await operator.cash_out(row["id"]))["status"] == "failed"
    assert await sats_in(operator.source_wallet) == 0


async def test_a_note_changes_only_what_waits(operator: Operator) -> None:
    cash_out_id = await settled_sale(operator)
    await settle.note_attempt(cash_out_id, "guard")
    assert (await operator.cash_out(cash_out_id))["error_message"] is None


async def test_what_was_settled_is_never_marked_failed(operator: Operator) -> None:
    cash_out_id = await settled_sale(operator)
    await settle.mark_failed(cash_out_id, "guard")
    assert (await operator.cash_out(cash_out_id))["status"] == "completed"


async def test_the_first_reason_of_a_halt_stays(operator: Operator) -> None:
    for reason in ("the first", "the second"):
        await gates.halt(InvariantViolation(reason))
    assert (await gates.gate_states())["halt"]["message"] == "the first"


async def test_a_takeover_is_accepted_once(operator: Operator) -> None:
    await gates.close_gate(gates.TAKEOVER, "guard", "guard", {})
    await gates.open_gate(gates.TAKEOVER, "seen", "operator")
    with pytest.raises(BadInput):
        await gates.open_gate(gates.TAKEOVER, "again", "operator")


async def test_a_settlement_is_announced_once(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import announce

    told: list[Any] = []
    monkeypatch.setattr(announce, "queue_payments", told.extend)
    await settled_sale(operator)
    assert len(told) == 3
    await operator.poll()
    assert len(told) == 3


async def test_who_tells_first_tells_it(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two passes see the same settled sale; the wallets hear of it once."""
    from satmachineadmin.services import announce

    await settled_sale(operator)
    await change("UPDATE satoshimachine.lamassu_transactions SET announced_us = NULL")
    told: list[Any] = []
    monkeypatch.setattr(announce, "queue_payments", told.extend)
    await asyncio.gather(announce.announce_settled(), announce.announce_settled())
    assert len(told) == 3


async def test_a_broken_invariant_halts_everything(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the timer's tick, where no answer is made of it: the sale is out of the queue, the halt is
    closed, and the next sale does not move.
    """
    await operator.add_client("30000")

    async def broken(*_: Any) -> Any:
        raise InvariantViolation("guard")

    first, second = sample_rows.sale(**SALE), sample_rows.sale(**SALE)
    await operator.lamassu.insert([first])
    with monkeypatch.context() as patch:
        patch.setattr(settle, "write_plan", broken)
        with pytest.raises(InvariantViolation):
            await transaction_processor.tick("timer")
    assert (await operator.cash_out(first["id"]))["status"] == "failed"
    assert "halt" in await gates.gate_states()
    await operator.lamassu.insert([second])
    assert (await operator.poll())["transactions_processed"] == 0


async def test_an_answer_about_a_broken_invariant_halts(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the operator asked for, also where no tick is near."""
    client_id = await operator.add_client("0")

    async def broken(*_: Any) -> Any:
        raise InvariantViolation("guard")

    body = {"client_id": client_id, "amount": "10", "currency": "GTQ"}
    deposit = await operator.api("POST", "deposits", json=body)
    with monkeypatch.context() as patch:
        patch.setattr(deposits, "_credit", broken)
        path, status = f"deposits/{deposit['id']}/status", {"status": "confirmed"}
        await operator.api("PUT", path, json=status, expect=500)
    assert "halt" in await gates.gate_states()
    assert await operator.remaining_minor(client_id) == 0


async def test_one_tick_at_a_time(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one process the second waits: the lease alone would let it in as its own holder."""
    at_once = [0, 0]

    @asynccontextmanager
    async def counted() -> AsyncIterator[None]:
        at_once[0] += 1
        at_once[1] = max(at_once)
        await asyncio.sleep(0.2)
        yield
        at_once[0] -= 1

    monkeypatch.setattr(transaction_processor, "one_connection", counted)

    async def alone() -> None:
        async with transaction_processor._alone(5):
            pass

    await asyncio.gather(alone(), alone())
    assert at_once[1] == 1


# ---- what a plan rests on -------------------------------------------------------------------


async def test_a_rule_that_changed_holds_what_it_cannot_settle(operator: Operator) -> None:
    """It was eligible by the old rule, waited for funds, and lacks what the new rule needs."""
    await operator.add_client("30000")
    await settings(operator, funding_ln="prefunded")
    row = sample_rows.sale(**SALE, raw_ticker_price=None)
    await operator.lamassu.insert([row])
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("pending", None)
    await settings(operator, split_rule="ticker")
    await fund_wallet(operator.source_wallet, TOTAL)
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "ticker_missing")


async def test_an_unreadable_sale_is_never_planned(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the look at its numbers were missed."""
    await operator.add_client("30000")
    row = sample_rows.beyond_64_bits()
    await operator.lamassu.insert([row])
    await operator.poll()
    found = await operator.cash_out(row["id"])
    await update(found["id"], status="pending", hold_code=None)
    monkeypatch.setattr(settle, "settle_problem", lambda *_: None)
    answer = await operator.api("POST", "manual-poll", expect=500)
    assert "unreadable sale" in answer["detail"]


async def test_cash_of_another_currency_buys_nothing(operator: Operator) -> None:
    await operator.add_client("3000", "USD")
    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "no_client_balance")


async def test_later_cash_of_another_currency_takes_nothing_away(operator: Operator) -> None:
    client = await operator.add_client("3000")
    now = datetime.now(timezone.utc).isoformat()
    await operator.deposit(client, "3000", "USD", effective_at=now)
    row = sample_rows.sale(**SALE, confirmed_at=ago(minutes=10))
    await operator.lamassu.insert([row])
    await operator.poll()
    assert (await operator.balances())[client] == BASE


async def test_what_a_plan_itself_owes_must_be_there(operator: Operator) -> None:
    """Prefunded, with a share that cannot be delivered: its sats must lie in the wallet, too."""
    client = await operator.add_client("30000")
    await settings(operator, funding_ln="prefunded")
    await fund_wallet(operator.source_wallet, COMMISSION)
    await delete_wallet(operator.wallets.pop(client))
    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("pending", None)
    await fund_wallet(operator.source_wallet, BASE)
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("completed", None)
    assert await sats_in(operator.source_wallet) == BASE


async def test_what_another_wallet_owes_is_not_kept_here(operator: Operator) -> None:
    client = await operator.add_client("2000")
    await delete_wallet(operator.wallets.pop(client))
    first = sample_rows.sale(**SALE)
    await operator.lamassu.insert([first])
    await operator.poll()
    assert (await operator.cash_out(first["id"]))["failed_sats"] == BASE
    operator.source_wallet = await make_wallet("another source")
    await operator.api("POST", "config", json=operator.connection())
    await settings(operator, funding_ln="prefunded")
    await fund_wallet(operator.source_wallet, TOTAL)
    await operator.add_client("2000")
    second = sample_rows.sale(**SALE)
    await operator.lamassu.insert([second])
    await operator.poll()
    assert await state_of(operator, second["id"]) == ("completed", None)


# ---- rows that were decided -----------------------------------------------------------------


async def test_a_halt_leaves_a_held_one_held(operator: Operator) -> None:
    """By hand: not even its state moves while something is halted."""
    await operator.add_client("30000")
    row = sample_rows.confirmed_with_error()
    await operator.lamassu.insert([row])
    await operator.poll()
    before = await state_of(operator, row["id"])
    assert before[0] == "held"
    await gates.halt(InvariantViolation("guard"))
    path = f"process-transaction/{row['id']}"
    await operator.api("POST", path, expect=503, json={"reason": "guard"})
    assert await state_of(operator, row["id"]) == before


async def test_a_new_rule_releases_only_what_it_can_settle(operator: Operator) -> None:
    """The missing price no longer matters, the test customer does."""
    await operator.add_client("30000")
    await settings(operator, split_rule="ticker")
    row = sample_rows.by_test_customer(raw_ticker_price=None)
    await operator.lamassu.insert([row])
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "ticker_missing")
    await settings(operator, split_rule="markup")
    assert (await state_of(operator, row["id"]))[0] == "held"


async def test_a_paid_sale_that_is_refused_later_is_held(operator: Operator) -> None:
    """It was dispensed on an unconfirmed payment that then never came."""
    await operator.add_client("30000")
    row = sample_rows.authorized_and_dispensed()
    await operator.lamassu.insert([row])
    await operator.poll()
    assert (await state_of(operator, row["id"]))[0] == "watching"
    await operator.lamassu.update(row["id"], status="notSeen")
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "status_unexpected")


async def test_what_vanished_keeps_its_amounts(operator: Operator) -> None:
    """Held, and a person still sees what it was about."""
    await operator.add_client("30000")
    row = sample_rows.dispensed_not_confirmed()
    await operator.lamassu.insert([row])
    await operator.poll()
    amounts = "SELECT crypto_atoms, fiat_minor, fiat_code FROM satoshimachine.lamassu_transactions"
    before = await crud.fetch_rows(amounts)
    await operator.lamassu.execute("DELETE FROM cash_out_txs WHERE id = $1::text::uuid", row["id"])
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "source_changed")
    assert await crud.fetch_rows(amounts) == before


async def test_an_earlier_extensions_sale_is_never_looked_at_again(operator: Operator) -> None:
    cash_out_id = await settled_sale(operator)
    await update(cash_out_id, origin="earlier")
    try:
        lamassu_id = (await operator.cash_out(cash_out_id))["lamassu_transaction_id"]
        await operator.lamassu.update(lamassu_id, crypto_atoms=1_000)
        await operator.poll()
        assert "source_changed" not in await open_alerts(operator)
    finally:
        await update(cash_out_id, origin="observed")


async def test_a_skipped_one_is_not_noted_as_processed(operator: Operator) -> None:
    """The refusal is whole: nothing of it stays, not even a line of the audit log."""
    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    await operator.poll()
    await operator.api("POST", f"transactions/{row['id']}/skip", json={"reason": "guard"})
    path = f"process-transaction/{row['id']}"
    await operator.api("POST", path, expect=409, json={"reason": "guard"})
    events = [event["action"] for event in (await operator.cash_out(row["id"]))["events"]]
    assert "cash_out_skipped" in events
    assert "cash_out_processed_by_hand" not in events
