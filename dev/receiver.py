"""A real HTTP server that notes what it is sent, and answers as it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.content)
        return found


@dataclass
class Receiver:
    """What came, and what is answered."""

    port: int = 0
    status: int = 200
    answer: bytes = b"ok"
    headers: str = ""
    hangs: bool = False
    received: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def take(self) -> list[Received]:
        """What came since the last call."""
        found, self.received = self.received, []
        return found

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        self.received.append(Received(method, path, headers, content))
        if self.hangs:
            await asyncio.sleep(60)
        writer.write(
            f"HTTP/1.1 {self.status} Said\r\nContent-Length: {len(self.answer)}\r\n"
            f"{self.headers}Connection: close\r\n\r\n".encode()
        )
        writer.write(self.answer)
        with suppress(ConnectionError):  # a caller who has read enough hangs up
            await writer.drain()
        writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """One that listens on a free local port."""
    one = Receiver()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
