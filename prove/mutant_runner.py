"""One process of the mutants: boots LNbits once, then runs each mutant's tests with it in place.

Every test runs twice: with the guard it must pass, a moment later without it, it must fail. So a
process that an earlier mutant has damaged is noticed, and the caller starts a new one.
Started as `python -m prove.mutant_runner TASK.json RESULTS.jsonl`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from .mutant_swap import Unfit, swapped

CHECKOUT = Path(__file__).resolve().parents[1]
TEST_TIMEOUT_S = 30
CAUGHT, SURVIVED, BROKEN, UNFIT = "caught", "survived", "broken", "unfit"
# The process is fit for nothing after these: a lock may still be held somewhere.
POISONS = ("Timeout", "Killed")


class Runner:
    """A pytest plugin that runs the tests mutant by mutant."""

    def __init__(self, mutants: list[dict[str, Any]], results: Path):
        self.mutants = mutants
        self.results = results

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for mutant in self.mutants:
            started = time.perf_counter()
            outcome, why, by = self._judge(session, mutant)
            line = {
                "name": mutant["name"],
                "outcome": outcome,
                "why": why,
                "by": by,
                "seconds": round(time.perf_counter() - started, 2),
            }
            with self.results.open("a") as file:
                file.write(json.dumps(line) + "\n")
            if outcome == BROKEN or any(word in why for word in POISONS):
                break
        return True

    def _judge(self, session: pytest.Session, mutant: dict[str, Any]) -> tuple[str, str, str]:
        ran = 0
        for name in mutant["tests"]:
            for item in self._items(session, name):
                said = _run(session, item)
                if said is None:
                    continue  # for the other database
                ran += 1
                if said:
                    return BROKEN, f"fails with the guard in place: {said}", item.nodeid
                try:
                    with swapped(CHECKOUT, mutant["file"], mutant["old"], mutant["new"]):
                        said = _run(session, item)
                except Unfit as exc:
                    return UNFIT, str(exc), ""
                if said:
                    return CAUGHT, said, item.nodeid
        if not ran:
            return UNFIT, "no test of it ran", ""
        return SURVIVED, "its tests pass without it", ""

    @staticmethod
    def _items(session: pytest.Session, name: str) -> Iterator[pytest.Item]:
        wanted = f"tests/{name}"
        for item in session.items:
            if item.nodeid == wanted or item.nodeid.startswith((f"{wanted}[", f"{wanted}::")):
                yield item


def _run(session: pytest.Session, item: pytest.Item) -> str | None:
    """'' when it passed, what it said when it failed, None when it was skipped."""
    # As if the session were next: only what lives as long as it is kept.
    after: Any = session
    reports = runtestprotocol(item, nextitem=after, log=False)
    for report in reports:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = crash.message if crash else str(report.longrepr)
            return " ".join(said.split())[:200] or "failed"
    return None if any(report.skipped for report in reports) else ""


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    tests = sorted({f"tests/{name.split('::')[0]}" for one in task for name in one["tests"]})
    options = ["-q", "-p", "no:cacheprovider", f"--timeout={TEST_TIMEOUT_S}", "-W", "ignore"]
    places = [str(CHECKOUT / name) for name in tests]
    runner = Runner(task, Path(sys.argv[2]).resolve())
    sys.exit(pytest.main([*options, "--rootdir", str(CHECKOUT), *places], plugins=[runner]))


if __name__ == "__main__":
    main()
