"""Everything at once, on both databases: each sale is paid once, each answer is a plain one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from satmachineadmin.database import BooksConnection, Row
from satmachineadmin.errors import WalletRowCollision
from satmachineadmin.prove import conc_scenarios
from satmachineadmin.services import settle
from support.machine import embedded_lamassu, operator_at_work
from support.operator import Operator


@pytest.fixture(scope="module")
async def lamassu(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    """One embedded Lamassu for these tests."""
    async with embedded_lamassu(Path(tmp_path_factory.mktemp("lamassu"))) as running:
        yield running


@pytest.fixture
async def operator(
    superuser: httpx.AsyncClient, lamassu: Any, clean_books: None
) -> AsyncIterator[Operator]:
    """An operator whose machine is set up; at the end the books must be right."""
    async with operator_at_work(superuser, lamassu) as at_work:
        yield at_work


async def test_timer_buttons_and_retries_at_once(operator: Operator) -> None:
    assert await conc_scenarios.storm(operator, count=8, polls=8, owed=3) > 30


async def test_100_cash_outs_offered_twice(operator: Operator) -> None:
    await conc_scenarios.offered_twice(operator, count=100)


async def test_the_owner_spends_meanwhile(operator: Operator) -> None:
    """Prefunded: whoever comes first, the source wallet never owes anybody."""
    assert await conc_scenarios.owner_spends(operator, count=8, payments=8) == 16


async def test_without_the_claim_it_would_be_seen(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: without the comparison a second settlement begins, and halts."""

    async def take_any(conn: BooksConnection, cash_out_id: str) -> Row:
        await conn.execute(
            "UPDATE satoshimachine.lamassu_transactions SET status = 'processing' WHERE id = :id",
            {"id": cash_out_id},
        )
        return await settle.find(conn, cash_out_id)

    monkeypatch.setattr(settle, "claim", take_any)
    with pytest.raises(WalletRowCollision):
        await conc_scenarios.offered_twice(operator, count=3)
