"""Reads that run beside each other, each on a connection and a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from lnbits.core.db import db as core_db
from lnbits.db import SQLITE

from .database import BooksConnection, T, connection, db, glance, patiently
from .uncancelled import uncancelled

# A database looks through its rows without Python, so two of them keep the two cores busy that a
# small machine has; a third one would only take time from LNbits.
AT_ONCE = 2


async def glances(works: Sequence[Callable[[BooksConnection], Awaitable[T]]]) -> list[T]:
    """What `glance` does, at once, and the results in the order of the works; at most AT_ONCE.

    All of them end before an error of one is raised: a connection is not closed while it works.
    """
    if core_db.type != SQLITE:
        return _values(await asyncio.gather(*map(glance, works), return_exceptions=True))

    async def run() -> list[T]:
        async with db.lock, AsyncExitStack() as stack:
            conns = [await stack.enter_async_context(connection()) for _ in works]
            reading = [work(conn) for work, conn in zip(works, conns, strict=True)]
            return _values(await asyncio.gather(*reading, return_exceptions=True))

    return await uncancelled(patiently(run))


def _values(found: Sequence[T | BaseException]) -> list[T]:
    values: list[T] = []
    for one in found:
        if isinstance(one, BaseException):
            raise one
        values.append(one)
    return values
