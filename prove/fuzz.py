"""Issue 3.7: settings, rows of Lamassu and our API under fuzz, on a running LNbits."""

from __future__ import annotations

from .setting import ENVIRONMENT, Result, Row, say  # first: it prepares LNbits' environment

# isort: split
import argparse
import asyncio
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from support.books import clear_books, remember_start
from support.lnbits_app import SUPERUSER, enabled_client, running_lnbits
from support.machine import embedded_lamassu, operator_at_work
from support.operator import Operator
from support.postgres import postgres

from . import fuzz_api, fuzz_rows, fuzz_settings

# Values per round; --all takes four times as many.
SETTINGS, RULES, INTAKE, SOURCE, API = 40, 1_500, 30, 15, 5
ALL = 4

Round = Callable[[Operator], Awaitable[int]]


class Fuzz:
    """Runs rounds on fresh books and writes a row for each: `total` counts what was made."""

    def __init__(self, result: Result, http: Any, lamassu: Any):
        self.result, self.http, self.lamassu = result, http, lamassu

    async def run(self, what: str, fuzz: Round) -> None:
        """One row; a failure is shrunk by hypothesis and printed."""
        row = Row(what, "requests")
        try:
            await clear_books()
            async with operator_at_work(self.http, self.lamassu) as operator:
                row.covered = await fuzz(operator)
        except Exception as exc:  # noqa: BLE001  # the next round runs all the same
            traceback.print_exc()
            row.failed(f"{type(exc).__name__}: {exc}"[:300])
        row.total = row.covered
        self.result.add(row)


async def run_rounds(runs: Fuzz, app: FastAPI, times: int, fixed: bool) -> None:
    """The four kinds of input."""

    async def rules(operator: Operator) -> int:
        del operator
        return await fuzz_rows.fuzz_rules(examples=RULES * times, fixed=fixed)

    async def settings(operator: Operator) -> int:
        return await fuzz_settings.fuzz_settings(
            operator, examples=SETTINGS * times, fixed=fixed, sweep=True
        )

    async def intake(operator: Operator) -> int:
        return await fuzz_rows.fuzz_intake(
            operator, examples=INTAKE * times, fixed=fixed, sweep=True
        )

    async def source(operator: Operator) -> int:
        taken, polls = await fuzz_rows.fuzz_source(operator, examples=SOURCE * times, fixed=fixed)
        say(f"    Lamassu took {taken} odd rows, polled {polls} times")
        return polls

    async def api(operator: Operator) -> int:
        seen = await fuzz_api.fuzz_api(operator, app, examples=API * times, fixed=fixed)
        codes = ", ".join(f"{n}x {code}" for code, n in sorted(seen.items()) if code.isdigit())
        say(f"    {seen['operations']} operations: {codes}")
        return seen["taken"] + seen["refused"]

    await runs.run("any text to the rules", rules)
    await runs.run("odd rows to intake and settlement", intake)
    await runs.run("odd rows in a real Lamassu, polled", source)
    await runs.run("connection and settings", settings)
    await runs.run("every operation of our OpenAPI", api)


async def prove_all(result: Result, times: int, fixed: bool) -> None:
    """Boot once, run everything."""
    folder = ENVIRONMENT.folder / "lamassu"
    folder.mkdir()
    async with (
        postgres(ENVIRONMENT),
        running_lnbits() as app,
        embedded_lamassu(folder) as lamassu,
        enabled_client(app, SUPERUSER) as http,
    ):
        await remember_start()
        say("    LNbits and Lamassu are up")
        await run_rounds(Fuzz(result, http, lamassu), app, times, fixed)


def main() -> int:
    """`python -m prove.fuzz RESULT.json [--all] [--new]`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("result", type=Path)
    parser.add_argument("--all", action="store_true", help="four times as many values")
    parser.add_argument("--new", action="store_true", help="other values than the last time")
    given = parser.parse_args()
    result = Result(given.result.resolve())
    try:
        asyncio.run(prove_all(result, ALL if given.all else 1, not given.new))
    finally:
        ENVIRONMENT.remove()
    return result.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
