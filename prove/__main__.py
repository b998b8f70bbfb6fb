"""`python -m prove`: every part in a process of its own, two at a time; one table at the end.

A part that dies without a result is a failure of its own. Exit 1 when anything failed or a part
left out what it says it covers. `--all` runs what does not fit twenty minutes on two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
CACHE = CHECKOUT / ".cache"
AT_ONCE = 2
# Longer than any part takes on a slow machine: a hang must end by itself.
LIMIT_S = {False: 1_500, True: 14_400}
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2_000_000_000


@dataclass(frozen=True)
class Part:
    """A module of this package and what it is started with."""

    module: str
    database: str = "sqlite"
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.module}-{self.database}"


@dataclass
class Outcome:
    """What a part said, and how long it took."""

    part: Part
    rows: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


# The longest first, so that the last one to end is a short one.
PARTS = (
    Part("crash_points"),
    Part("crash_points", "postgres"),
    Part("faults"),
    Part("mutants"),
    Part("simulation"),
    Part("fuzz"),
    Part("faults", "postgres"),
    Part("lost_answers", "postgres"),
    Part("simulation", "postgres"),
    Part("versions"),
    Part("concurrency"),
    Part("concurrency", "postgres"),
    Part("lost_answers"),
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m prove", description=__doc__)
    parser.add_argument("--all", action="store_true", help="also what takes longer than 20 minutes")
    parser.add_argument("--seeds", type=int, help="how many seeds the simulation runs")
    parser.add_argument("--only", action="append", help="a part's module; default: all")
    return parser.parse_args()


def options(part: Part, given: argparse.Namespace) -> list[str]:
    found = list(part.options)
    if given.all:
        found.append("--all")
    if given.seeds and part.module == "simulation":
        found += ["--seeds", str(given.seeds)]
    return found


async def run(part: Part, given: argparse.Namespace, temp: Path) -> Outcome:
    """Start a part, wait for it, read what it wrote."""
    result, log = CACHE / f"prove-{part.name}.json", CACHE / f"prove-{part.name}.log"
    result.unlink(missing_ok=True)
    room = Path(tempfile.mkdtemp(prefix="p", dir=temp))
    room.chmod(0o711)  # PostgreSQL runs as another user, who must reach its folder
    started = time.monotonic()
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"prove.{part.module}", str(result)),
            *options(part, given),
            cwd=CHECKOUT,
            env={**os.environ, "SATM_TEST_DB": part.database, "TMPDIR": str(room)},
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        try:
            code = await asyncio.wait_for(process.wait(), LIMIT_S[given.all])
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
            code = -1
    shutil.rmtree(room, ignore_errors=True)
    outcome = Outcome(part, seconds=time.monotonic() - started)
    if result.exists():
        outcome.rows = json.loads(result.read_text())["rows"]
    if code != 0 and not any(row["failures"] for row in outcome.rows):
        outcome.rows.append(_died(part, code, log))
    for row in outcome.rows:
        print(line(row), flush=True)
    return outcome


def _died(part: Part, code: int, log: Path) -> dict[str, Any]:
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    return {
        "what": f"{part.module} ended with {code}",
        "database": part.database,
        "unit": "parts",
        "covered": 0,
        "total": 1,
        "failures": 1,
        "first_failure": (last or ["without a word"])[0],
        "seconds": 0.0,
    }


def line(row: dict[str, Any]) -> str:
    """A row of the table as text."""
    told = f"{row['what'][:64]:64}  {row['database']:8}  {row['covered']:>6} / {row['total']:<6}"
    told += f"  {row['unit']:13}  {row['failures']:>4} failed  {row['seconds']:>6.0f} s"
    return f"{told}\n      {row['first_failure']}" if row["failures"] else told


def summary(outcomes: list[Outcome], seconds: float) -> str:
    """One line a unit: covered, total, failures."""
    sums: dict[str, list[int]] = {}
    for row in (row for one in outcomes for row in one.rows):
        unit = sums.setdefault(row["unit"], [0, 0, 0])
        for place, name in enumerate(("covered", "total", "failures")):
            unit[place] += row[name]
    lines = [f"  {unit:14} {a:>7} of {b:<7} {f:>4} failed" for unit, (a, b, f) in sums.items()]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, capture_output=True, check=False
    )
    about = f"{commit.stdout.decode().strip() or 'no commit'}, {os.cpu_count()} cores"
    about += f", Python {platform.python_version()}, {seconds / 60:.1f} minutes"
    return "\n".join([f"\nIn all ({about}):", *lines])


def temporary() -> Path:
    """In memory where there is room: none of this needs to survive a power cut."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
    found = Path(tempfile.mkdtemp(prefix="satm-", dir=MEMORY if roomy else None))
    found.chmod(0o711)
    return found


async def prove(given: argparse.Namespace) -> int:
    CACHE.mkdir(exist_ok=True)
    parts = [part for part in PARTS if not given.only or part.module in given.only]
    gate, temp, started = asyncio.Semaphore(AT_ONCE), temporary(), time.monotonic()

    async def next_one(part: Part) -> Outcome:
        async with gate:
            return await run(part, given, temp)

    try:
        outcomes = await asyncio.gather(*(next_one(part) for part in parts))
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    took = time.monotonic() - started
    print(summary(outcomes, took))
    rows = [row for one in outcomes for row in one.rows]
    (CACHE / "prove.json").write_text(json.dumps({"seconds": round(took), "rows": rows}, indent=1))
    return int(not rows or any(row["failures"] for row in rows))


if __name__ == "__main__":
    sys.exit(asyncio.run(prove(arguments())))
