"""A simulated ATM: two machines that sell cash for bitcoin and write what Lamassu would write.

Mostly ordinary sales; in a fixed round also the odd ones an operator meets: a sale that finishes
later, one that Lamassu recorded an error on, a discount, an address nobody paid to, another coin.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from . import sample_rows as sample
from .embedded_lamassu import EmbeddedLamassu

NOTES = (50, 100, 100, 200, 200, 300, 400, 500, 600, 1000)  # quetzales a customer asks for
FINISHES_AFTER_S = 15.0
MACHINES = {sample.MACHINE: "Mercado Central", sample.OTHER_MACHINE: "Zona Viva"}
PRICE_STEP = Decimal("0.004")  # how far the price may move between two sales

_FINISHED = {"dispense": True, "dispense_confirmed": True}

# One round: what kind of sale comes next. Ordinary ones outnumber the rest, as in a shop.
_ROUND: tuple[Callable[..., sample.Row], ...] = (
    sample.sale,
    sample.on_chain,
    sample.discounted,
    sample.sale,
    sample.paid_not_dispensed,
    sample.sale,
    sample.not_paid,
    sample.on_chain,
    sample.sale,
    sample.confirmed_with_error,
    sample.sale,
    sample.dispensed_not_confirmed,
    sample.sale,
    sample.ether,
    sample.on_chain,
    sample.sale,
)


@dataclass(frozen=True)
class Sold:
    """What a bystander sees of one sale."""

    row_id: str
    text: str


class Atm:
    """Owns the price and the sales that are not finished yet."""

    def __init__(self, lamassu: EmbeddedLamassu):
        self._lamassu = lamassu
        self._kinds: Iterator[Callable[..., sample.Row]] = itertools.cycle(_ROUND)
        self._price = Decimal(sample.BID)
        self._unfinished: list[tuple[float, str]] = []
        self._chance = random.Random()  # noqa: S311 - for variety, not for secrets

    async def take_over(self) -> None:
        """Finish what an earlier run of the demo left unfinished."""
        left = await self._lamassu.fetch(
            "SELECT id::text FROM cash_out_txs"
            " WHERE status = 'confirmed' AND NOT dispense_confirmed AND error IS NULL"
        )
        self._unfinished += [(time.monotonic() + FINISHES_AFTER_S, row["id"]) for row in left]

    async def sell(self) -> Sold:
        """One customer."""
        step = Decimal(self._chance.randint(-100, 100)) / 100 * PRICE_STEP
        self._price = (self._price * (1 + step)).quantize(Decimal("0.01"))
        kind = next(self._kinds)
        row = kind(
            fiat=self._chance.choice(NOTES),
            bid=str(self._price),
            device_id=self._chance.choice(tuple(MACHINES)),
            price="markup",
        )
        await self._lamassu.insert(row)
        if row["status"] == "confirmed" and not row["dispense_confirmed"]:
            self._unfinished.append((time.monotonic() + FINISHES_AFTER_S, str(row["id"])))
        return Sold(str(row["id"]), _seen(row))

    async def finish_some(self) -> list[Sold]:
        """Hand out the notes of sales that have waited long enough."""
        now, finished = time.monotonic(), []
        for due, row_id in list(self._unfinished):
            if due <= now:
                self._unfinished.remove((due, row_id))
                await self._lamassu.update(row_id, **_FINISHED)
                finished.append(Sold(row_id, "the notes of an earlier sale came out"))
        return finished


def _seen(row: dict[str, Any]) -> str:
    machine = MACHINES[row["device_id"]]
    coin, fiat = row["crypto_code"], row["fiat"]
    if row["status"] != "confirmed":
        return f"{machine}: an address for {fiat} GTQ, and nobody paid"
    if coin not in ("BTC", "LN"):
        return f"{machine}: {fiat} GTQ for {coin}, another coin"
    text = f"{machine}: {fiat} GTQ for {int(row['crypto_atoms']):,} sats ({coin})"
    if row["error"]:
        return f"{text}, with an error"
    if not row["dispense_confirmed"]:
        return f"{text}, the notes are not out yet"
    return f"{text}, {row['discount']} % discount" if row["discount"] else text
