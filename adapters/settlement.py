"""One transaction over our ledger and LNbits' wallets (design.md 4).

LNbits commits an internal payment in three steps; a stop between them leaves the payer debited and
the payee unpaid (lnbits.md 3). Here everything that moves money is written on one connection that
reaches the wallets and our tables, and committed once. This file owns that connection's life: the
locks and their order, the time-outs, and that nothing half done survives an error, a cancellation
or a kill. How the two databases are spoken to is database.py, what is written is the caller's
business.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lnbits.core.db import db as core_db
from lnbits.db import SQLITE

from ..database import BooksConnection, connection, patiently
from ..database import db as ext_db
from ..uncancelled import uncancelled

T = TypeVar("T")


class Rollback(Exception):
    """Raised by work that wants its value returned and nothing committed."""

    def __init__(self, value: Any):
        super().__init__("rolled back on purpose")
        self.value = value


async def settlement(work: Callable[[BooksConnection], Awaitable[T]]) -> T:
    """Run `work` in one transaction over ledger and wallets and commit it once.

    A cancelled caller waits the milliseconds until the transaction has ended, one way or the other,
    and is cancelled then: LNbits stopping leaves no half state and no locked database. Whether it
    was committed is for the next tick to read, never to guess.

    Another writer in the way is tried again a few times, so `work` must be repeatable: what it
    does outside this connection may happen more than once. Raises DatabaseBusy (RETRY) when the
    other one stays; nothing was changed then.
    """

    async def run() -> T:
        # This order: core takes ours first and its own inside when it migrates an extension. The
        # other way round hangs all of LNbits (lnbits.md 3).
        async with ext_db.lock, core_db.lock, connection() as conn:
            await conn.begin()
            try:
                value = await work(conn)
            except Rollback as wanted:
                await conn.rollback()
                rolled_back: T = wanted.value
                return rolled_back
            await conn.commit()  # the only commit
            for call in conn.after_commit:
                call()
            return value

    return await uncancelled(patiently(run))


@dataclass(frozen=True)
class InterruptedCommits:
    """Super-journals that a kill left beside the SQLite files, by what they mean."""

    stale: tuple[Path, ...]  # SQLite has recovered both files; the name alone is left
    moved: tuple[str, ...]  # they name journals elsewhere: the files were moved in mid-commit


def interrupted_commits() -> InterruptedCommits:
    """Look for super-journals. Call it inside a settlement, when both files have been opened.

    A kill may leave one that nothing refers to: harmless, and SQLite never removes it. But a
    rollback journal names its super-journal by full path: files that were moved before they were
    opened again lose half of a commit, and only this name tells (design.md 4).
    """
    if core_db.type != SQLITE:
        return InterruptedCommits((), ())
    files = [Path(core_db.path), Path(ext_db.path)]
    ours = {Path(f"{file}-journal").resolve() for file in files}
    stale, moved = [], []
    for file in files:
        for found in sorted(file.parent.glob(f"{file.name}-mj*")):
            # Null-separated full paths of the rollback journals that belong to one commit.
            names = [name for name in found.read_bytes().split(b"\0") if name.startswith(b"/")]
            if {Path(os.fsdecode(name)).resolve() for name in names} <= ours:
                stale.append(found)
            else:
                moved.append(found.name)
    return InterruptedCommits(tuple(stale), tuple(moved))
