"""Corrections in a reconciliation: their movements in the wallets, their rows, what clients owe.

There are few of them, so that each run looks at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..database import BooksConnection, Row, glance
from ..domain.tie_moves import compare_wallets
from ..domain.verdicts import Difference, Link
from . import reconcile_sides
from .findings import Found
from .promise import Question
from .promises_corrections import CLAIMS, CORRECTIONS_MOVE
from .reconcile_run import Run, unresolved_of

LEGS_PER_SLICE = 500
SHOWN_MAX = 100  # of one question; the first ones tell what happened
LEGS = (
    "SELECT l.*, c.client_id, c.cash_out_id FROM satoshimachine.correction_legs l"
    " LEFT JOIN satoshimachine.corrections c ON c.id = l.correction_id"
    " WHERE l.leg_key > :after ORDER BY l.leg_key LIMIT :most"
)
# What the wallets say is asked of the movements themselves.
QUESTIONS: tuple[tuple[str, Question], ...] = (
    *(("correction_differs", one) for one in CORRECTIONS_MOVE if "wallet" not in one.says),
    *(("claim_differs", one) for one in CLAIMS.questions),
)


async def corrections(run: Run) -> None:
    """Each correction's movement on both ends, then each correction and claim by itself."""
    await _movements(run)
    await _questions(run)


async def _movements(run: Run) -> None:
    open_ones = await unresolved_of("correction_leg")
    after = ""
    while True:
        legs, rows = await glance(partial(_slice, after=after))
        if not legs:
            return
        found = [
            _moved(leg, different)
            for leg in legs
            if (different := compare_wallets([leg], _of(leg, rows)))
        ]
        names = [str(leg["leg_key"]) for leg in legs]
        here = [open_ones[name] for name in names if name in open_ones]
        run.looked_at["correction_legs"] += len(legs)
        await run.found(found, look_again=here)
        after = names[-1]
        await run.step()


async def _slice(conn: BooksConnection, after: str) -> tuple[list[Row], list[Row]]:
    legs = await conn.rows(LEGS, {"after": after, "most": LEGS_PER_SLICE})
    return legs, await reconcile_sides.wallet_rows_of(conn, legs)


def _of(leg: Row, rows: Sequence[Row]) -> list[Row]:
    ids = (leg["checking_id_in"], leg["checking_id_out"])
    return [
        row
        for row in rows
        if row["checking_id"] in ids or row["payment_hash"] == leg["payment_hash"]
    ]


def _moved(leg: Row, different: Sequence[Difference]) -> Found:
    first = different[0]
    return Found(
        first.code,
        first.link,
        "correction_leg",
        str(leg["leg_key"]),
        f"{first.what}: {first.expected}",
        f"{first.what}: {first.actual}",
        first.sats,
        leg["cash_out_id"],
        leg["client_id"],
        first.wallet_id,
        evidence=tuple(different),
    )


async def _questions(run: Run) -> None:
    for code, question in QUESTIONS:
        kind = f"{code.removesuffix('_differs')}"
        open_ones = await unresolved_of(kind)
        rows = await glance(partial(_ask, question=question))
        found = [
            Found(code, Link.BALANCES, kind, f"{row['subject']} {question.says}", "", question.says)
            for row in rows
        ]
        mine = [found_id for subject, found_id in open_ones.items() if question.says in subject]
        await run.found(found, look_again=mine)


async def _ask(conn: BooksConnection, question: Question) -> list[Row]:
    values: dict[str, Any] = dict(question.values)
    return await conn.rows(f"{question.sql} LIMIT {SHOWN_MAX}", values)
