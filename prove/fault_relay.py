"""A relay on the wire between us and a far end, made to misbehave on demand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from types import TracebackType

CHUNK = 1 << 16


@dataclass
class Fault:
    """What is wrong with the wire. Numbers count the bytes the far end sent on a connection."""

    silent_after: int | None = None  # nothing comes any more, and nobody hangs up
    cut_after: int | None = None  # hung up in both directions
    garble_after: int | None = None  # one bit of one byte is another one
    double_after: int | None = None  # one piece comes twice
    instead: bytes | None = None  # somebody else answers, and hangs up
    hang_up: bool = False  # accepted and closed without a word
    delay_s: float = 0.0  # of every piece the far end sends


class Relay:
    """Listens on a port of 127.0.0.1 and forwards to another one."""

    def __init__(self, target_port: int, port: int = 0):
        self.fault = Fault()
        self.port = port
        self.connections = 0
        self.target_port = target_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Relay:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Listen (again), on the same port, and misbehave no more."""
        self.fault = Fault()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse from now on, and cut what is open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()

    async def cut(self) -> None:
        """Cut what is open; new connections are taken."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_writer = None
        try:
            if self.fault.hang_up:
                return
            if self.fault.instead is not None:
                writer.write(self.fault.instead)
                await writer.drain()
                await asyncio.wait_for(reader.read(CHUNK), 1)
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            up = asyncio.create_task(self._up(reader, far_writer))
            down = asyncio.create_task(self._down(far_reader, writer))
            try:
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in (up, down):
                    one.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        except (OSError, asyncio.TimeoutError):
            pass  # one of the two ends is gone, which is what a relay passes on
        finally:
            for one_end in (writer, far_writer):
                if one_end is not None:
                    with contextlib.suppress(OSError):
                        one_end.close()

    async def _up(self, reader: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            far.write(data)
            await far.drain()

    async def _down(self, far: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = 0
        while data := await far.read(CHUNK):
            fault = self.fault
            before, sent = sent, sent + len(data)
            if fault.silent_after is not None and sent > fault.silent_after:
                said = max(0, fault.silent_after - before)
                writer.write(data[:said])
                data = data[said:]
                await self._silence()
            if fault.cut_after is not None and sent > fault.cut_after:
                writer.write(data[: max(0, fault.cut_after - before)])
                await writer.drain()
                return
            if fault.garble_after is not None and before >= fault.garble_after:
                data, fault.garble_after = _one_bit_wrong(data), None
            if fault.double_after is not None and before >= fault.double_after:
                data, fault.double_after = data * 2, None
            if fault.delay_s:
                await asyncio.sleep(fault.delay_s)
            writer.write(data)
            await writer.drain()

    async def _silence(self) -> None:
        while self.fault.silent_after is not None:
            await asyncio.sleep(0.02)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _one_bit_wrong(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
