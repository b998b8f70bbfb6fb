"""Polls that meet: the timer, the button, by id, two processes. Every sale is paid once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from satmachineadmin import crud, tasks
from satmachineadmin.dev import sample_rows
from satmachineadmin.errors import StateConflict
from satmachineadmin.services import settle
from support.operator import BASE, Operator

SALE = {"fiat": 2000, "commission": "0.03", "crypto_atoms": 266_800}


async def test_five_polls_at_once(operator: Operator) -> None:
    """The earlier extension paid three times here (peer.md b)."""
    for _ in range(3):
        await operator.add_client("3000")
    await operator.lamassu.insert([sample_rows.sale(**SALE)])
    answers = await asyncio.gather(*(operator.poll() for _ in range(5)))
    assert sum(a["transactions_processed"] for a in answers) == 1
    assert sum((await operator.balances()).values()) == 266_800


async def test_poll_by_id_and_timer_at_once(operator: Operator) -> None:
    await operator.add_client("30000")
    rows = [sample_rows.sale(**SALE) for _ in range(4)]
    await operator.lamassu.insert(rows)

    async def by_id(lamassu_id: str) -> Any:
        return await operator.http.post(f"{BASE}/process-transaction/{lamassu_id}")

    await asyncio.gather(
        operator.poll(), tasks.heartbeat(), *(by_id(r["id"]) for r in rows for _ in range(2))
    )
    await operator.poll()
    assert sum((await operator.balances()).values()) == 4 * 266_800


async def test_two_settlements_of_one_cash_out(operator: Operator) -> None:
    """Below the lease: the claim itself lets one through (I3)."""
    await operator.add_client("30000")
    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    await crud.set_polling_enabled(False, 0)
    from satmachineadmin.adapters.lamassu_postgres import open_source
    from satmachineadmin.services.intake import Intake, store_rows
    from satmachineadmin.services.source import source_settings

    async with open_source(source_settings(await crud.get_config())) as source:
        await store_rows(await source.rows_by_id([row["id"]]), Intake())
    cash_out_id = str((await operator.cash_out(row["id"]))["id"])
    outcomes = await asyncio.gather(
        *(settle.settle_cash_out(cash_out_id, by_hand=True) for _ in range(20)),
        return_exceptions=True,
    )
    assert sum(not isinstance(x, BaseException) for x in outcomes) == 1
    assert sum(isinstance(x, StateConflict) for x in outcomes) == 19
    assert sum((await operator.balances()).values()) == 266_800


async def test_a_foreign_lease_is_told_and_a_dead_one_taken(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin import clock, transaction_processor

    monkeypatch.setattr(transaction_processor, "MANUAL_WAIT_S", 0.3)
    now = clock.now_us()
    assert await crud.take_lease("tick", "elsewhere:1:x", now, now + 60_000_000)
    answer = await operator.api("POST", "manual-poll", expect=409)
    assert answer["code"] == "POLL_RUNNING"
    import socket

    # A process of this host that is gone.
    await crud.give_lease("tick", "elsewhere:1:x")
    dead = f"{socket.gethostname()}:4194303:x"
    assert await crud.take_lease("tick", dead, now, now + 60_000_000)
    assert (await operator.poll())["success"] is True


async def test_switching_off_stops_between_two_settlements(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAT-25, I10: by SQL, in the middle of a poll: what runs ends, the next one does not begin."""
    await operator.add_client("30000")
    await operator.lamassu.insert([sample_rows.sale(**SALE) for _ in range(5)])
    from satmachineadmin import transaction_processor

    original, settled = settle.settle_cash_out, []

    async def stop_after_two(cash_out_id: str, **more: Any) -> Any:
        if len(settled) == 2:
            await crud.db.execute(
                "UPDATE satoshimachine.lamassu_config SET polling_enabled = false"
            )
        result = await original(cash_out_id, **more)
        settled.append(cash_out_id)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(transaction_processor.settle, "settle_cash_out", stop_after_two)
        answer = await operator.poll()
    assert answer["transactions_processed"] == 2
    refused = await operator.api("POST", "manual-poll", expect=409)
    assert refused["code"] == "POLLING_DISABLED"
    await tasks.heartbeat()
    assert sum((await operator.balances()).values()) == 2 * 266_800
    await operator.api("PUT", "polling", json={"enabled": True})
    await operator.poll()
    assert sum((await operator.balances()).values()) == 5 * 266_800


async def test_stop_leaves_no_poller_and_start_leaves_one(lamassu: object) -> None:
    """An upgrade or a deactivation leaves one poller or none, never two."""
    from lnbits.task_manager import task_manager

    def pollers() -> int:
        return sum(task.name == tasks.TASK_NAME for task in task_manager.tasks)

    tasks.satmachineadmin_start()
    tasks.satmachineadmin_start()
    assert pollers() == 1
    running = task_manager.get_task(tasks.TASK_NAME)
    await tasks.satmachineadmin_stop()
    assert pollers() == 0
    assert running is not None
    assert running.task.done()
    await tasks.satmachineadmin_stop()


async def test_the_timer_polls_by_itself(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Due at once when nobody polled yet, then after the interval; passing trouble backs off."""
    client = await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale(**SALE)])
    monkeypatch.setattr(tasks, "timer", tasks.Timer())
    await tasks.heartbeat()
    assert (await operator.balances())[client] == 259_029
    await operator.lamassu.insert([sample_rows.sale(**SALE)])
    await tasks.heartbeat()
    assert (await operator.balances())[client] == 259_029
    await crud.db.execute("UPDATE satoshimachine.polls SET started_us = started_us - 400000000")
    await operator.lamassu.stop_ssh()
    try:
        await tasks.heartbeat()
        assert tasks.timer.failures == 1
        assert tasks.timer.next_due_us > 0
    finally:
        await operator.lamassu.start_ssh()
    await tasks.heartbeat()
    assert tasks.timer.failures == 1
    tasks.timer.next_due_us = 1
    await tasks.heartbeat()
    assert tasks.timer.failures == 0
    assert sum((await operator.balances()).values()) == 2 * 266_800


@pytest.mark.parametrize(
    ("failures", "interval_s", "pause_s"),
    [(1, 300, 60), (2, 300, 120), (3, 300, 240), (4, 300, 300), (1, 60, 60), (40, 86_400, 86_400)],
)
def test_backoff(failures: int, interval_s: int, pause_s: int) -> None:
    """1, 2, 4 ... minutes, at most the poll interval (LSP-19)."""
    assert tasks.backoff_s(failures, interval_s) == pause_s
