"""Answers that never come: LNbits stops in mid-tick, PostgreSQL's answer is lost, SSH is cut.

`python -m prove.lost_answers RESULT.json [--all]`, with SATM_TEST_DB=sqlite|postgres. Unlike after
a kill the process goes on: nothing may stay locked, and its next ticks must end as if nothing had
happened.
"""

from __future__ import annotations

from .setting import ENVIRONMENT, Result, Row, say

# isort: split
import argparse
import asyncio
import gc
import itertools
import logging
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from loguru import logger
from satmachineadmin.adapters import lamassu_postgres

from . import stories
from .broken import BREAKAGES
from .children import Outcome, Say, run_child
from .points import Points, TappedLoop, watch_awaits
from .stored import difference, final
from .world_of_crashes import Case, World

CLIENTS = 2
SOME = (0, 2, 4)  # clients, with --all
COMMIT = "after sending COMMIT;"
ROWS_PER_PAGE = 1  # every row that Lamassu sends is a page of its own

Disturb = Callable[[int, Say], Any]  # at this point of a tick; tells the point's name


class Losses:
    """One case's tick, disturbed at any of its points; `broken` spoils the product first."""

    def __init__(self, world: World, case: Case, broken: Callable[[], None] | None = None):
        self.world, self.case = world, case
        self.broken = broken or (lambda: None)
        whole = self._child(lambda _: stories.run(stories.tick_and_go_on))
        if whole.error:
            raise RuntimeError(f"the undisturbed run failed: {whole.error}")
        self.expected = final(whole.value)

    def every_point(self, row: Row, disturb: Disturb, chosen: Iterable[int] = ()) -> None:
        """Disturb at each of these points, or at all there are when none are given."""
        numbers = list(chosen)
        row.total += len(numbers)
        for number in numbers or itertools.count(1):
            outcome = self._child(partial(disturb, number))
            if not outcome.said and not outcome.error:
                if numbers:
                    row.failed(f"point {number}: it ended before")
                break
            row.covered += 1
            wrong = outcome.error or difference(final(outcome.value), self.expected)
            if wrong:
                row.failed(f"point {number} ({outcome.last}): {wrong}")
        row.total = max(row.total, row.covered)

    def noticed(self, disturb: Disturb, numbers: Iterable[int]) -> bool:
        """Does a spoiled product fail at one of these points?"""
        for number in numbers:
            outcome = self._child(partial(disturb, number))
            if outcome.error or difference(final(outcome.value), self.expected):
                return True
        return False

    def labels(self, kind: str) -> list[str]:
        """The points of an undisturbed tick."""
        whole = self._child(lambda _: stories.play(self.world, kind, stories.one_tick, Points()))
        if whole.error:
            raise RuntimeError(f"the undisturbed run failed: {whole.error}")
        return list(whole.value["labels"])

    def _child(self, work: Callable[[Say], Any]) -> Outcome:
        self.world.put_back(self.case.name)

        def spoiled(tell: Say) -> Any:
            self.broken()
            return work(tell)

        return run_child(spoiled)

    def cancel(self, number: int, tell: Say) -> Any:
        """Cancel the tick when it, or a task inside it, is suspended for the n-th time."""
        stories.as_a_process_of_its_own()
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)

        def act(label: str) -> None:
            tell(label)
            root.cancel()

        root = watch_awaits(loop, stories.stopped(), Points(number, act), both=False)
        loop.run_until_complete(root)
        loop.set_task_factory(None)
        return loop.run_until_complete(stories.go_on_and_tell())

    def cut(
        self,
        number: int,
        tell: Say,
        *,
        port: int,
        half: bool = False,
        label: str | None = None,
        later: int = 0,
    ) -> Any:
        """Cut the connection to this port at the n-th message, or so many after the n-th of this
        label; the process goes on.
        """
        lamassu_postgres.PAGE_ROWS_MAX = ROWS_PER_PAGE
        stories.as_a_process_of_its_own()
        loop = TappedLoop()
        asyncio.set_event_loop(loop)
        loop.port, loop.half, loop.points = port, half, Points(number, tell, label, later)
        loop.run_until_complete(stories.broken_off())
        loop.port, loop.points = 0, Points()  # who looks afterwards is not cut
        return loop.run_until_complete(stories.go_on_and_tell())


def main() -> int:
    given = _arguments()
    logger.remove()
    logging.disable()  # asyncio's words about connections that a scenario broke
    result = Result(given.result)
    clients = list(SOME) if given.all else [CLIENTS]
    world = World(ENVIRONMENT, [Case(n, ssh) for n in clients for ssh in (False, True)])
    parts = given.part or (list(PARTS) if given.all or not world.postgres else ON_POSTGRES)
    gc.freeze()
    with world:
        say(f"prepared ({time.perf_counter() - result.started:.0f} s)")
        result.started = time.perf_counter()
        for n in clients:
            for part in parts:
                PARTS[part](world, n, result, given.all)
        result.add(_noticed(world, clients[0], parts))
    return result.exit_code


def _cancelled(world: World, clients: int, result: Result, everything: bool) -> None:
    row = Row(f"ticks cancelled at every await, {clients} clients", "points")
    losses = Losses(world, Case(clients, ssh=everything))
    losses.every_point(row, losses.cancel)
    result.add(row)


def _commits(world: World, clients: int, result: Result, everything: bool) -> None:
    """PostgreSQL only: a local file has no answer to lose."""
    if not world.postgres:
        return
    losses = Losses(world, Case(clients))
    labels = losses.labels("driver")
    cut = partial(losses.cut, port=world.postgres_port)
    row = Row(f"COMMIT sent and its answer lost, {clients} clients", "points")
    for later in (0, 1):  # before the answer, and when it came
        commits = range(1, labels.count(COMMIT) + 1)
        losses.every_point(row, partial(cut, label=COMMIT, later=later), commits)
    result.add(row)
    if everything:
        row = Row(f"connection to PostgreSQL cut at every message, {clients} clients", "points")
        losses.every_point(row, cut)
        result.add(row)


def _ssh(world: World, clients: int, result: Result, everything: bool) -> None:
    losses = Losses(world, Case(clients, ssh=True))
    for half in (False, True) if everything else (False,):
        how = "half way through every message" if half else "at every message and page"
        row = Row(f"SSH cut {how}, {clients} clients", "points")
        losses.every_point(row, partial(losses.cut, port=world.ssh_port, half=half))
        result.add(row)


PARTS = {"cancelled": _cancelled, "commits": _commits, "ssh": _ssh}
ON_POSTGRES = ["cancelled", "commits"]  # how Lamassu is read has nothing to do with it


def _noticed(world: World, clients: int, parts: list[str]) -> Row:
    """Spoiled products must not pass."""
    row = Row("spoiled products that are noticed", "mutants")
    found: dict[str, bool] = {}
    if "cancelled" in parts:
        losses = Losses(world, Case(clients), BREAKAGES["both_layers"])
        # The settlements lie in the second third of a tick's points.
        found["both_layers"] = losses.noticed(losses.cancel, range(60, 400, 3))
    if "ssh" in parts:
        losses = Losses(world, Case(clients, ssh=True), BREAKAGES["half_an_hour"])
        cut = partial(losses.cut, port=world.ssh_port)
        found["half_an_hour"] = losses.noticed(cut, range(150, 60, -3))
    row.what += f": {', '.join(found)}"
    row.covered = row.total = len(found)
    for name, was_noticed in found.items():
        if not was_noticed:
            row.failed(f"{name} was not noticed")
    return row


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("result", type=lambda text: Path(text).resolve())
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--part", nargs="*", choices=list(PARTS))
    return parser.parse_args()


if __name__ == "__main__":
    try:
        code = main()
    finally:
        ENVIRONMENT.remove()
    sys.exit(code)
