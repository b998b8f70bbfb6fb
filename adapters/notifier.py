"""Telling LNbits that payments arrived: its listeners, and the wallets' open pages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from lnbits.core.db import db as core_db
from lnbits.core.models import Payment
from lnbits.db import dict_to_model
from lnbits.task_manager import task_manager
from loguru import logger

from ..database import patiently
from ..uncancelled import uncancelled

# What tells our rows of one settlement apart (adapters/wallet_rows.py).
OWN_COLUMNS = (
    "checking_id",
    "payment_hash",
    "wallet_id",
    "amount",
    "preimage",
    "memo",
    "external_id",
)


def queue_payments(payments: Sequence[Payment]) -> None:
    """Give payments to LNbits' own listener, which notifies wallets and extensions.

    The queue is in memory: a stop or a full queue loses notifications, never money.
    """
    for told, payment in enumerate(payments):
        try:
            task_manager.internal_invoice_queue.put_nowait(payment)
        except asyncio.QueueFull:
            logger.warning(f"event=news_lost payments={len(payments) - told}")
            return


def waiting() -> int:
    """Payments that LNbits' listener has not taken yet."""
    return task_manager.internal_invoice_queue.qsize()


async def incoming_payments(checking_ids: Sequence[str]) -> list[Payment]:
    """The incoming payments of these ids, as LNbits' listeners expect them."""
    if not checking_ids:
        return []
    named = {f"v{i}": value for i, value in enumerate(checking_ids)}
    marks = ", ".join(f":{name}" for name in named)
    query = f"SELECT * FROM apipayments WHERE checking_id IN ({marks}) AND amount > 0"
    rows: list[Mapping[str, Any]] = await uncancelled(
        patiently(lambda: core_db.fetchall(query, named))
    )
    built: dict[Any, Payment] = {}
    payments = []
    for row in rows:
        # Core builds one of each moment; the others of it differ in a few columns and are copied,
        # which is much cheaper.
        like = built.get(row["time"])
        if like is None:
            like = built[row["time"]] = dict_to_model(dict(row), Payment)
        changes: dict[str, Any] = {name: row[name] for name in OWN_COLUMNS}
        changes |= {"extra": dict(like.extra), "labels": list(like.labels)}
        payments.append(like.copy(update=changes))
    return payments
