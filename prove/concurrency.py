"""Issue 3.3: timer, buttons, retries, workers and a second LNbits on the same sales at once."""

from __future__ import annotations

from .setting import ENVIRONMENT, Result, Row, say  # first: it prepares LNbits' environment

# isort: split
import argparse
import asyncio
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from support.books import clear_books, remember_start
from support.lnbits_app import SUPERUSER, enabled_client, running_lnbits
from support.machine import embedded_lamassu, operator_at_work
from support.operator import Operator
from support.postgres import postgres

from . import conc_scenarios, conc_second

STORMS = 1
KILLS_AFTER = (1, 17)  # cash-outs settled when the second LNbits is killed

Scenario = Callable[[Operator], Awaitable[int]]


class Concurrency:
    """Runs scenarios on fresh books and writes a row for each."""

    def __init__(self, result: Result, http: Any, lamassu: Any):
        self.result, self.http, self.lamassu = result, http, lamassu

    async def run(self, what: str, planned: int, rounds: list[Scenario]) -> None:
        """One row: `planned` operations over all rounds; a round that fails covers nothing."""
        row = Row(what, "interleavings", total=planned)
        for scenario in rounds:
            try:
                await clear_books()
                async with operator_at_work(self.http, self.lamassu) as operator:
                    row.covered += await scenario(operator)
            except Exception as exc:  # noqa: BLE001  # the next round runs all the same
                traceback.print_exc()
                row.failed(f"{type(exc).__name__}: {exc}"[:300])
        self.result.add(row)


async def in_one_process(runs: Concurrency) -> None:
    """What can meet inside one LNbits."""
    asked = 20 + 24 * 2 + 6 * 3 + 2
    await runs.run(
        "timer, 20 polls, by id and retries at once",
        STORMS * asked,
        [conc_scenarios.storm] * STORMS,
    )

    async def twice(operator: Operator) -> int:
        seen = await conc_scenarios.offered_twice(operator)
        say(f"    {seen['settled']} settled, {seen['refused']} refused, {seen['busy']} busy")
        return seen["settled"] + seen["refused"]

    await runs.run("500 cash-outs offered twice by 20 workers", 1000, [twice])
    await runs.run("prefunded wallet while its owner spends", 32, [conc_scenarios.owner_spends])


async def in_two_processes(runs: Concurrency) -> None:
    """What can meet between processes."""

    async def offered(operator: Operator) -> int:
        seen = await conc_second.offered_to_two(operator, ENVIRONMENT)
        say(f"    {seen['busy']} times busy, tried again")
        return seen["operations"]

    async def overspent(operator: Operator) -> int:
        return await conc_second.core_overspends(operator, ENVIRONMENT)

    await runs.run("100 cash-outs offered to two processes", 200, [offered])
    if ENVIRONMENT.database == "postgres":
        await runs.run("core overspends between two processes: found, alerted", 2, [overspent])
        await in_two_lnbits(runs)


async def in_two_lnbits(runs: Concurrency) -> None:
    """Two whole LNbits on one PostgreSQL."""
    planned, asked = 0, 2 * (5 + 16) + 2

    async def both(operator: Operator) -> int:
        async with conc_second.second_lnbits(ENVIRONMENT) as (_, api):
            return await conc_second.two_lnbits(operator, api)

    def killed(after: int) -> Scenario:
        async def scenario(operator: Operator) -> int:
            async with conc_second.second_lnbits(ENVIRONMENT) as (host, api):
                left = await conc_second.one_is_killed(operator, host, api, after=after)
                among = conc_second.KILLED_AMONG
                say(f"    killed after {among - left} of {among} settlements")
                return 1

        return scenario

    await runs.run("two LNbits on one PostgreSQL poll and process", planned + asked, [both])
    await runs.run(
        "the second LNbits killed in mid-work",
        len(KILLS_AFTER),
        [killed(after) for after in KILLS_AFTER],
    )


async def prove_all(result: Result) -> None:
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
        runs = Concurrency(result, http, lamassu)
        await in_one_process(runs)
        await in_two_processes(runs)


def main() -> int:
    """`python -m prove.concurrency RESULT.json [--all]`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("result", type=Path)
    parser.add_argument("--all", action="store_true", help="the same: nothing is left out")
    result = Result(parser.parse_args().result.resolve())
    try:
        asyncio.run(prove_all(result))
    finally:
        ENVIRONMENT.remove()
    return result.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
