"""Announce: after the commit, tell the wallets what they received."""

from __future__ import annotations

from collections.abc import Sequence

from lnbits.core.models import Payment

from .. import clock, crud
from ..adapters.notifier import incoming_payments, queue_payments
from .doorbell import doorbell

CASH_OUTS_PER_PASS_MAX = 500
PAYMENTS_PER_SLICE = 200  # LNbits' database is locked while one slice is read


async def announce_settled() -> int:
    """Announce every settled cash-out nobody was told of yet; returns how many payments."""
    rows = await crud.fetch_rows(
        "SELECT id FROM satoshimachine.lamassu_transactions"
        " WHERE announced_us IS NULL AND status = 'completed' AND origin = 'observed'"
        " ORDER BY processed_us LIMIT :most",
        {"most": CASH_OUTS_PER_PASS_MAX},
    )
    ids = [str(row["id"]) for row in rows]
    if not ids:
        return 0
    named = {f"v{i}": value for i, value in enumerate(ids)}
    marks = ", ".join(f":{name}" for name in named)
    legs = await crud.fetch_rows(
        "SELECT checking_id_in FROM satoshimachine.settlement_legs"
        f" WHERE cash_out_id IN ({marks})",
        named,
    )
    payments = await _payments([str(leg["checking_id_in"]) for leg in legs])
    # Noted first: once queued, LNbits works through them and everybody else waits meanwhile.
    await crud.write(
        "UPDATE satoshimachine.lamassu_transactions SET announced_us = :now"
        f" WHERE id IN ({marks})",
        {"now": clock.now_us(), **named},
    )
    queue_payments(payments)
    doorbell.ring()
    return len(payments)


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
