"""A relay that counts round trips on the wire and can put a distance into it."""

from __future__ import annotations

import asyncio
from types import TracebackType

UP, DOWN = "up", "down"


class Relay:
    """Listens on a port of 127.0.0.1 and forwards to another one.

    A round trip is counted whenever the client speaks after the server did (or first). `messages`
    names the client's PostgreSQL messages by their type, when `postgres` is said.
    """

    def __init__(self, target_port: int, *, postgres: bool = False):
        self.delay_s = 0.0  # one way
        self.round_trips = 0
        self.bytes = {UP: 0, DOWN: 0}
        self.messages = ""
        self.port = 0
        self._target = target_port
        self._postgres = postgres
        self._last = DOWN
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self) -> None:
        """Count from zero."""
        self.round_trips, self.messages, self._last = 0, "", DOWN
        self.bytes = {UP: 0, DOWN: 0}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for way, source, sink in ((UP, reader, there_writer), (DOWN, there_reader, writer)):
            task = asyncio.create_task(self._pump(way, source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, way: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        """Forward one direction; delayed data keeps its order."""
        loop = asyncio.get_running_loop()
        names = _Names() if self._postgres and way == UP else None
        while data := await source.read(1 << 16):
            self.bytes[way] += len(data)
            if way == UP and self._last == DOWN:
                self.round_trips += 1
            self._last = way
            if names:
                self.messages += names.read(data)
            if self.delay_s:
                loop.call_later(self.delay_s, sink.write, data)
            else:
                sink.write(data)
        loop.call_later(self.delay_s, sink.close)


class _Names:
    """Types of a client's messages: `!` the start, then PostgreSQL's own letters, `/` per sync."""

    def __init__(self) -> None:
        self._rest = b""
        self._started = False

    def read(self, data: bytes) -> str:
        self._rest += data
        found = ""
        while True:
            head = 1 if self._started else 0
            if len(self._rest) < head + 4:
                return found
            length = head + int.from_bytes(self._rest[head : head + 4], "big")
            if len(self._rest) < length:
                return found
            found += chr(self._rest[0]) if self._started else "!"
            self._rest, self._started = self._rest[length:], True
