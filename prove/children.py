"""One scenario, one process: forked from a process that has everything imported and runs nothing.

A fork takes milliseconds, a start of LNbits seconds. The child has its own event loop, connections
and patches, and takes all of them with it.
"""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LIMIT_S = 60  # a scenario takes a fraction of a second
ERROR_CHARS = 1_500

Say = Callable[[str], None]


@dataclass
class Outcome:
    """What became of a child."""

    killed: bool  # by itself, at its point
    value: Any  # what it returned; None when it was killed or failed
    error: str | None
    said: list[str]  # lines it wrote before

    @property
    def last(self) -> str:
        return self.said[-1] if self.said else "?"


def run_child(work: Callable[[Say], Any]) -> Outcome:
    """Fork, run `work(say)` in the child, and wait for what comes of it."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read_end)
        _in_child(work, write_end)
    os.close(write_end)
    with os.fdopen(read_end) as lines:
        told = [json.loads(line) for line in lines.read().splitlines()]
    _, status = os.waitpid(pid, 0)
    said = [line["said"] for line in told if "said" in line]
    error = next((line["error"] for line in told if "error" in line), None)
    results = [line["value"] for line in told if "value" in line]
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if ended_by == signal.SIGALRM:
        error = f"it did not end within {LIMIT_S} s"
    elif not ended_by and not results:
        error = error or f"the child ended with status {os.WEXITSTATUS(status)}"
    elif ended_by not in (0, signal.SIGKILL):
        error = f"the child ended by signal {ended_by}"
    return Outcome(ended_by == signal.SIGKILL, results[0] if results else None, error, said)


def _in_child(work: Callable[[Say], Any], write_end: int) -> None:
    """Never returns: what belongs to the parent's exit must not run here."""

    def write(what: dict[str, Any]) -> None:
        os.write(write_end, (json.dumps(what) + "\n").encode())

    signal.alarm(LIMIT_S)
    code = 1
    try:
        write({"value": work(lambda text: write({"said": text}))})
        code = 0
    except BaseException as exc:  # noqa: BLE001 - told to the parent, which judges
        where = "".join(traceback.format_exception(exc)[-3:])
        write({"error": f"{type(exc).__name__}: {exc} | {where}"[:ERROR_CHARS]})
    finally:
        os._exit(code)


def fork_server(serve: Callable[[int, int], None]) -> tuple[int, int, int]:
    """Fork a process that serves for a while: its pid, where to write to it, where to read."""
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()
    pid = os.fork()
    if pid:
        os.close(to_child)
        os.close(from_child)
        return pid, from_parent, to_parent
    os.close(from_parent)
    os.close(to_parent)
    code = 1
    try:
        serve(to_child, from_child)
        code = 0
    except BaseException:  # noqa: BLE001 - the parent sees that it ended, people why
        traceback.print_exc()
    finally:
        os._exit(code)


def wait_for_end(pid: int, limit_s: float) -> bool:
    """True when that process ended in time."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.02)
    return False
