"""Guards of what comes after a settlement: retries, giving up, readiness (prove/mutants.py)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from satmachineadmin import crud, lnbits_version, transaction_processor
from satmachineadmin.database import BooksConnection
from satmachineadmin.dev import sample_rows
from satmachineadmin.errors import InvariantViolation, NotReady, StateConflict, StillFailed
from satmachineadmin.services import gates, readiness, retry
from support.lnbits_app import make_wallet
from support.operator import Operator
from support.trouble import delete_wallet, sats_in

SALE = {"fiat": 2000, "commission": "0.03", "crypto_atoms": 266_800}
BASE, COMMISSION = 259_029, 7_771


async def failed_share(operator: Operator) -> tuple[str, str]:
    """(cash-out, share) of a client whose wallet is gone, and who has a new one."""
    client = await operator.add_client("30000")
    await delete_wallet(operator.wallets.pop(client))
    cash_out_id = await sell(operator)
    (share,) = await operator.shares(cash_out_id)
    user_id = (await operator.api("GET", f"clients/{client}"))["user_id"]
    operator.wallets[client] = await make_wallet("new", user_id)
    await operator.api("PUT", f"clients/{client}", json={"wallet_id": operator.wallets[client]})
    return cash_out_id, str(share["id"])


async def failed_commission(operator: Operator) -> str:
    """A cash-out whose commission wallet was deleted, and that has a new one."""
    await operator.add_client("30000")
    await delete_wallet(operator.commission_wallet)
    cash_out_id = await sell(operator)
    operator.commission_wallet = await make_wallet("new commission")
    await operator.api("POST", "config", json=operator.connection())
    return cash_out_id


async def sell(operator: Operator, **columns: Any) -> str:
    """A sale and a poll; the cash-out's id."""
    row = sample_rows.sale(**{**SALE, **columns})
    await operator.lamassu.insert([row])
    await operator.poll()
    return str((await operator.cash_out(row["id"]))["id"])


async def update(table: str, row_id: str, **changes: Any) -> None:
    """Change a row behind the product's back."""
    names = ", ".join(f"{name} = :{name}" for name in changes)
    await crud.write(
        f"UPDATE satoshimachine.{table} SET {names} WHERE id = :id", {**changes, "id": row_id}
    )


# ---- retries --------------------------------------------------------------------------------


async def test_a_halt_stops_a_retry(operator: Operator) -> None:
    _, share_id = await failed_share(operator)
    await gates.halt(InvariantViolation("guard"))
    with pytest.raises(NotReady):
        await retry.retry_share(share_id, by_hand=True)


async def test_a_halt_stops_giving_up(operator: Operator) -> None:
    _, share_id = await failed_share(operator)
    await gates.halt(InvariantViolation("guard"))
    with pytest.raises(NotReady):
        await retry.cancel_share(share_id, "guard", "operator")


async def test_a_halt_stops_a_commission(operator: Operator) -> None:
    cash_out_id = await failed_commission(operator)
    await gates.halt(InvariantViolation("guard"))
    with pytest.raises(NotReady):
        await retry.retry_commission(cash_out_id, by_hand=True)


async def test_a_paid_share_is_not_retried(operator: Operator) -> None:
    await operator.add_client("30000")
    (share,) = await operator.shares(await sell(operator))
    with pytest.raises(StateConflict):
        await retry.retry_share(str(share["id"]))
    with pytest.raises(StateConflict):
        await retry.cancel_share(str(share["id"]), "guard", "operator")


async def test_an_earlier_extensions_share_is_never_retried(operator: Operator) -> None:
    """Nobody knows whether those sats moved."""
    _, share_id = await failed_share(operator)
    await update("dca_payments", share_id, origin="earlier")
    try:
        with pytest.raises(StateConflict):
            await retry.retry_share(share_id)
    finally:
        await update("dca_payments", share_id, origin="observed")


async def test_only_a_failed_commission_is_retried(operator: Operator) -> None:
    await operator.add_client("30000")
    cash_out_id = await sell(operator)
    with pytest.raises(StateConflict):
        await retry.retry_commission(cash_out_id)


async def test_a_share_of_nothing_settled_is_not_paid(operator: Operator) -> None:
    cash_out_id, share_id = await failed_share(operator)
    await update("lamassu_transactions", cash_out_id, status="failed")
    try:
        with pytest.raises(StateConflict):
            await retry.retry_share(share_id)
    finally:
        await update("lamassu_transactions", cash_out_id, status="completed")


async def test_a_commission_never_moves_from_a_wallet_to_itself(operator: Operator) -> None:
    cash_out_id = await failed_commission(operator)
    config = await crud.get_config()
    assert config is not None
    await update("lamassu_config", config.id, commission_wallet_id=operator.source_wallet)
    with pytest.raises(StillFailed, match="no commission wallet"):
        await retry.retry_commission(cash_out_id)
    assert await sats_in(operator.source_wallet) == COMMISSION


def meddled(
    original: Callable[..., Awaitable[Any]], statement: str, row_id: str
) -> Callable[..., Awaitable[Any]]:
    """The same, and somebody else's statement right after it."""

    async def and_meddle(conn: BooksConnection, *given: Any) -> Any:
        result = await original(conn, *given)
        await conn.execute(statement, {"id": row_id})
        return result

    return and_meddle


CANCELLED = "UPDATE satoshimachine.dca_payments SET status = 'cancelled' WHERE id = :id"
PAID = "UPDATE satoshimachine.lamassu_transactions SET commission_status = 'paid' WHERE id = :id"


async def test_a_share_that_changes_under_a_retry_halts(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, share_id = await failed_share(operator)
    monkeypatch.setattr(retry, "_move", meddled(retry._move, CANCELLED, share_id))
    with pytest.raises(InvariantViolation, match="changed under our lock"):
        await retry.retry_share(share_id)


async def test_a_share_that_changes_under_giving_up_halts(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, share_id = await failed_share(operator)
    meddling = meddled(retry.failed_share, CANCELLED, share_id)
    monkeypatch.setattr(retry, "failed_share", meddling)
    with pytest.raises(InvariantViolation, match="changed under our lock"):
        await retry.cancel_share(share_id, "guard", "operator")


async def test_a_commission_that_changes_under_a_retry_halts(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    cash_out_id = await failed_commission(operator)
    monkeypatch.setattr(retry, "_move", meddled(retry._move, PAID, cash_out_id))
    with pytest.raises(InvariantViolation, match="changed under our lock"):
        await retry.retry_commission(cash_out_id)


async def test_cancelled_fiat_is_no_longer_drawn(operator: Operator) -> None:
    cash_out_id, share_id = await failed_share(operator)
    await retry.cancel_share(share_id, "guard", "operator")
    found = await operator.cash_out(cash_out_id)
    assert (found["drawn_minor"], found["failed_sats"]) == (0, 0)
    assert found["operator_remainder_sats"] == BASE


# ---- readiness ------------------------------------------------------------------------------


async def unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if LNbits had been replaced by one that nobody tested."""
    monkeypatch.setattr(lnbits_version, "SUPPORTED_BELOW", (0,))
    readiness.forget()


async def test_a_poll_needs_the_start_up_check(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operator.add_client("30000")
    await operator.lamassu.insert([sample_rows.sale(**SALE)])
    await unsupported(monkeypatch)
    answer = await operator.api("POST", "manual-poll", expect=503)
    assert "is not supported" in answer["detail"]
    assert not await crud.fetch_rows("SELECT id FROM satoshimachine.lamassu_transactions")


async def test_recovering_needs_the_start_up_check(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unsupported(monkeypatch)
    with pytest.raises(NotReady, match="is not supported"):
        await transaction_processor.recover()


async def test_by_hand_needs_the_start_up_check(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operator.add_client("30000")
    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    await unsupported(monkeypatch)
    answer = await operator.api("POST", f"process-transaction/{row['id']}", expect=503)
    assert "is not supported" in answer["detail"]


async def test_another_schema_is_refused(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade without a restart: the code is newer than the tables."""
    monkeypatch.setattr(readiness, "SCHEMA_VERSION", 999)
    readiness.forget()
    with pytest.raises(NotReady, match="needs 999"):
        await readiness.require_ready()


async def test_a_trial_that_reads_something_else_stops_money_work(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An LNbits that stores a movement in another way than this product knows."""
    original = readiness.write_legs

    async def and_change(conn: BooksConnection, *given: Any, **more: Any) -> Any:
        ids = await original(conn, *given, **more)
        await conn.execute("UPDATE apipayments SET fee = 1 WHERE wallet_id = 'trial-source'")
        return ids

    monkeypatch.setattr(readiness, "write_legs", and_change)
    readiness.forget()
    with pytest.raises(NotReady, match="another way"):
        await readiness.require_ready()


async def test_the_trial_leaves_nothing(operator: Operator) -> None:
    from lnbits.core.db import db as core_db

    readiness.forget()
    await readiness.require_ready()
    found = await core_db.fetchall("SELECT * FROM apipayments WHERE wallet_id LIKE 'trial-%'")
    assert found == []
    assert not await crud.fetch_rows("SELECT leg_key FROM satoshimachine.settlement_legs")
