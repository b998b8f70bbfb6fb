"""One database type: boot LNbits and Lamassu in this process, measure, write JSON.

Started by __main__ with SATM_TEST_DB set. The environment must be ready before anything of LNbits
or of the extension is imported, hence the order of the imports.
"""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
# Only `benchmarks` and the tests' support come from the checkout; the rest of it is the package
# `satmachineadmin`, and its modules have names that others may use, too.
sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != CHECKOUT]
sys.path.append(str(CHECKOUT / "tests"))

from support.environment import prepare  # noqa: E402

ENVIRONMENT = prepare()

import argparse  # noqa: E402
import asyncio  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import time  # noqa: E402
from collections.abc import Awaitable, Callable  # noqa: E402
from typing import Any  # noqa: E402

from . import backlog, distribute, empty_poll, history, lists, profiling, reconcile  # noqa: E402
from .world import World, running_world  # noqa: E402

PARTS: dict[str, Callable[[World, int], Awaitable[Any]]] = {
    "distribute": distribute.measure,
    "empty": empty_poll.measure,
    "history": history.measure,
    "lists": lists.measure,
    "reconcile": reconcile.measure,
    "backlog": backlog.measure,
}


async def run(given: argparse.Namespace) -> None:
    def say(text: str) -> None:
        os.write(given.said, f"{text}\n".encode())

    found: dict[str, Any] = {}
    async with running_world(ENVIRONMENT) as world:
        say(f"    LNbits and Lamassu are up, load {os.getloadavg()[0]:.1f}")
        if given.profile:
            await profiling.measure(world, say)
            return
        for part in given.parts:
            started = time.perf_counter()
            found[part] = await PARTS[part](world, given.repeat)
            given.result.write_text(json.dumps(found, indent=1))
            say(f"    {part}: {time.perf_counter() - started:.0f} s, load {os.getloadavg()[0]:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("result", type=Path)
    parser.add_argument("said", type=int, help="file descriptor for people")
    parser.add_argument("parts", nargs="*", choices=list(PARTS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    given.result = given.result.resolve()
    if given.case:
        distribute.CASES = tuple(tuple(map(int, name.split("x"))) for name in given.case)
    try:
        asyncio.run(run(given))
    finally:
        ENVIRONMENT.remove()


main()
