"""Crash points, complete: SIGKILL at every point of a tick, restart, and everything is as if
nothing had happened; then killed again during the restart.

`python -m prove.crash_points RESULT.json [--all]`, with SATM_TEST_DB=sqlite|postgres.

The default is the ticks of some numbers of clients; --all those of 0 to 4, every await, and on
SQLite double crashes. What a kill leaves behind is read and compared; kills that leave the same
behind (every row of every table and every file beside it) have the same restart before them, so
the books are proven and one restart is run for each such state; --restart-each: for each kill.
"""

from __future__ import annotations

from .setting import ENVIRONMENT, Result, Row, say

# isort: split
import argparse
import gc
import itertools
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

from loguru import logger

from . import stories
from .broken import BREAKAGES
from .children import Outcome, Say, run_child
from .points import Points, kill_self
from .stored import State, difference, final
from .world_of_crashes import Case, World

POINTS = {"driver": "crash points", "awaits": "crashes at awaits"}
CLIENTS = range(5)
QUICK = {
    "sqlite": [("driver", 0), ("driver", 2), ("driver", 4)],
    "postgres": [("driver", 2)],
}
NOTICED_BY_KILLS = ["wallets_first", "claim_alone", "one_tick_for_ever"]

_numbers = itertools.count()  # of states that kills left


class Crashes:
    """One case's tick, killed wherever it can be; `broken` spoils the product first."""

    def __init__(
        self, world: World, case: Case, kind: str, broken: Callable[[], None] | None = None
    ):
        self.world, self.case, self.kind = world, case, kind
        self.broken = broken or (lambda: None)
        self.expected: State = {}
        self.states: dict[str, str] = {}  # what a kill left -> the template that keeps it
        self.wrong: dict[str, str | None] = {}  # template -> what its restart got wrong
        self.left_by: list[str] = []  # per point of the tick, the template of what it left

    def killed_at(self, number: int, story: stories.Story, template: str) -> Outcome:
        """Put the template back and let the story end at this point."""
        self.world.put_back(template)

        def work(tell: Say) -> object:
            def act(label: str) -> None:
                tell(label)
                kill_self(label)

            self.broken()
            return stories.play(self.world, self.kind, story, Points(number, act))

        return run_child(work)

    def uninterrupted(self, story: stories.Story, template: str) -> list[str]:
        """The points there are; raises when not even this goes well."""
        whole = self.killed_at(0, story, template)
        if whole.error:
            raise RuntimeError(f"the uninterrupted run failed: {whole.error}")
        return list(whole.value["labels"])

    def restarted(self) -> Outcome:
        """What the product itself does after a kill."""

        def work(_: Say) -> object:
            self.broken()
            return stories.run(stories.restart_and_tell)

        return run_child(work)

    def every_point(
        self,
        row: Row,
        *,
        restart_each: bool = False,
        only: str = "",
        every: int = 1,
        first: bool = False,
    ) -> None:
        """Kill at point 1, 2, 3 ... until the tick ends by itself; or at those whose name has
        `only` in it, or at each `every`th of them. `first`: stop when something is wrong.
        """
        labels = self.uninterrupted(stories.one_tick, self.case.name)
        ended = self.restarted()
        if ended.error:
            raise RuntimeError(f"the tick after the uninterrupted one failed: {ended.error}")
        self.expected = final(ended.value)
        chosen = [n for n, label in enumerate(labels, start=1) if only in label]
        chosen = chosen[::every]
        row.total = len(chosen)
        for number in chosen if only or every > 1 else itertools.count(1):
            outcome = self.killed_at(number, stories.one_tick, self.case.name)
            if not outcome.killed:
                if outcome.error or only:
                    row.failed(f"point {number}: {outcome.error or 'it ended before'}")
                break
            row.covered += 1
            where = f"point {number} ({outcome.last})"
            template = self._look(row, where)
            self.left_by.append(template)
            if restart_each and template:
                wrong = self._restart_goes_wrong()
                if wrong:
                    row.failed(f"{where}: {wrong}")
            if first and row.failures:
                return
        row.total = max(row.total, row.covered)
        row.what += f", {len(self.states)} states left behind"

    def every_second_point(self, row: Row) -> None:
        """From each state that a kill can leave, kill the restart at each of its points."""
        firsts = sorted(set(self.left_by))
        seconds: dict[str, int] = {}
        runs = 0
        for template in firsts:
            seconds[template] = len(self.uninterrupted(stories.restart, template))
            for number in range(1, seconds[template] + 1):
                outcome = self.killed_at(number, stories.restart, template)
                runs += 1
                if not outcome.killed:
                    row.failed(f"{template}, point {number}: {outcome.error or 'it ended earlier'}")
                    continue
                self._look(row, f"{template}, then point {number} ({outcome.last})")
            row.covered += seconds[template] * self.left_by.count(template)
        row.total = sum(seconds[template] for template in self.left_by)
        row.what += f", by {runs} runs from {len(firsts)} states"

    def _look(self, row: Row, where: str) -> str:
        """Which state a kill left; a new one is kept, and its restart must go right."""
        kept = f"left_{next(_numbers)}"
        if not self.world.postgres:
            self.world.keep(kept)  # before anything opens the files
        seen = run_child(lambda _: stories.run(stories.stored))
        key = json.dumps(seen.value, sort_keys=True)
        if not seen.error and key not in self.states:
            seen = run_child(lambda _: stories.run(stories.prove))
        if seen.error:
            row.failed(f"{where}: right after the kill: {seen.error}")
            return ""
        if key in self.states:
            if not self.world.postgres:
                self.world.drop(kept)
            template = self.states[key]
        else:
            template = self.states[key] = kept
            if self.world.postgres:
                self.world.keep(kept)
            else:
                self.world.put_back(kept)
            self.wrong[template] = self._restart_goes_wrong()
            self.world.put_back(kept)
        if self.wrong[template]:
            row.failed(f"{where}: {self.wrong[template]}")
        return template

    def _restart_goes_wrong(self) -> str | None:
        ended = self.restarted()
        return ended.error or difference(final(ended.value), self.expected)


def main() -> int:
    given = _arguments()
    logger.remove()
    logging.disable()  # asyncio's words about connections that a scenario broke
    result = Result(given.result)
    wanted = _wanted(given)
    broken = [name for name in given.broken if name in NOTICED_BY_KILLS]
    cases = {Case(n, kind == "awaits") for kind, n in wanted} | {Case(1) for _ in broken[:1]}
    world = World(ENVIRONMENT, sorted(cases, key=str))
    gc.freeze()
    with world:
        say(f"prepared ({time.perf_counter() - result.started:.0f} s)")
        result.started = time.perf_counter()
        for kind, clients in wanted:
            crashes = Crashes(world, Case(clients, kind == "awaits"), kind)
            at = f" at {given.only.strip()}" if given.only else ""
            at += f", each {given.every}th" if given.every > 1 else ""
            row = Row(f"{POINTS[kind]}{at}, {clients} clients", "points")
            each = given.restart_each
            crashes.every_point(row, restart_each=each, only=given.only, every=given.every)
            result.add(row)
            if kind == "driver" and (given.double or (given.all and not world.postgres)):
                row = Row(f"double crashes, {clients} clients", "pairs")
                crashes.every_second_point(row)
                result.add(row)
        if broken:
            result.add(_noticed(world, broken))
    return result.exit_code


def _noticed(world: World, names: list[str]) -> Row:
    """Spoiled products must not pass."""
    row = Row(f"spoiled products that kills notice: {', '.join(names)}", "mutants")
    row.total = len(names)
    for name in names:
        seen = Row(name, "points")
        try:
            Crashes(world, Case(1), "driver", BREAKAGES[name]).every_point(
                seen, only="COMMIT", first=True
            )
        except RuntimeError as exc:  # not even without a kill
            seen.failed(str(exc))
        row.covered += 1
        say(f"{name}, at {seen.covered} points: {seen.first_failure}")
        if not seen.failures:
            row.failed(f"{name} was not noticed at {seen.covered} points")
    return row


def _wanted(given: argparse.Namespace) -> list[tuple[str, int]]:
    if given.clients is not None:
        return [(kind, n) for kind in given.kind or ["driver"] for n in given.clients]
    if given.all:
        return [(kind, n) for kind in POINTS for n in CLIENTS]
    return QUICK[ENVIRONMENT.database]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("result", type=lambda text: Path(text).resolve())
    parser.add_argument("--all", action="store_true", help="0 to 4 clients, awaits, double")
    parser.add_argument("--restart-each", action="store_true", help="a restart for each kill")
    parser.add_argument("--clients", type=int, nargs="*", choices=CLIENTS)
    parser.add_argument("--kind", nargs="*", choices=list(POINTS))
    parser.add_argument("--only", default="", help="points whose name has this in it")
    parser.add_argument("--every", type=int, default=1, help="only each Nth of them")
    parser.add_argument("--double", action="store_true", help="and kill the restart, too")
    parser.add_argument("--broken", nargs="*", default=NOTICED_BY_KILLS, choices=NOTICED_BY_KILLS)
    return parser.parse_args()


if __name__ == "__main__":
    try:
        code = main()
    finally:
        ENVIRONMENT.remove()
    sys.exit(code)
