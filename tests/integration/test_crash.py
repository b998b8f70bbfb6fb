"""Kills and cancellations: whatever was stopped, the next tick ends with every sum right."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from lnbits.core.db import db as core_db
from satmachineadmin.database import (
    ADVISORY_LOCK_KEY,
    PostgresConnection,
    SqliteConnection,
)
from satmachineadmin.dev import sample_rows
from satmachineadmin.services import settle
from support.operator import Operator

SALE = {"fiat": 2000, "commission": "0.03", "crypto_atoms": 266_800}


class Killed(BaseException):
    """Stands for the process ending at this statement: nothing after it runs."""


async def _fresh_sale(operator: Operator, clients: int) -> str:
    for _ in range(clients):
        await operator.add_client("3000")
    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    return str(row["id"])


def _die_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Raise at the k-th statement of any settlement transaction."""
    seen = [0]
    driven = SqliteConnection if core_db.type == "SQLITE" else PostgresConnection
    for name in ("rows", "changed", "insert_rows"):
        original = getattr(driven, name)

        async def counted(self: Any, *args: Any, _original: Any = original, **more: Any) -> Any:
            seen[0] += 1
            if seen[0] == number:
                raise Killed
            return await _original(self, *args, **more)

        monkeypatch.setattr(driven, name, counted)


@pytest.mark.parametrize("clients", [0, 1, 3])
async def test_dying_at_every_statement_of_a_settlement(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, clients: int
) -> None:
    """I1, I3, I4: after a stop at statement k nothing moved; the next poll pays once."""
    await operator.api("PUT", "settings", json={"settle_without_clients": True})
    lamassu_id = await _fresh_sale(operator, clients)
    # Observe only: the sale is stored and pending.
    from satmachineadmin import transaction_processor

    with monkeypatch.context() as patch:

        async def no_settling(*_: object) -> None:
            return None

        patch.setattr(transaction_processor, "settle_and_announce", no_settling)
        await operator.poll()
    cash_out_id = str((await operator.cash_out(lamassu_id))["id"])
    before = await operator.balances()
    survived = 0
    for number in range(1, 200):
        with monkeypatch.context() as patch:
            _die_at(patch, number)
            try:
                await settle.settle_cash_out(cash_out_id)
            except Killed:
                survived += 1
                assert await operator.balances() == before
                assert (await operator.cash_out(lamassu_id))["status"] == "pending"
                continue
        break
    assert survived >= 10
    found = await operator.cash_out(lamassu_id)
    assert (found["status"], found["total_sats"]) == ("completed", 266_800)
    await operator.poll()
    assert sum((await operator.balances()).values()) == 266_800


async def test_cancelling_a_tick_at_every_moment(operator: Operator) -> None:
    """LNbits stops its tasks like this: half a state must never stay, nor a locked database."""
    from satmachineadmin.errors import PollRunning
    from satmachineadmin.transaction_processor import tick

    sales = 12
    for _ in range(3):
        await operator.add_client("30000")
    await operator.lamassu.insert([sample_rows.sale(**SALE) for _ in range(sales)])
    for step in range(40):
        task = asyncio.ensure_future(tick("timer", wait_s=5))
        await asyncio.sleep(0.004 * step)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, PollRunning):
            await task
        await operator.check_books()
    await operator.poll()
    assert sum((await operator.balances()).values()) == sales * 266_800
    page = await operator.api("GET", "transactions?limit=100")
    assert {row["status"] for row in page["data"]} == {"completed"}


async def test_a_lost_commit_answer_is_read_again(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit happened and its answer was lost: the next tick reads that it is settled."""
    await _fresh_sale(operator, 2)
    original = PostgresConnection.commit
    lost = []

    async def commit_and_lose(self: PostgresConnection) -> None:
        await original(self)
        found = await self.row("SELECT COUNT(*) AS n FROM satoshimachine.settlement_legs")
        if found and found["n"] and not lost:
            lost.append(True)
            raise ConnectionResetError("the answer was lost")

    if core_db.type != "POSTGRES":
        pytest.skip("a local file has no answer to lose")
    with monkeypatch.context() as patch:
        patch.setattr(PostgresConnection, "commit", commit_and_lose)
        with contextlib.suppress(Exception):
            await operator.poll()
    assert lost
    answer = await operator.poll()
    assert answer["transactions_processed"] == 0
    assert sum((await operator.balances()).values()) == 266_800


async def _journal_mode(mode: str) -> None:
    """Change core's file while nobody has it open: LNbits opens it under this lock only."""
    import sqlite3

    async with core_db.lock:
        with contextlib.closing(sqlite3.connect(core_db.path, timeout=10)) as raw:
            (now,) = raw.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    assert now == mode.lower()


@pytest.mark.sqlite_only
async def test_an_unsafe_journal_mode_is_refused(operator: Operator) -> None:
    """WAL commits two attached files one after the other: no money work there (design.md 4)."""
    client = await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale(**SALE)])
    await _journal_mode("WAL")
    try:
        answer = await operator.api("POST", "manual-poll", expect=503)
        assert answer["code"] == "NOT_READY"
        assert "journal" in answer["detail"]
    finally:
        await _journal_mode("DELETE")
    await operator.poll()
    assert (await operator.balances())[client] == 259_029


async def test_a_foreign_lock_means_try_again(operator: Operator) -> None:
    """Another writer holds the database: RETRY, nothing changed, and settled afterwards."""
    client = await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale(**SALE)])
    if core_db.type == "SQLITE":
        import sqlite3

        raw = sqlite3.connect(core_db.path, isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        try:
            answer = await operator.api("POST", "manual-poll", expect=503)
        finally:
            raw.execute("ROLLBACK")
            raw.close()
    else:
        import asyncpg
        from lnbits.settings import settings

        other = await asyncpg.connect(settings.lnbits_database_url)
        await other.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK_KEY)
        try:
            answer = await operator.api("POST", "manual-poll", expect=503)
        finally:
            await other.close()
    assert answer["code"] == "DATABASE_BUSY"
    await operator.poll()
    assert (await operator.balances())[client] == 259_029
