"""The doorbell: rung by what changes, silent otherwise, and without a word of data."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from satmachineadmin.dev import sample_rows
from support.operator import Operator, ago

LONG_ENOUGH_S = 1.0  # rings are gathered for a fifth of that


class Page:
    """A page that listens, as LNbits' websockets see it."""

    def __init__(self, breaks: bool = False) -> None:
        self.heard: list[str] = []
        self.breaks = breaks

    async def send_text(self, text: str) -> None:
        if self.breaks:
            raise RuntimeError("the page is gone")
        self.heard.append(text)


@pytest.fixture
async def page(operator: Operator) -> AsyncIterator[Page]:
    """One that listens, after one that broke: it must not keep the others from hearing."""
    from lnbits.core.services.websockets import WebsocketConnection, websocket_manager

    item_id = (await operator.api("GET", "status"))["doorbell"]
    await asyncio.sleep(LONG_ENOUGH_S)  # what setting up rang is over
    page = Page()
    listening = [
        WebsocketConnection(item_id, one, asyncio.Queue())  # type: ignore[arg-type]
        for one in (Page(breaks=True), page)
    ]
    websocket_manager.active_connections += listening
    yield page
    for one in listening:
        websocket_manager.active_connections.remove(one)


async def _heard(page: Page) -> list[dict[str, Any]]:
    await asyncio.sleep(LONG_ENOUGH_S)
    heard, page.heard = [json.loads(text) for text in page.heard], []
    assert all(list(one) == ["seq"] for one in heard)
    return heard


async def test_what_changes_rings(operator: Operator, page: Page) -> None:
    for path in ("status", "summary", "needs", "charts", "funds", "transactions", "clients"):
        await operator.api("GET", path)
    await operator.api("POST", "test-transaction")
    assert await _heard(page) == []  # reading is no reason

    await operator.api("PUT", "settings", json={"max_daily_limit": 1500})
    first = await _heard(page)
    assert len(first) == 1
    held = [sample_rows.without_commission(confirmed_at=ago(hours=n)) for n in range(1, 4)]
    await operator.lamassu.insert(held)
    await operator.poll()
    told = await _heard(page)
    assert 1 <= len(told) <= 3  # a tick that held three, not a ring for each of its steps
    assert told[-1]["seq"] > first[-1]["seq"]

    await operator.api("PUT", "settings", json={"max_daily_limit": 0}, expect=422)
    assert await _heard(page) == []  # nothing was changed


async def test_its_id_cannot_be_guessed(operator: Operator) -> None:
    from satmachineadmin.services.doorbell import Doorbell, doorbell

    item_id = (await operator.api("GET", "status"))["doorbell"]
    assert item_id == doorbell.item_id
    assert len(item_id) > 32
    assert Doorbell().item_id != item_id
