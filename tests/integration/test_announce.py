"""Telling the wallets: each payment once, and a backlog so slowly that others do not feel it."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from satmachineadmin.dev import sample_rows
from support.operator import Operator

CLIENTS, SALES = 3, 6


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often LNbits' listener was given each payment."""
    from satmachineadmin.services import announce

    given: Counter[str] = Counter()
    real = announce.queue_payments

    def queue(payments: Any) -> None:
        given.update(payment.checking_id for payment in payments)
        real(payments)

    monkeypatch.setattr(announce, "queue_payments", queue)
    monkeypatch.setattr(announce, "PAUSE_S", 0.01)
    return given


async def legs() -> set[str]:
    from satmachineadmin import crud

    rows = await crud.fetch_rows("SELECT checking_id_in FROM satoshimachine.settlement_legs")
    return {str(row["checking_id_in"]) for row in rows}


async def test_a_backlog_is_told_later_and_each_payment_once(
    operator: Operator, told: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import announce

    monkeypatch.setattr(announce, "AT_ONCE_MAX", 4)
    monkeypatch.setattr(announce, "CASH_OUTS_PER_BATCH", 1)
    monkeypatch.setattr(announce.announce_settled, "__defaults__", (4,))
    for _ in range(CLIENTS):
        await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale() for _ in range(SALES)])
    await operator.poll()
    everything = await legs()
    assert 4 <= sum(told.values()) < len(everything), "the pass told what fits, and no more"

    # Two processes on one database, and a tick meanwhile: whoever notes a cash-out first tells it.
    await asyncio.gather(announce.tell_rest(), announce.tell_rest(), announce.announce_settled())
    assert told == Counter(dict.fromkeys(everything, 1))
    assert await announce.tell_rest() == await announce.announce_settled() == 0


async def test_a_stop_while_telling_tells_nothing_twice(
    operator: Operator, told: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import announce

    monkeypatch.setattr(announce.announce_settled, "__defaults__", (0,))
    for _ in range(CLIENTS):
        await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale() for _ in range(SALES)])
    await operator.poll()
    assert not told
    for moment_s in (0.005, 0.02, 0.05):
        telling = asyncio.ensure_future(announce.tell_rest())
        await asyncio.sleep(moment_s)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    await announce.tell_rest()
    assert set(told.values()) == {1}
    assert set(told) <= await legs()


async def test_a_backlog_shows_how_far_it_is_and_how_fast(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that waits is counted, not only what one pass takes; a rate once there is one to tell."""
    from satmachineadmin import transaction_processor as processor

    seen: list[dict[str, Any]] = []
    real = processor.settle.settle_cash_out

    async def settle(*args: Any, **more: Any) -> Any:
        seen.append((await operator.api("GET", "status"))["progress"])
        return await real(*args, **more)

    monkeypatch.setattr(processor.settle, "settle_cash_out", settle)
    monkeypatch.setattr(processor, "SETTLE_PER_TICK_MAX", 4)
    monkeypatch.setattr(processor, "BACKLOG_FROM", 2)
    monkeypatch.setattr(processor, "RATE_FROM", 2)
    await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale() for _ in range(SALES)])
    report = await processor.tick("timer")
    assert report.more
    assert [(one["done"], one["total"]) for one in seen] == [(n, SALES) for n in range(4)]
    assert [one["per_minute"] is None for one in seen] == [True, True, False, False]
    assert not (await processor.tick("timer")).more
    assert (seen[-1]["done"], seen[-1]["total"]) == (1, 2)
