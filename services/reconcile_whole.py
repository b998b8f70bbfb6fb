"""What belongs to no single cash-out: the ledger's chain, balances, deposits, the audit trail.

Full: everything, in slices. Otherwise what was written since the last good run, and whatever an
unresolved finding is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import crud
from ..adapters.ledger import SAT
from ..database import BooksConnection, Row, glance
from ..database_beside import AT_ONCE, glances
from ..domain.earlier import DECIDED_BY
from ..domain.money import whole_from_minor
from ..domain.verdicts import Link, Verdict
from ..errors import SatMachineError
from . import audit_chain
from . import reconcile_questions as ask
from .findings import Found
from .reconcile_run import Item, Run, unresolved_of

ENTRIES_PER_SLICE = 5_000
ACCOUNTS_PER_SLICE = 500


async def _rows(query: str, **values: Any) -> list[Row]:
    return await glance(lambda conn: conn.rows(query, values))


async def ledger(run: Run, after: int, upto: int) -> None:
    """Each entry begins where the one before it of its account ended, and none is missing."""
    await run.begin("ledger", upto - after)
    open_ones = await unresolved_of("entry")
    position = int(run.cursor.get("after", after))
    while position < upto:
        end = min(position + AT_ONCE * ENTRIES_PER_SLICE, upto)
        begins = range(position, end, ENTRIES_PER_SLICE)
        looks = [partial(_entries, after=x, upto=min(x + ENTRIES_PER_SLICE, end)) for x in begins]
        found = [one for part in await glances(looks) for one in part]
        run.done += end - position
        run.looked_at["entries"] += end - position
        here = {k: v for k, v in open_ones.items() if position < int(k) <= end}
        await run.found(found, look_again=list(here.values()))
        position = end
        await run.step(after=position)
    await _nowhere_again(run)
    earlier = {int(k): v for k, v in open_ones.items() if int(k) <= after}
    for seq, finding_id in sorted(earlier.items()):
        seen = await glance(partial(_entries, after=seq - 1, upto=seq))
        found = [one for one in seen if one.subject_id == str(seq)]
        await run.found(found, look_again=[finding_id])


async def _entries(conn: BooksConnection, after: int, upto: int) -> list[Found]:
    here = {"after": after, "upto": upto}
    found = [
        Found(
            "chain_broken",
            Link.BALANCES,
            "entry",
            str(row["seq"]),
            f"{row['came_from']} before it, and {row['amount']} more after it",
            f"{row['balance_before']} before it, {row['balance_after']} after it",
            _difference(row["unit"], row["balance_after"], row["came_from"] + row["amount"]),
            client_id=row["client_id"],
            unit=row["unit"],
        )
        for row in await conn.rows(ask.CHAIN_BROKEN, here)
    ]
    count = (await conn.rows(ask.CHAIN_COUNT, here))[0]["n"]
    if count != upto - after:
        found.append(
            Found(
                "ledger_gap",
                Link.BALANCES,
                "entry",
                str(await _first_gap(conn, after, upto)),
                f"{upto - after} entries up to number {upto}",
                f"{count} entries",
            )
        )
    for row in await conn.rows(ask.ENTRIES_NOWHERE, here):
        found.append(
            Found(
                "entries_nowhere",
                Link.LEDGER,
                "entries",
                str(row["cash_out_id"]),
                "no entry without its cash-out",
                f"{row['entries']} entries of a sale of {row['sats']} sats",
                int(row["sats"]),
            )
        )
    for row in await conn.rows(ask.ENTRIES_ALONE, here):
        found.append(_balance(row["account"], row["unit"], None, "entries without a balance"))
    for row in await conn.rows(ask.DEPOSIT_ENTRIES, here):
        found.append(
            Found(
                "deposit_differs",
                Link.DEPOSITS,
                "deposit",
                str(row["reference"]),
                "a confirmed deposit like its ledger entry",
                f"none like the entry of {row['amount']} {row['unit']}",
                client_id=row["client_id"],
                unit=row["unit"],
            )
        )
    return found


async def _nowhere_again(run: Run) -> None:
    """Entries of cash-outs that were not there at an earlier run."""
    open_ones = await unresolved_of("entries")
    if open_ones:
        ids = list(open_ones)
        rows = await glance(lambda conn: conn.rows_in(ask.ENTRIES_NOWHERE_OF, ids))
        there = {open_ones[str(row["cash_out_id"])] for row in rows}
        await run.found([], look_again=list(open_ones.values()), still_there=there)


async def _first_gap(conn: BooksConnection, after: int, upto: int) -> int:
    """The first number that is missing, by halves."""
    while upto - after > 1:
        middle = (after + upto) // 2
        count = (await conn.rows(ask.CHAIN_COUNT, {"after": after, "upto": middle}))[0]["n"]
        after, upto = (after, middle) if count != middle - after else (middle, upto)
    return upto


def _difference(unit: str, actual: int, expected: int) -> int | None:
    return int(actual) - int(expected) if unit == SAT else None


def _balance(account: str, unit: str, entries: int | None, actual: Any) -> Found:
    sats = None
    if unit == SAT and entries is not None and isinstance(actual, int):
        sats = actual - entries
    shown = "0" if entries is None else str(entries)
    return Found(
        "balance_differs",
        Link.BALANCES,
        "account",
        f"{account} {unit}",
        f"{shown} {unit} by its entries",
        f"{actual} {unit}" if isinstance(actual, int) else str(actual),
        sats,
        client_id=account.partition(":")[2] or None,
        unit=unit,
    )


async def balances(run: Run, client_id: str | None = None) -> None:
    """Every stored balance is what its entries make it. Asked anew in each run: few rows."""
    await run.begin("balances")
    open_ones = await unresolved_of("account")
    after = str(run.cursor.get("after", ""))
    while page := await _rows(ask.BALANCES, after=after, most=ACCOUNTS_PER_SLICE):
        if len(page) == ACCOUNTS_PER_SLICE:
            # An account with several currencies must not be cut in two.
            page = [row for row in page if row["account"] != page[-1]["account"]] or page
        mine = [r for r in page if client_id is None or r["account"].endswith(f":{client_id}")]
        found = [
            _balance(row["account"], row["unit"], row["entries"] or 0, int(row["balance"]))
            for row in mine
            if row["balance"] != (row["entries"] or 0) or row["last_seq"] != row["entries_seq"]
        ]
        names = [f"{row['account']} {row['unit']}" for row in mine]
        here = [open_ones[name] for name in names if name in open_ones]
        run.done += len(page)
        run.looked_at["accounts"] += len(mine)
        await run.found(found, look_again=here)
        after = str(page[-1]["account"])
        await run.step(after=after)


async def deposits(run: Run) -> None:
    """Every decided deposit and its ledger entry."""
    await run.begin("deposits")
    open_ones = await unresolved_of("deposit")
    after = str(run.cursor.get("after", ""))
    while page := await _rows(ask.DEPOSIT_IDS, after=after, most=ACCOUNTS_PER_SLICE):
        ids = [str(row["id"]) for row in page]
        await _deposits(run, ids, [open_ones[x] for x in ids if x in open_ones])
        after = ids[-1]
        await run.step(after=after)


async def deposits_among(run: Run, ids: Sequence[str]) -> None:
    """The same for those decided since, and those with a finding."""
    await run.begin("deposits", len(ids))
    open_ones = await unresolved_of("deposit")
    wanted = sorted({*ids, *open_ones})
    for start in range(0, len(wanted), ACCOUNTS_PER_SLICE):
        part = wanted[start : start + ACCOUNTS_PER_SLICE]
        await _deposits(run, part, [open_ones[x] for x in part if x in open_ones])
        await run.step()


async def _deposits(run: Run, ids: Sequence[str], open_ids: Sequence[str]) -> None:
    rows = await glance(lambda conn: conn.rows_in(ask.DEPOSITS, list(ids)))
    found = []
    for row in rows:
        ours = row["decided_by"] != DECIDED_BY or row["entries"]
        wanted = 1 if row["status"] == "confirmed" and ours else 0
        entered = int(row["entered_minor"] or 0)
        amount = int(row["amount_minor"]) if wanted else 0
        shown = whole_from_minor(int(row["amount_minor"]), row["currency"])
        same = float(row["amount"]) == float(shown)
        if (int(row["entries"]), entered) != (wanted, amount) or not same:
            found.append(
                Found(
                    "deposit_differs",
                    Link.DEPOSITS,
                    "deposit",
                    str(row["id"]),
                    f"{row['status']}, {amount} {row['currency']} in the ledger",
                    f"{entered} {row['currency']} in {row['entries']} entries,"
                    f" shown as {row['amount']}",
                    client_id=row["client_id"],
                    unit=row["currency"],
                )
            )
    run.done += len(ids)
    run.looked_at["deposits"] += len(ids)
    await run.found(found, look_again=open_ids)


async def audit(run: Run) -> None:
    """The audit trail, hash by hash from its first entry."""
    await run.begin("audit")
    open_ones = await unresolved_of("audit")
    report = await audit_chain.verify()
    run.looked_at["audit_entries"] += report.entries
    found = []
    if not report.ok:
        found.append(
            Found(
                "audit_chain",
                Link.AUDIT,
                "audit",
                str(report.bad_seq),
                "every entry as it was written",
                f"entry {report.bad_seq}: {report.why}",
            )
        )
    await run.found(found, look_again=list(open_ones.values()))


async def last_entry(conn: BooksConnection | None = None) -> int:
    """The number of the ledger's last entry."""
    row = await crud.fetch_row(
        "SELECT COALESCE(MAX(seq), 0) AS seq FROM satoshimachine.ledger_entries", None, conn
    )
    return int(row["seq"]) if row else 0


def side_error(name: str, error: SatMachineError) -> Item:
    """A whole side that could not be looked at."""
    return Item(Verdict.ERROR, "side", name, link=name, code=error.code, actual=error.message)
