"""Telling LNbits that payments arrived: its listeners, and the wallets' open pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from lnbits.core.db import db as core_db
from lnbits.core.models import Payment
from lnbits.task_manager import task_manager


async def announce_payments(checking_ids: Sequence[str]) -> int:
    """Queue these incoming payments for LNbits' own listener, which notifies wallet and extensions.

    Returns how many were found. The queue is in memory: a stop loses notifications, never money.
    """
    if not checking_ids:
        return 0
    named = {f"v{i}": value for i, value in enumerate(checking_ids)}
    marks = ", ".join(f":{name}" for name in named)
    payments = cast(
        "list[Payment]",
        await core_db.fetchall(
            f"SELECT * FROM apipayments WHERE checking_id IN ({marks}) AND amount > 0",
            named,
            Payment,
        ),
    )
    for payment in payments:
        task_manager.internal_invoice_queue.put_nowait(payment)
    return len(payments)
