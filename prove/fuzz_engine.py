"""Fuzzing on a running LNbits: hypothesis makes the values, the app's own loop takes them.

A refused request must change nothing: `Watch` compares every row of every table of ours and of
LNbits' payments with what was there before.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from lnbits.core.db import db as core_db
from lnbits.db import SQLITE
from loguru import logger
from satmachineadmin.crud import db
from support.machine import picture

PHASES = (Phase.explicit, Phase.generate, Phase.shrink)

HALF = "\ud800"  # half a character: JSON can carry it, no text can
# What people, scripts and attackers send; each was a real trouble somewhere.
ODD_TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\r\n\r\nSet-Cookie: a=b",
    "\x1b[2J",
    "\u202edrowssap",
    HALF,
    "x" * 70_000,
    "<script>alert(1)</script>",
    "{{7*7}}",
    "&lt;b&gt; &amp; <b>",
    "' OR 1=1 --",
    "%s%n%x",
    "$(touch x)",
    "../../etc/passwd",
    "NaN",
    "Infinity",
    "-1",
    "1e400",
    "1e-99999999",
    "0x10",
    "\u0661\u0662",
    "null",
    "undefined",
    "2026-01-01",
    "9999-12-31T23:59:59+14:00",
    "0001-01-01T00:00:00-14:00",
]
RAW_NUMBERS = ["1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1e-99999999", "9" * 5_000]
MARK = "@raw@"
# What FastAPI itself says (400) of a body that breaks Python's JSON reader: 5000 digits, 100,000
# brackets, bytes that are no text. Clear enough, and before any code of ours.
UNREADABLE = {"detail": "There was an error parsing the body"}

any_text = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=80))
# A field's name: half a character there is a case of its own (tests/proof/test_fuzz.py).
any_name = st.one_of(st.sampled_from([x for x in ODD_TEXTS if x != HALF]), st.text(max_size=80))
any_number = st.one_of(
    st.integers(),
    st.sampled_from([-1, 0, 2**31, 2**63 - 1, 2**63, 2**64, 10**40]),
    st.floats(),
    st.sampled_from([f"{MARK}{one}{MARK}" for one in RAW_NUMBERS]),
)
any_json: SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), any_number, any_text),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(any_name, inner, max_size=3)
    ),
    max_leaves=6,
)


def dumps(body: Any) -> bytes:
    """JSON with what a strict writer refuses: NaN, 1e400, half characters, any depth."""
    text = json.dumps(body)
    for one in RAW_NUMBERS:
        text = text.replace(f'"{MARK}{one}{MARK}"', one)
    return text.encode()


def deep(depth: int) -> bytes:
    """Lists in lists, more than a parser may want."""
    return b"[" * depth + b"]" * depth


async def explore(
    strategy: SearchStrategy[Any],
    check: Callable[[Any], Awaitable[None]],
    *,
    examples: int,
    fixed: bool = True,
) -> int:
    """Run `check` on this loop with what hypothesis makes in a thread; how often it ran.

    A failure is shrunk and raised. `fixed`: the same values every time, so that a run is repeated
    by running it again; else hypothesis says with which seed.
    """
    loop, ran = asyncio.get_running_loop(), 0

    def one(value: Any) -> None:
        nonlocal ran
        ran += 1
        asyncio.run_coroutine_threadsafe(check(value), loop).result()

    configured = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=fixed,
        print_blob=not fixed,
        report_multiple_bugs=False,
        phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(one))
    await asyncio.to_thread(configured)
    return ran


def plain_answer(answer: httpx.Response) -> bool:
    """True for a success, False for a clear refusal; anything else fails."""
    assert answer.status_code < 500, f"{answer.status_code} {answer.text[:300]}"
    if answer.is_success:
        kind = answer.headers["content-type"]
        if kind.startswith("text/csv"):
            assert "\r\nEND," in answer.text, "a file that is not whole"
        elif kind.startswith("application/json"):
            answer.json()
        else:
            assert answer.content, f"an empty answer of {kind}"
        return True
    assert answer.status_code >= 400, answer.status_code
    said = answer.json()
    if said == UNREADABLE:
        return False
    for name in ("detail", "code", "hint"):
        assert isinstance(said.get(name), str), f"{answer.status_code} without {name}: {said}"
        assert said[name], f"{answer.status_code} with an empty {name}: {said}"
    return False


class Watch:
    """What all tables held after the last request that may have changed something.

    SQLite numbers the commits of others: while the number stands, nothing needs to be read.
    """

    def __init__(self, before: dict[str, list[str]], files: list[sqlite3.Connection]):
        self.before, self.files = before, files
        self.commits = self._commits()

    @classmethod
    async def begin(cls) -> Watch:
        files = [db.path, core_db.path] if core_db.type == SQLITE else []
        return cls(await picture(), [sqlite3.connect(path, timeout=10) for path in files])

    def _commits(self) -> list[int]:
        return [int(x.execute("PRAGMA data_version").fetchone()[0]) for x in self.files]

    def _untouched(self) -> bool:
        now = self._commits()
        same, self.commits = bool(now) and now == self.commits, now
        return same

    async def accepted(self) -> None:
        """Something may have been stored."""
        if not self._untouched():
            self.before = await picture()

    async def refused(self, besides: frozenset[str] = frozenset()) -> None:
        """Nothing was stored, but in the tables named by the caller."""
        if self._untouched():
            return
        now = await picture()
        changed = sorted(name for name in now if now[name] != self.before.get(name))
        self.before = now
        assert set(changed) <= besides, f"a refused request changed {changed}"

    def close(self) -> None:
        """Let the files go."""
        for one in self.files:
            one.close()


@contextmanager
def log_lines() -> Iterator[list[str]]:
    """Everything that is logged meanwhile."""
    lines: list[str] = []
    sink = logger.add(lambda text: lines.append(str(text)), level="TRACE")
    try:
        yield lines
    finally:
        logger.remove(sink)
