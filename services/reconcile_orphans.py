"""Rows of nobody: shares and movements without their cash-out, payments without a movement.

Whole tables in slices of their keys, two slices beside each other: the longest part of a full run
that needs no arithmetic.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lnbits.core.db import db as core_db
from lnbits.db import SQLITE

from ..adapters.wallet_rows import ID_PREFIX
from ..database import BooksConnection, Row, glance, stored_time
from ..database_beside import AT_ONCE, glances
from ..domain.verdicts import Link
from . import findings
from . import reconcile_questions as ask
from .findings import Found
from .reconcile_run import Run, unresolved_of

ROWS_PER_SLICE = 2_000
ORPHANS_MAX = 10_000
# After every character that a checking id of ours can have.
AFTER_ALL = f"{ID_PREFIX}~"


async def _pages(query: str, after: str, **values: Any) -> list[tuple[str, str, int]]:
    """The next slices of a table by its key, as many as are looked at beside each other: after
    which key, up to which, and how many rows.
    """

    async def work(conn: BooksConnection) -> list[tuple[str, str, int]]:
        found = [("", after, 0)]
        for _ in range(AT_ONCE):
            begin = {"after": found[-1][1], "most": ROWS_PER_SLICE, **values}
            page = (await conn.rows(query, begin))[0]
            if not page["n"]:
                break
            found.append((begin["after"], str(page["upto"]), int(page["n"])))
        return found[1:]

    return await glance(work)


async def _among(query: str, pages: Sequence[tuple[str, str, int]]) -> list[Row]:
    """The rows of a query in each of these slices, which are looked at beside each other."""

    def looking(after: str, upto: str) -> Callable[[BooksConnection], Awaitable[list[Row]]]:
        return lambda conn: conn.rows(query, {"after": after, "upto": upto})

    found = await glances([looking(after, upto) for after, upto, _ in pages])
    return [row for rows in found for row in rows]


async def strays(run: Run) -> None:
    """Shares and movements of cash-outs that are not there."""
    for phase, ids, query, make in (
        ("shares", ask.SHARE_IDS, ask.SHARES_ALONE, _stray_share),
        ("movements", ask.LEG_KEYS, ask.LEGS_NOWHERE, _stray_leg),
    ):
        await run.begin(phase)
        open_ones = await unresolved_of("share" if phase == "shares" else "leg")
        after = str(run.cursor.get("after", ""))
        while pages := await _pages(ids, after):
            rows = await _among(query, pages)
            count = sum(n for _, _, n in pages)
            run.done += count
            run.looked_at[phase] += count
            await run.found([make(row) for row in rows])
            after = pages[-1][1]
            await run.step(after=after)
        await _resolve_seen(run, open_ones)


async def _resolve_seen(run: Run, open_ones: Mapping[str, str]) -> None:
    """Everything of a kind was looked at: what this run did not meet is gone."""
    if open_ones:
        ids = list(open_ones.values())
        there = await glance(lambda conn: findings.met_in(conn, ids, run.id))
        await run.found([], look_again=ids, still_there=there)


def _stray_share(row: Row) -> Found:
    return Found(
        "share_nowhere",
        Link.SHARES,
        "share",
        str(row["id"]),
        "no share without its cash-out",
        f"{row['amount_sats']} sats, {row['status']}, of cash-out {row['cash_out_id']}",
        int(row["amount_sats"]),
        client_id=row["client_id"],
        wallet_id=row["wallet_id"],
    )


def _stray_leg(row: Row) -> Found:
    return Found(
        "leg_nowhere",
        Link.LEGS,
        "leg",
        str(row["leg_key"]),
        "no movement without its cash-out",
        f"{row['amount_sats']} sats, of cash-out {row['cash_out_id']}",
        int(row["amount_sats"]),
        wallet_id=row["to_wallet_id"],
    )


async def wallets(run: Run, since_us: int | None) -> None:
    """Rows of ours in LNbits' wallets that no movement is behind."""
    await run.begin("wallets")
    open_ones = await unresolved_of("wallet_row")
    if since_us is None and core_db.type == SQLITE:
        await _all_orphans(run)
    else:
        query = ask.ORPHANS_ALL
        values: dict[str, Any] = {"most": ORPHANS_MAX}
        if since_us is not None:
            query = ask.ORPHANS_SINCE
            values["since"] = stored_time(since_us)
        await _orphans(run, await glance(lambda conn: conn.rows(query, values)))
    if open_ones:
        ids = sorted({subject.split(" ")[0] for subject in open_ones})
        rows = await glance(lambda conn: conn.rows_in(ask.ORPHANS_OF, ids))
        there = {open_ones[s] for row in rows if (s := _orphan_id(row)) in open_ones}
        await run.found([], look_again=list(open_ones.values()), still_there=there)


async def _all_orphans(run: Run) -> None:
    """By the index of checking ids, a slice at a time: SQLite's reader stops its writers."""
    after = str(run.cursor.get("after", ID_PREFIX))
    while pages := await _pages(ask.WALLET_ROW_IDS, after, upto=AFTER_ALL):
        await _orphans(run, await _among(ask.ORPHANS_AMONG, pages))
        count = sum(n for _, _, n in pages)
        run.done += count
        run.looked_at["wallet_rows"] += count
        after = pages[-1][1]
        await run.step(after=after)


def _orphan_id(row: Row) -> str:
    return f"{row['checking_id']} {row['wallet_id']}"


async def _orphans(run: Run, rows: Sequence[Row]) -> None:
    found = [
        Found(
            "wallet_row_unknown",
            Link.WALLETS,
            "wallet_row",
            _orphan_id(row),
            "no payment row without a movement in the ledger",
            f"{row['amount']} msat, {row['status']}",
            int(row["amount"]) // 1000,
            wallet_id=row["wallet_id"],
        )
        for row in rows
        if row["checking_id"] not in run.explained
    ]
    await run.found(found)
