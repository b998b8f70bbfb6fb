"""The tie-out of cash-outs, slice by slice of the local table in the order of its key (LIQ-2).

A slice is compared by set: Python reads rows, plans and shares; the databases name the cash-outs
whose ledger, movements or wallets do not fit. Whatever seems to differ is then read again, all of
it at one moment under the settlement's lock, and only that says `mismatch`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from ..adapters.settlement import Rollback, settlement
from ..adapters.wallet_rows import leg_ids
from ..database import BooksConnection, Row, own
from ..database_beside import glances
from ..domain.eligibility import SourceRow
from ..domain.states import OPEN_STATES
from ..domain.tie_out import Sides, compare_source, differences
from ..domain.tie_slice import Slice
from ..domain.verdicts import Difference, Link, Verdict
from ..errors import SatMachineError
from .findings import Found, of_cash_out
from .reconcile_compare import Comparer
from .reconcile_questions import ALL_AT_ONCE, ALL_VALUES, QUESTIONS
from .reconcile_run import Item, Run
from .reconcile_sides import read_sides
from .reconcile_source import SourceSide

CLOSE_LOOKS = 40  # cash-outs read whole under the lock at once: some milliseconds
OPEN = {state.value for state in OPEN_STATES}
SHARES = (
    "SELECT cash_out_id, client_id, amount_sats, fiat_minor, currency, transaction_type, leg_key,"
    " lamassu_transaction_id, amount_fiat, exchange_rate, status, wallet_id, payment_hash,"
    " withheld_sats FROM satoshimachine.dca_payments"
    " WHERE cash_out_id IN ({marks}) AND origin = 'observed'"
)

Read = tuple[Sequence[Row], Mapping[str, Sequence[Row]]]  # cash-outs, and their shares by id


async def read_slice(ids: Sequence[str], source: SourceSide) -> Slice:
    """These cash-outs with their shares and Lamassu's rows, each read at a moment of its own."""
    rows, shares = await own(_reading(ids))
    return Slice(rows, shares, await _source_rows(rows, source))


async def tie_out(
    run: Run, part: Slice, source: SourceSide, compare: Comparer, following: Sequence[str] = ()
) -> Slice:
    """Compare a slice and store what is not a match; the slice of `following` is read meanwhile."""
    comparing = asyncio.ensure_future(compare.differing(part))
    try:
        asked, ahead = await _asked_and_read([str(row["id"]) for row in part.rows], following)
        following_part = Slice(*ahead, await _source_rows(ahead[0], source))
        suspects = sorted(asked | await comparing)
    finally:
        comparing.cancel()
    await _judge(run, part, suspects, source)
    return following_part


async def _judge(run: Run, part: Slice, suspects: Sequence[str], source: SourceSide) -> None:
    """Look closely at what seems to differ, count every cash-out, store what is not a match."""
    rows, theirs = part.rows, part.source
    seen, unread = await _look_closely(run, suspects, theirs, source)
    found, others = [], []
    differing: dict[str, list[Difference]] = {}
    for row in rows:
        cash_out_id = str(row["id"])
        differing[cash_out_id] = _lasting(row, seen.get(cash_out_id, []), source)
        verdict = _verdict(row, differing[cash_out_id], cash_out_id in unread or theirs is None)
        if verdict is Verdict.MISMATCH:
            found.append(of_cash_out(cash_out_id, differing[cash_out_id]))
            continue
        run.count(verdict)
        if cash_out_id in unread:
            others.append(_unread(cash_out_id, unread[cash_out_id]))
        elif verdict is Verdict.IN_FLIGHT:
            state = str(row["status"])
            others.append(Item(verdict, "cash_out", cash_out_id, cash_out_id, actual=state))
    run.done += len(rows)
    run.looked_at["cash_outs"] += len(rows)
    looked = [one for one in differing if one not in unread]
    await _store(run, found, others, differing, looked, theirs is not None)


def _unread(cash_out_id: str, error: SatMachineError) -> Item:
    """An item that could not be looked at. A source that cannot be reached is one line of the run,
    not one for each cash-out.
    """
    return Item(
        Verdict.ERROR,
        "cash_out",
        cash_out_id,
        cash_out_id,
        code=error.code,
        actual=error.message,
    )


def _reading(ids: Sequence[str]) -> Callable[[BooksConnection], Awaitable[Read]]:
    async def read(conn: BooksConnection) -> Read:
        rows = await conn.rows_in(
            "SELECT * FROM satoshimachine.lamassu_transactions"
            " WHERE id IN ({marks}) AND origin = 'observed'",
            ids,
        )
        shares: dict[str, list[Row]] = defaultdict(list)
        for share in await conn.rows_in(SHARES, ids):
            shares[share["cash_out_id"]].append(share)
        return sorted(rows, key=lambda row: str(row["id"])), shares

    return read


async def _source_rows(rows: Sequence[Row], source: SourceSide) -> dict[str, SourceRow] | None:
    if not rows:
        return None
    return await source.rows([str(row["lamassu_transaction_id"]) for row in rows])


async def _asked_and_read(ids: Sequence[str], following: Sequence[str]) -> tuple[set[str], Read]:
    """What the questions name among `ids`, and the slice after them, read beside each other."""
    works: list[Callable[[BooksConnection], Awaitable[Any]]] = [_asking(ids), _reading(following)]
    asked, ahead = await glances(works)
    return asked, ahead


def _asking(ids: Sequence[str]) -> Callable[[BooksConnection], Awaitable[set[str]]]:
    async def ask(conn: BooksConnection) -> set[str]:
        found: set[str] = set()
        maybe: dict[str, list[str]] = defaultdict(list)
        for row in await conn.rows_in(ALL_AT_ONCE, ids, ALL_VALUES):
            one, subject = QUESTIONS[row["question"]], str(row["subject"])
            if one.before is None:
                found.add(subject)
            else:
                maybe[one.query].append(subject)
        for query, subjects in maybe.items():
            found |= {str(row["subject"]) for row in await conn.rows_in(query, subjects)}
        return found

    return ask


async def _look_closely(
    run: Run,
    suspects: Sequence[str],
    theirs: Mapping[str, SourceRow] | None,
    source: SourceSide,
) -> tuple[dict[str, list[Difference]], dict[str, SatMachineError]]:
    """(differences by cash-out, those that could not be read) with all sides of one moment."""
    seen: dict[str, list[Difference]] = {}
    unread: dict[str, SatMachineError] = {}
    for start in range(0, len(suspects), CLOSE_LOOKS):
        part = suspects[start : start + CLOSE_LOOKS]
        try:
            sides = await sides_of(part, theirs)
            again = [sides[x] for x in part if x in sides and _is_source(sides[x])]
            if again and source.problem is None:
                # A poll may have stored the change between the two reads: Lamassu first, then us.
                fresh = await source.rows([_lamassu_id(one) for one in again])
                if fresh is not None:
                    sides |= await sides_of([str(one.cash_out["id"]) for one in again], fresh)
        except SatMachineError as exc:
            unread |= dict.fromkeys(part, exc)
            continue
        for cash_out_id, one in sides.items():
            seen[cash_out_id] = differences(one)
            run.explained |= explained_rows(seen[cash_out_id])
    return seen, unread


def _lamassu_id(sides: Sides) -> str:
    return str(sides.cash_out["lamassu_transaction_id"])


def _is_source(sides: Sides) -> bool:
    return sides.source is not None and bool(compare_source(sides.cash_out, sides.source))


async def sides_of(ids: Sequence[str], theirs: Mapping[str, SourceRow] | None) -> dict[str, Sides]:
    """All our sides of one moment. Raises DatabaseBusy or NotReady when that cannot be had."""

    async def work(conn: BooksConnection) -> dict[str, Sides]:
        raise Rollback(await read_sides(conn, ids, theirs))

    return await settlement(work)


def explained_rows(differing: Sequence[Difference]) -> set[str]:
    """Checking ids that a finding is about already: of a movement whose record is gone, and of rows
    that lie in another wallet than they should.
    """
    found = {one.what for one in differing if one.code.startswith("wallet_row_")}
    for one in differing:
        if one.code == "leg_missing":
            ids = leg_ids(one.what, b"")  # the checking ids need no secret
            found |= {ids.checking_id_in, ids.checking_id_out}
    return found


def _lasting(row: Row, differing: Sequence[Difference], source: SourceSide) -> list[Difference]:
    """Without a change at the source that the next poll is going to see."""
    if row["status"] in OPEN and source.next_poll_reads(row["created_us"]):
        return [one for one in differing if one.link is not Link.SOURCE]
    return list(differing)


def _verdict(row: Row, differing: Sequence[Difference], unread: bool) -> Verdict:
    if differing:
        return Verdict.MISMATCH
    if unread:
        return Verdict.ERROR
    over = row["status"] in ("completed", "skipped")
    return Verdict.MATCH if over else Verdict.IN_FLIGHT


async def _store(
    run: Run,
    found: Sequence[Found],
    others: Sequence[Item],
    differing: Mapping[str, Sequence[Difference]],
    looked: Collection[str],
    source_read: bool,
) -> None:
    """What the slice found; findings of before that are gone now are resolved."""
    known = await own(lambda conn: _unresolved(conn, sorted(looked)))
    again = [row for row in known if source_read or row["link"] != Link.SOURCE.value]
    there = [
        str(row["id"])
        for row in again
        if any(one.link.value == row["link"] for one in differing[str(row["cash_out_id"])])
    ]
    await run.found(found, others, look_again=[str(row["id"]) for row in again], still_there=there)


async def _unresolved(conn: BooksConnection, ids: Sequence[str]) -> list[Row]:
    return await conn.rows_in(
        "SELECT id, link, cash_out_id FROM satoshimachine.findings"
        " WHERE cash_out_id IN ({marks}) AND subject_kind = 'cash_out'"
        " AND status IN ('open', 'acknowledged')",
        ids,
    )
