"""The doorbell: tells open pages of the operator that something changed, and nothing else.

LNbits' websockets ask nobody who they are, and whoever knows an item's id may listen to it and send
to it (lnbits.md 6). So the id is random, made anew by every process and told only to the superuser
(`GET status`), and what is sent carries no data: a page that hears it asks the API, which does ask.
Somebody who guessed the id would learn that a number grew, and could make a page ask again, which
the page itself limits.
"""

from __future__ import annotations

import asyncio
import json
import secrets

from lnbits.core.services.websockets import websocket_manager
from loguru import logger
from starlette.websockets import WebSocketDisconnect

ID_BYTES = 24
GATHER_S = 0.2  # a tick has many reasons to ring; pages are told once
SEND_LIMIT_S = 5  # a page that takes no more is left alone


class Doorbell:
    """One a process; pages that listen to another process ask by themselves every minute."""

    def __init__(self) -> None:
        self.item_id = f"satm-{secrets.token_urlsafe(ID_BYTES)}"
        self.seq = 0
        self._ringing: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Something that a page may show has changed. Call it after the commit."""
        self.seq += 1
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        told = None
        while told != self.seq:
            await asyncio.sleep(GATHER_S)
            told = self.seq
            text = json.dumps({"seq": told})
            for page in websocket_manager.get_connections(self.item_id):
                try:
                    await asyncio.wait_for(page.websocket.send_text(text), SEND_LIMIT_S)
                except (RuntimeError, WebSocketDisconnect, OSError, asyncio.TimeoutError) as exc:
                    logger.debug(f"event=page_not_told reason={type(exc).__name__}")


doorbell = Doorbell()
