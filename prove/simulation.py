"""Seeded weeks of an ATM's life against an independent oracle.

    python -m prove.simulation RESULT.json [--seeds N] [--first S] [--all] [--alone]

Each seed draws what happens and how often (swarm style), runs our real services on a real LNbits
with faults in between, and ends in a quiet phase in which everything that may settle must. After
every step all named invariants must hold and every balance must be the one that prove/oracle.py
predicts. Seeds that ever failed (prove/seeds.json) run first. On SQLite defects are put into the
product afterwards, which the seeds must notice; on PostgreSQL the first seeds are played on SQLite,
too, and must end in the same state.
"""

from __future__ import annotations

from .setting import CHECKOUT, ENVIRONMENT, Result, Row, say

# isort: split
import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .sim_breaks import BREAKS, broken
from .sim_play import LOG_SHOWN, Outcome, Play
from .sim_world import Stage, running_stage

SECONDS = 120  # what the default fills on one core
ALL_SEEDS = 1_000
COMPARED = 20
BREAK_SEEDS_MAX = 120  # a defect that no seed of these finds is not found
KEPT: list[int] = json.loads((CHECKOUT / "prove" / "seeds.json").read_text())


def seeds_of(given: argparse.Namespace) -> Iterator[int]:
    """Regressions first, then from --first on."""
    kept = KEPT if given.first == 1 else []
    yield from kept
    number, count = given.first, 0
    most = given.seeds or (ALL_SEEDS if given.all else 10**9)
    while count < most:
        if number not in kept:
            yield number
        number, count = number + 1, count + 1


def tell(outcome: Outcome) -> None:
    """A failing seed prints how to repeat it, and its last events."""
    database = ENVIRONMENT.database
    command = f"SATM_TEST_DB={database} python -m prove.simulation result.json --first"
    lines = outcome.log[-LOG_SHOWN:]
    say("\n".join([f"seed {outcome.seed}: {outcome.failure}", *(f"    {x}" for x in lines)]))
    say(f"    repeat: {command} {outcome.seed} --seeds 1; then add it to prove/seeds.json")


async def run_seeds(stage: Stage, given: argparse.Namespace, result: Result) -> dict[str, str]:
    """Play seeds until they are through, or until the time is up where no number was asked for."""
    row = Row("simulated weeks against the oracle", "seeds")
    end = time.perf_counter() + SECONDS
    timed = given.seeds is None and not given.all
    counts: Counter[str] = Counter()
    states: dict[str, str] = {}
    for seed in seeds_of(given):
        if timed and time.perf_counter() > end:
            break
        # A kept seed may have failed by what its reconciliation found.
        reconciled = row.covered % given.reconcile_every == 0 or seed in KEPT
        outcome = await Play(stage, seed, reconciled).run()
        counts.update(outcome.counts)
        row.covered += 1
        if outcome.failure:
            row.failed(f"seed {seed}: {outcome.failure}")
            tell(outcome)
        elif outcome.calm:
            states[str(seed)] = outcome.state
    row.total = row.covered
    result.add(row)
    met = Row("ticks, button, sales by id and retries at once, in them", "interleavings")
    met.covered = met.total = counts["at once"]
    result.add(met)
    say(f"    {', '.join(f'{name} {n}' for name, n in sorted(counts.items()))}")
    return states


def compare(states: dict[str, str], first: int, result: Result) -> None:
    """The same seeds must end in the same state on the other database."""
    row = Row("the same end on SQLite and PostgreSQL", "seeds", database="-")
    with tempfile.TemporaryDirectory(prefix="satm-") as folder:
        other = Path(folder) / "other.json"
        command = [sys.executable, "-m", "prove.simulation", str(other), "--alone"]
        command += ["--seeds", str(COMPARED), "--first", str(first)]
        environment = {**os.environ, "SATM_TEST_DB": "sqlite"}
        subprocess.run(command, cwd=CHECKOUT, env=environment, check=True, stdout=2)
        theirs = json.loads(other.with_suffix(".states.json").read_text())
    for seed in sorted(set(states) & set(theirs), key=int):
        row.covered += 1
        if states[seed] != theirs[seed]:
            row.failed(f"seed {seed} ended differently")
    row.total = row.covered
    result.add(row)


async def find_breaks(stage: Stage, result: Result, names: list[str]) -> None:
    """The simulation must notice when the product is broken on purpose."""
    row = Row("defects put in on purpose, found by the simulation", "mutants", total=len(names))
    for name in names:
        for seed in range(1, BREAK_SEEDS_MAX + 1):
            with broken(name):
                outcome = await Play(stage, seed).run()
            if outcome.failure:
                say(f"    {name}: seed {seed}: {outcome.failure.splitlines()[0][:150]}")
                break
        else:
            row.failed(f"{name} was not noticed by {BREAK_SEEDS_MAX} seeds")
        row.covered += 1
    result.add(row)


async def run(given: argparse.Namespace) -> int:
    """Boot, play, compare, break."""
    result = Result(given.result)
    states = {}
    on_sqlite = ENVIRONMENT.database == "sqlite"
    async with running_stage(ENVIRONMENT) as stage:
        if given.only_breaks is None:
            states = await run_seeds(stage, given, result)
            given.result.with_suffix(".states.json").write_text(json.dumps(states))
        if given.only_breaks is not None or (on_sqlite and not given.alone):
            await find_breaks(stage, result, given.only_breaks or sorted(BREAKS))
    if not on_sqlite and not given.alone:
        compare(states, given.first, result)
    return result.exit_code


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m prove.simulation")
    parser.add_argument("result", type=lambda text: Path(text).resolve())
    parser.add_argument("--seeds", type=int, help="how many; default: what fits two minutes")
    parser.add_argument("--reconcile-every", type=int, default=1, help="of how many seeds one")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--all", action="store_true", help=f"{ALL_SEEDS} seeds")
    parser.add_argument("--alone", action="store_true", help="no defects, no other database")
    parser.add_argument("--only-breaks", nargs="*", help="defects by name; none named: all")
    given = parser.parse_args()
    try:
        return asyncio.run(run(given))
    finally:
        ENVIRONMENT.remove()


if __name__ == "__main__":
    sys.exit(main())
