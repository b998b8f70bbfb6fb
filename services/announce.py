"""Announce: after the commit, tell the wallets what they received."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lnbits.core.models import Payment

from .. import clock, crud
from ..adapters.notifier import incoming_payments, queue_payments, waiting
from ..database import BooksConnection, own
from .doorbell import doorbell

# LNbits tells a wallet in some hundredths of a second, one after the other, and everybody else
# waits meanwhile. A pass tells up to this many payments at once; what is left, `tell_rest` does.
AT_ONCE_MAX = 1_000
CASH_OUTS_PER_BATCH = 10
PAYMENTS_PER_SLICE = 200  # LNbits' database is locked while one slice is read
# The rest goes in handfuls with pauses: most requests of others fall into a pause.
HANDFUL = 5
PAUSE_S = 0.25  # for each handful: 20 payments a second, a backlog of 100,000 in 84 minutes
LOOK_AGAIN_S = 0.05


NOTE = (
    "UPDATE satoshimachine.lamassu_transactions SET announced_us = :now"
    " WHERE id = :id AND announced_us IS NULL"
)


async def announce_settled(most: int = AT_ONCE_MAX) -> int:
    """Announce settled cash-outs nobody was told of yet, the oldest first; returns how many
    payments. Ends with the batch that reaches `most`: LNbits has work for a while.
    """
    told = 0
    while told < most and (cash_outs := await _untold(CASH_OUTS_PER_BATCH)):
        payments = await _claimed(cash_outs)
        queue_payments(payments)
        told += len(payments)
    if told:
        doorbell.ring()
    return told


async def tell_rest() -> int:
    """What a large backlog left: told so slowly that others do not feel it. Returns how many.

    A task of its own. It may be stopped at any moment: a cash-out that was begun is not told again,
    for LNbits' queue would not survive a stop either; money never depends on it.
    """
    told = 0
    while cash_outs := await _untold(1):
        payments = await _claimed(cash_outs)
        for start in range(0, len(payments), HANDFUL):
            while waiting():
                await asyncio.sleep(LOOK_AGAIN_S)
            queue_payments(payments[start : start + HANDFUL])
            await asyncio.sleep(PAUSE_S)
        told += len(payments)
    if told:
        doorbell.ring()
    return told


async def _untold(most: int) -> list[str]:
    rows = await crud.fetch_rows(
        "SELECT id FROM satoshimachine.lamassu_transactions"
        " WHERE announced_us IS NULL AND status = 'completed' AND origin = 'observed'"
        " ORDER BY processed_us LIMIT :most",
        {"most": most},
    )
    return [str(row["id"]) for row in rows]


async def _claimed(cash_outs: Sequence[str]) -> list[Payment]:
    """The payments of those that are ours to tell: whoever notes a cash-out first tells it.

    Noted before LNbits has them: once queued, it works through them and everybody waits meanwhile.
    """
    named = {f"v{i}": value for i, value in enumerate(cash_outs)}
    legs = await crud.fetch_rows(
        "SELECT cash_out_id, checking_id_in FROM satoshimachine.settlement_legs"
        f" WHERE cash_out_id IN ({', '.join(f':{name}' for name in named)})",
        named,
    )
    payments = await _payments([str(leg["checking_id_in"]) for leg in legs])
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> set[str]:
        return {one for one in cash_outs if await conn.changed(NOTE, {"id": one, "now": now_us})}

    ours = await own(work)
    told = {str(leg["checking_id_in"]) for leg in legs if leg["cash_out_id"] in ours}
    return [payment for payment in payments if payment.checking_id in told]


async def announce_leg(leg_key: str) -> None:
    """Announce one movement that was made later, a retried share or commission."""
    leg = await crud.fetch_row(
        "SELECT checking_id_in FROM satoshimachine.settlement_legs WHERE leg_key = :key UNION ALL"
        " SELECT checking_id_in FROM satoshimachine.correction_legs WHERE leg_key = :key",
        {"key": leg_key},
    )
    if leg:
        queue_payments(await _payments([str(leg["checking_id_in"])]))


async def _payments(checking_ids: Sequence[str]) -> list[Payment]:
    """In slices: LNbits' database is locked while one is read."""
    payments: list[Payment] = []
    for start in range(0, len(checking_ids), PAYMENTS_PER_SLICE):
        payments += await incoming_payments(checking_ids[start : start + PAYMENTS_PER_SLICE])
    return payments
