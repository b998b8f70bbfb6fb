"""A second process that settles what it is told to, on the databases of the one that started it.

Not a whole LNbits: it only holds the product's settlement, so that two processes can be offered the
same cash-outs at full speed. Reads ids from its input, a line each, and prints what came of them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != CHECKOUT]

import lnbits.core.db  # noqa: E402, F401  # first, as LNbits itself does
from lnbits.core.db import db as core_db  # noqa: E402
from satmachineadmin.errors import DatabaseBusy, SatMachineError  # noqa: E402
from satmachineadmin.services import settle  # noqa: E402

AT_ONCE = 1
PAUSE_S = 0.01  # SQLite gives its lock to whoever asks next: leave the other process its turn


async def offer(offers: list[str], seen: Counter[str]) -> None:
    """Take offers until none is left; busy is tried again, as a tick would."""
    while offers:
        one = offers.pop(0)
        while True:
            try:
                await settle.settle_cash_out(one, by_hand=True)
            except DatabaseBusy:
                seen["busy"] += 1
                continue
            except SatMachineError as exc:
                seen[exc.code] += 1
            else:
                seen["settled"] += 1
            await asyncio.sleep(PAUSE_S)
            break


async def main() -> None:
    async with core_db.connect() as conn:
        await conn.fetchone("SELECT 1 AS here")
    print("ready", flush=True)
    offers = sys.stdin.read().split()
    seen: Counter[str] = Counter()
    await asyncio.gather(*(offer(offers, seen) for _ in range(AT_ONCE)))
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
