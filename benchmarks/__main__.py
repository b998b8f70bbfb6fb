"""`python -m benchmarks`: measure on both databases, print a table, keep the numbers.

One process per database type: LNbits chooses its type once, at import. Numbers of different runs
or machines say little; what to read are the ratios inside one run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .table import render

CHECKOUT = Path(__file__).resolve().parents[1]
CACHE = CHECKOUT / ".cache"
DATABASES = ("sqlite", "postgres")
PARTS = ("distribute", "empty", "history", "lists", "reconcile", "backlog")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--db", choices=DATABASES, action="append", help="default: both")
    parser.add_argument("--only", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions; medians are shown")
    parser.add_argument("--case", action="append", default=[], help="of distribute, as 50x20")
    parser.add_argument("--profile", action="store_true", help="where the time goes, instead")
    return parser.parse_args()


def measure(database: str, parts: list[str], options: list[str]) -> dict[str, Any]:
    """The results of one process; what LNbits logs goes to .cache/bench-<database>.log."""
    result, log = CACHE / f"bench-{database}.json", CACHE / f"bench-{database}.log"
    result.unlink(missing_ok=True)
    # LNbits logs to both of a process's outputs; what we say ourselves has one of its own.
    said = os.dup(sys.stdout.fileno())
    command = [sys.executable, "-m", "benchmarks.process", str(result), str(said)]
    with log.open("wb") as sink:
        done = subprocess.run(
            [*command, *parts, *options],
            cwd=CHECKOUT,
            env={**os.environ, "SATM_TEST_DB": database},
            stdout=sink,
            stderr=sink,
            pass_fds=(said,),
            check=False,
        )
    os.close(said)
    if done.returncode:
        sys.stderr.write(log.read_text(errors="replace")[-2500:])
        raise SystemExit(f"the benchmark on {database} failed; see {log}")
    found: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {}
    return found


def main() -> None:
    given = arguments()
    CACHE.mkdir(exist_ok=True)
    options = [f"--repeat={given.repeat}", *(["--profile"] if given.profile else [])]
    options += [f"--case={name}" for name in given.case]
    results: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "databases": {},
    }
    for database in given.db or DATABASES:
        print(f"==> {database}", flush=True)
        found = measure(database, given.only or list(PARTS), options)
        results["databases"][database] = found
    if given.profile:
        return
    path = CACHE / "bench.json"
    path.write_text(json.dumps(results, indent=1))
    print(render(results))
    print(f"\nAll numbers: {path.relative_to(CHECKOUT)}")


main()
