"""Where a tick can be stopped: every moment is a point with a number, and something happens at one.

Three kinds, none of them in the product: before and after every call of SQLite's driver (and the
file beside the databases), every message that a connection sends and every answer it gets, every
await of a coroutine and of the tasks it starts. All of it is installed in a child process that ends
with the scenario, so nothing is ever put back.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any

LABEL_CHARS = 90


class Points:
    """Counts the points that are passed and acts at number `at` (from 1; 0: never).

    With a label only points of that name count, and it acts so many points `later`: the n-th COMMIT
    is the same one in every run, whatever a connection's login took.
    """

    def __init__(
        self,
        at: int = 0,
        act: Callable[[str], None] | None = None,
        label: str | None = None,
        later: int = 0,
    ):
        self.at = at
        self.act = act
        self.label, self.later = label, later
        self._ahead: int | None = None  # points until it acts, once the n-th label was met
        self.seen = 0
        self.labels: list[str] = []
        self._lock = threading.Lock()  # SQLite's driver calls from its threads

    def __call__(self, label: str) -> bool:
        """Pass a point. True when it was the one; a kill does not return."""
        short = " ".join(label.split())[:LABEL_CHARS]
        with self._lock:
            here = self._count(short)
        self.labels.append(short)
        if here and self.act is not None:
            self.act(short)
        return here

    def _count(self, label: str) -> bool:
        if self._ahead is not None:
            self._ahead -= 1
            return self._ahead == 0
        if self.label is not None and label != self.label:
            return False
        self.seen += 1
        if self.seen != self.at:
            return False
        self._ahead = self.later
        return self.later == 0


def kill_self(_: str) -> None:
    """What the kernel does to a process that ran out of memory, or an impatient operator."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()  # the signal ends us before this returns


# -- SQLite ------------------------------------------------------------------------------------


def watch_sqlite(points: Points) -> None:
    """Points before and after every call that reaches SQLite, ours and LNbits' own, and around the
    file operations of our marker.
    """
    import aiosqlite

    execute, connect = aiosqlite.Connection._execute, aiosqlite.Connection._connect

    async def watched_execute(self: Any, call: Any, *args: Any, **more: Any) -> Any:
        name = f"{getattr(call, '__name__', call)} {args[0] if args else ''}"
        return await execute(self, _around(call, name, points), *args, **more)

    async def watched_connect(self: Any) -> Any:
        if self._connection is None:
            self._connector = _around(self._connector, "open", points)
        return await connect(self)

    aiosqlite.Connection._execute = watched_execute  # type: ignore[method-assign]
    aiosqlite.Connection._connect = watched_connect  # type: ignore[method-assign]
    watch_marker(points)


def watch_marker(points: Points) -> None:
    """Points around the marker's writes: the one thing of a tick that is in no database."""
    from satmachineadmin.adapters import marker

    class Files:
        """`os`, with points around what changes a file."""

        def __getattr__(self, name: str) -> Any:
            real = getattr(os, name)
            if name in ("open", "pwrite", "write", "replace", "rename", "fsync", "link"):
                return _around(real, f"marker {name}", points)
            return real

    marker.os = Files()  # type: ignore[attr-defined]


def _around(call: Callable[..., Any], name: str, points: Points) -> Callable[..., Any]:
    def called(*args: Any, **more: Any) -> Any:
        points(f"before {name}")
        result = call(*args, **more)
        points(f"after {name}")
        return result

    return called


# -- connections -------------------------------------------------------------------------------


class TappedLoop(asyncio.SelectorEventLoop):
    """An event loop whose connections to `port` pass points: before and after each write, and when
    an answer arrived that nobody has seen yet. A point that acts and returns cuts the connection.
    """

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self.points = Points()
        self.half = False  # of the answer at the point, the first half still arrives

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], Any], host: Any = None, port: Any = None, **more: Any
    ) -> tuple[Any, Any]:
        """As the loop does it, with a tap in between when the port is the watched one."""
        if port != self.port or port is None:
            return await super().create_connection(protocol_factory, host, port, **more)
        taps: list[_Tap] = []

        def factory() -> _Tap:
            taps.append(_Tap(protocol_factory(), self))
            return taps[-1]

        await super().create_connection(factory, host, port, **more)
        return taps[-1].transport, taps[-1].inner


class _Tap(asyncio.Protocol):
    """Stands between a connection and the protocol that uses it."""

    def __init__(self, inner: Any, loop: TappedLoop):
        self.inner = inner
        self.loop = loop
        self.transport: _TappedTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = _TappedTransport(transport, self)
        self.inner.connection_made(self.transport)

    def data_received(self, data: bytes) -> None:
        if not self.loop.points(f"answer of {len(data)} bytes"):
            self.inner.data_received(data)
            return
        if self.loop.half:
            self.inner.data_received(data[: len(data) // 2])
        self.cut()

    def cut(self) -> None:
        if self.transport is not None:
            self.transport.raw.abort()

    def eof_received(self) -> Any:
        return self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()


class _TappedTransport(asyncio.Transport):
    def __init__(self, raw: Any, tap: _Tap):
        super().__init__()
        self.raw = raw
        self.tap = tap

    def write(self, data: Any) -> None:
        sent = bytes(data)
        name = _readable(sent)
        if self.tap.loop.points(f"before sending {name}"):
            self.tap.cut()
            return
        self.raw.write(sent)
        if self.tap.loop.points(f"after sending {name}"):
            self.tap.cut()

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(bytes(part) for part in parts))

    def set_protocol(self, protocol: Any) -> None:
        self.tap.inner = protocol

    def get_protocol(self) -> Any:
        return self.tap.inner

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.raw.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return bool(self.raw.is_closing())

    def close(self) -> None:
        self.raw.close()

    def abort(self) -> None:
        self.raw.abort()

    def is_reading(self) -> bool:
        return bool(self.raw.is_reading())

    def pause_reading(self) -> None:
        self.raw.pause_reading()

    def resume_reading(self) -> None:
        self.raw.resume_reading()

    def can_write_eof(self) -> bool:
        return bool(self.raw.can_write_eof())

    def write_eof(self) -> None:
        self.raw.write_eof()

    def get_write_buffer_size(self) -> int:
        return int(self.raw.get_write_buffer_size())

    def set_write_buffer_limits(self, high: Any = None, low: Any = None) -> None:
        self.raw.set_write_buffer_limits(high, low)


def _readable(sent: bytes) -> str:
    """The statement in a PostgreSQL message; of anything encrypted only its length."""
    text = "".join(chr(byte) if 32 <= byte < 127 else " " for byte in sent[5:])
    words = len(text.replace(" ", ""))
    return text if words * 2 > len(text) and sent[:1].isalpha() else f"{len(sent)} bytes"


# -- awaits ------------------------------------------------------------------------------------


class Awaits(Coroutine[Any, Any, Any]):
    """A coroutine with a point where it is suspended and, if `both`, one where it goes on."""

    def __init__(self, inner: Coroutine[Any, Any, Any], points: Points, both: bool):
        self._inner = inner
        self._points = points
        self._both = both
        self._name = str(getattr(inner, "__qualname__", type(inner).__name__))
        self._begun = False

    def send(self, value: Any) -> Any:
        if self._begun and self._both:
            self._points(f"{self._name} goes on")
        self._begun = True
        waits_for = self._inner.send(value)
        self._points(f"{self._name} waits")
        return waits_for

    def throw(self, *error: Any) -> Any:
        waits_for = self._inner.throw(*error)
        self._points(f"{self._name} waits again")
        return waits_for

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()


def watch_awaits(
    loop: asyncio.AbstractEventLoop,
    root: Coroutine[Any, Any, Any],
    points: Points,
    *,
    both: bool = True,
) -> asyncio.Task[Any]:
    """Start `root` as a task; it and every task started inside it pass points at their awaits."""
    family: set[asyncio.Task[Any]] = set()

    def factory(
        on: asyncio.AbstractEventLoop, coro: Any, **more: Any
    ) -> asyncio.Task[Any]:  # not for tasks that a library starts in a callback of its own
        inside = asyncio.current_task(on) in family
        task: asyncio.Task[Any] = asyncio.Task(
            Awaits(coro, points, both) if inside else coro, loop=on, **more
        )
        if inside:
            family.add(task)
        return task

    started: asyncio.Task[Any] = asyncio.Task(Awaits(root, points, both), loop=loop)
    family.add(started)
    loop.set_task_factory(factory)  # type: ignore[arg-type]
    return started
