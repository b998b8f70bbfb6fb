"""Where slices are compared: for a large run in a process beside LNbits, otherwise here.

The process only makes it faster. Without it, and from the moment it fails, the same is compared
here, in portions between which LNbits answers its users.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loguru import logger

from ..adapters.compare_process import CompareFailed, CompareProcess
from ..domain.tie_slice import Slice

PROCESS_FROM = 2_000  # cash-outs; fewer are compared in less time than it takes to start
PLANS_PER_TURN = 20  # run again before others have their turn: some milliseconds


class Comparer:
    """Compares slice after slice."""

    def __init__(self, beside: CompareProcess | None = None):
        self._beside = beside

    async def differing(self, found: Slice) -> set[str]:
        """Ids of cash-outs that seem to differ, or cannot be read."""
        if self._beside is not None:
            try:
                return await self._beside.differing(found)
            except CompareFailed as exc:
                logger.warning(f"event=reconciliation_compared_here why={exc}")
                await self.stop()
        return await self._here(found)

    async def _here(self, found: Slice) -> set[str]:
        differing: set[str] = set()
        for start in range(0, len(found.rows), PLANS_PER_TURN):
            differing |= found.part(start, start + PLANS_PER_TURN).differing()
            await asyncio.sleep(0)
        return differing

    async def stop(self) -> None:
        """End the process, if there is one."""
        beside, self._beside = self._beside, None
        if beside is not None:
            await beside.stop()


@asynccontextmanager
async def comparer(cash_outs: int) -> AsyncIterator[Comparer]:
    """For a run of so many cash-outs."""
    found = Comparer()
    if cash_outs >= PROCESS_FROM:
        try:
            found = Comparer(await CompareProcess.start())
        except CompareFailed as exc:
            logger.warning(f"event=reconciliation_compared_here why={exc}")
    try:
        yield found
    finally:
        await found.stop()
