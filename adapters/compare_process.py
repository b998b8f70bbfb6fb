"""A process beside LNbits that compares slices of cash-outs: on a core of its own.

In LNbits' process each comparison would wait for the threads that ask the database, and LNbits'
users for both. The process is a child that ends with its input, at the latest with LNbits.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path

from ..domain.eligibility import SourceRow
from ..domain.tie_slice import Slice
from ..domain.verdicts import Row
from .compare_child import LENGTH, READY

PROGRAM = Path(__file__).with_name("compare_child.py")
FOLDER = Path(__file__).resolve().parents[1]
START_LIMIT_S = 20.0  # a cold disk; usually 0.2 s
ANSWER_LIMIT_S = 60.0  # a slice of 1,000 cash-outs takes half a second
ANSWER_MAX = 1_000_000  # bytes; the ids of 1,000 cash-outs are a twentieth
ROWS_PER_MESSAGE = 50  # packed in a millisecond or two, then others have their turn


class CompareFailed(Exception):
    """The process does not start, does not answer, or is gone; nothing was compared."""


class CompareProcess:
    """Start it with `start()`; `stop()` ends it whatever it does."""

    def __init__(self, process: Process):
        if process.stdin is None or process.stdout is None:
            raise CompareFailed("it has no pipes")
        self._process, self._given, self._answers = process, process.stdin, process.stdout
        self._asked = self._answered = 0  # messages

    @classmethod
    async def start(cls) -> CompareProcess:
        """Raises CompareFailed, also where Python is not a program of its own."""
        if getattr(sys, "frozen", False) or not Path(sys.executable or "").name.startswith(
            "python"
        ):
            raise CompareFailed(f"{sys.executable or 'this program'} is no Python to start")
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(PROGRAM), str(FOLDER)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={},
            )
        except OSError as exc:
            raise CompareFailed(f"it does not start: {exc}") from exc
        started = cls(process)
        try:
            if await started._answer(START_LIMIT_S) != READY:
                raise CompareFailed("it said something else than that it is ready")
        except BaseException:
            await started.stop()
            raise
        return started

    async def differing(self, found: Slice) -> set[str]:
        """`found.differing()`, there. Raises CompareFailed; then it is to be stopped."""
        seeming: set[str] = set()
        try:
            for start in range(0, len(found.rows), ROWS_PER_MESSAGE):
                part = found.part(start, start + ROWS_PER_MESSAGE)
                self._asked += 1
                message = pickle.dumps((self._asked, *_plain(part)))
                self._given.write(LENGTH.pack(len(message)) + message)
                await asyncio.wait_for(self._given.drain(), ANSWER_LIMIT_S)
                await asyncio.sleep(0)
        except (OSError, asyncio.TimeoutError) as exc:
            raise CompareFailed(f"it takes nothing: {type(exc).__name__}") from exc
        while self._answered < self._asked:
            self._answered += 1
            number, ids = pickle.loads(await self._answer(ANSWER_LIMIT_S))  # noqa: S301  # our own
            if number != self._answered:
                raise CompareFailed(f"answer {number} in place of {self._answered}")
            seeming |= ids
        return seeming

    async def _answer(self, limit_s: float) -> bytes:
        try:
            header = await asyncio.wait_for(self._answers.readexactly(LENGTH.size), limit_s)
            (length,) = LENGTH.unpack(header)
            if length > ANSWER_MAX:
                raise CompareFailed(f"an answer of {length} bytes")
            return await asyncio.wait_for(self._answers.readexactly(length), limit_s)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as exc:
            raise CompareFailed(f"it does not answer: {type(exc).__name__}") from exc

    async def stop(self) -> None:
        """Kill it; there is nothing that it would have to finish."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def _plain(part: Slice) -> tuple[list[Row], dict[str, list[Row]], Mapping[str, SourceRow] | None]:
    """Without the classes that a database's driver has for its rows: the process knows none."""
    shares: dict[str, list[Row]] = {
        one: [dict(row) for row in rows] for one, rows in part.shares.items()
    }
    return [dict(row) for row in part.rows], shares, part.source
