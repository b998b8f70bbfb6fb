"""Work that is brought to its end whatever becomes of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from loguru import logger

T = TypeVar("T")


async def uncancelled(work: Awaitable[T]) -> T:
    """Bring `work` to its end even when the caller is cancelled; then the caller is.

    A statement stopped half way leaves its lock behind, and a commit without its answer is a
    question. Both take milliseconds, so LNbits' stop can wait for them.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait({task})
        if not task.cancelled() and task.exception() is not None:
            logger.warning(f"stopped during a database access: {task.exception()!s}")
        raise
