"""Asking whether every promise holds.

One function, asked by the tests after every step, by the demo, and by whoever wants to know at
night whether the books are right. Nothing is changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..adapters.settlement import Rollback, settlement
from ..database import BooksConnection, Row
from .promises import INVARIANTS, SAME_INPUT_SAME_PLAN, SETTLED, T

# The first ones tell what is wrong; all of them would only repeat it.
SHOWN_PER_QUESTION = 20
PLANS_PER_SLICE = 500


@dataclass(frozen=True)
class Broken:
    """One thing that breaks a promise."""

    code: str
    name: str
    says: str
    subject: str

    def __str__(self) -> str:
        return f"{self.code} {self.name}: {self.says} ({self.subject})"


async def broken_promises() -> list[Broken]:
    """What breaks a promise, all asked of one moment of both databases; [] when all hold.

    Raises DatabaseBusy when another writer stays in the way.
    """

    async def work(conn: BooksConnection) -> list[Broken]:
        raise Rollback(await ask(conn))

    return await settlement(work)


async def ask(conn: BooksConnection) -> list[Broken]:
    """The same inside a transaction that somebody else began."""
    found = [
        Broken(one.code, one.name, question.says, str(row["subject"]))
        for one in INVARIANTS
        for question in one.questions
        for row in await conn.rows(f"{question.sql} LIMIT {SHOWN_PER_QUESTION}", question.values)
    ]
    return found + await _wrong_hashes(conn)


async def _wrong_hashes(conn: BooksConnection) -> list[Broken]:
    """I12 cannot be asked in SQL: the hash of what was stored must be the stored hash."""
    wrong: list[str] = []
    after = ""
    while plans := await _plans(conn, after):
        wrong += [
            str(row["id"])
            for row in plans
            if hashlib.sha256((row["plan_json"] or "").encode()).hexdigest() != row["plan_hash"]
        ]
        after = str(plans[-1]["id"])
    one = SAME_INPUT_SAME_PLAN
    says = "the stored plan has another hash"
    return [Broken(one.code, one.name, says, subject) for subject in wrong[:SHOWN_PER_QUESTION]]


async def _plans(conn: BooksConnection, after: str) -> Sequence[Row]:
    return await conn.rows(
        f"SELECT t.id, t.plan_json, t.plan_hash FROM {T} WHERE {SETTLED} AND t.id > :after"
        f" ORDER BY t.id LIMIT {PLANS_PER_SLICE}",
        {"after": after},
    )
