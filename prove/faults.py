"""`python -m prove.faults RESULT.json`: every port and every fault, run for real, as a table.

`--write-docs` writes docs/fault-matrix.md from what was found; without it a row that differs from
the written one is a failure.
"""

from __future__ import annotations

# ruff: noqa: E402
# First: it prepares the environment that everything below is imported into.
from .setting import ENVIRONMENT, Result, Row, say  # isort: skip

import argparse
import asyncio
import os
import time
import traceback
from pathlib import Path
from typing import Any

from loguru import logger

# LNbits reads where its PostgreSQL is when it is imported; ours is reached through a relay.
from .fault_relay import Relay, free_port  # isort: skip

RELAY = Relay(ENVIRONMENT.postgres_port, free_port()) if ENVIRONMENT.postgres_port else None
if RELAY is not None:
    os.environ["LNBITS_DATABASE_URL"] = (ENVIRONMENT.postgres_url or "").replace(
        f":{RELAY.target_port}/", f":{RELAY.port}/"
    )

from . import (
    fault_docs,
    fault_lamassu,
    fault_locks,
    fault_own,
    fault_postgres,
    fault_restores,
    fault_scenarios,
    fault_source,
    fault_sqlite,
)
from .fault_bench import Bench
from .fault_cells import Cell
from .fault_world import running_bench

CELL_LIMIT_S = 60
PARTS = (fault_own, fault_source, fault_sqlite, fault_postgres, fault_locks, fault_restores)
PARTS += (fault_scenarios, fault_lamassu)


async def run_cell(bench: Bench, cell: Cell, row: Row) -> str | None:
    """One cell; its line of the table, or None when it failed."""
    row.total += 1
    if cell.run is None:
        row.covered += 1
        return fault_docs.line(cell, None)
    began = time.perf_counter()
    try:
        await asyncio.wait_for(bench.reset(), CELL_LIMIT_S)
        outcome = await asyncio.wait_for(cell.run(bench), CELL_LIMIT_S)
    except Exception as exc:  # noqa: BLE001  # whatever it is, the next cell runs
        row.failed(f"{cell.port}, {cell.fault}: {type(exc).__name__}: {exc}")
        say(f"  {cell.port}, {cell.fault}: FAILED {type(exc).__name__}: {exc}")
        logger.error(traceback.format_exc())
        await bench.recover_world()
        return None
    row.covered += 1
    say(
        f"  {cell.port}, {cell.fault}: {outcome.error} {outcome.disposition}, {outcome.afterwards}"
        f" | {outcome.alerts} | {outcome.recovery} ({time.perf_counter() - began:.1f} s)"
    )
    return fault_docs.line(cell, outcome)


def compare(found: dict[tuple[str, str], str], row: Row) -> None:
    """The written table says what the run found."""
    written = fault_docs.written(ENVIRONMENT.database)
    for place, line in found.items():
        if written.get(place) != line:
            row.failed(f"docs/fault-matrix.md differs at {', '.join(place)}: {line}")
            say(f"  differs from docs/fault-matrix.md: {line}")


async def run(given: argparse.Namespace) -> int:
    """All cells of this database."""
    result = Result(given.result)
    cells = [
        cell
        for cell in fault_docs.places(ENVIRONMENT.database)
        if given.only in f"{cell.port}, {cell.fault}"
    ]
    found: dict[tuple[str, str], str] = {}
    async with running_bench(ENVIRONMENT, RELAY) as bench:
        logger.remove()
        logger.add(given.result.with_suffix(f".{ENVIRONMENT.database}.log"), mode="w")
        for kind, wanted in (("fault matrix", True), ("fault scenarios", False)):
            row = Row(kind, "cells")
            for cell in cells:
                if (cell.port in fault_docs.PORTS) is wanted:
                    line = await run_cell(bench, cell, row)
                    if line is not None:
                        found[cell.port, cell.fault] = line
            if not given.write_docs:
                mine = {p: x for p, x in found.items() if (p[0] in fault_docs.PORTS) is wanted}
                compare(mine, row)
            result.add(row)
    if given.write_docs:
        fault_docs.write(
            ENVIRONMENT.database, {**fault_docs.written(ENVIRONMENT.database), **found}
        )
    return result.exit_code


def main() -> int:
    """Read the command line, run, clear away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--all", action="store_true", help="the same: nothing is left out")
    parser.add_argument("--write-docs", action="store_true")
    parser.add_argument("--only", default="", help="part of `port, fault`")
    given: Any = parser.parse_args()
    given.result = given.result.resolve()
    try:
        return asyncio.run(run(given))
    finally:
        ENVIRONMENT.remove()


if __name__ == "__main__":
    raise SystemExit(main())
