"""What LNbits itself needs for a transfer: create_invoice(internal) and pay_invoice."""

from __future__ import annotations

import time

from lnbits.core.services.payments import create_invoice, pay_invoice
from support.lnbits_app import fund_wallet

from .world import World

SAMPLE_MAX = 60  # of a case with more transfers; its time is then scaled
AMOUNT_SATS = 100


async def prepare(world: World) -> None:
    """Sats to send."""
    await fund_wallet(world.operator.source_wallet, 1_000_000)


async def lnbits_transfers(world: World, count: int) -> list[float]:
    """Seconds of each of `count` transfers, the clients' wallets in turn."""
    targets = list(world.operator.wallets.values())
    seconds = []
    for number in range(count):
        started = time.perf_counter()
        invoice = await create_invoice(
            wallet_id=targets[number % len(targets)],
            amount=AMOUNT_SATS,
            memo="benchmark",
            internal=True,
        )
        await pay_invoice(wallet_id=world.operator.source_wallet, payment_request=invoice.bolt11)
        seconds.append(time.perf_counter() - started)
    await world.drain()
    return seconds
