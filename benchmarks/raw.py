"""The limit: the rows that settlements wrote, written again without any of our code.

The settlements are taken out of the database, row by row as they stand there, and put back by
`executemany` on a bare connection: once with one transaction per cash-out, as the product must,
and once with a single transaction over all of them. Afterwards the database is as it was.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .plain import Plain, plain
from .world import World

# What a settlement changes in the cash-out's own row.
CHANGED = (
    *("status", "hold_code", "error_message", "split_rule", "effective_commission"),
    *("funding_mode", "source_wallet_id", "commission_wallet_id", "commission_status"),
    *("commission_message", "total_sats", "base_sats", "commission_sats", "drawn_minor"),
    *("confirmed_sats", "failed_sats", "operator_remainder_sats", "clients_count"),
    *("plan_hash", "plan_json", "processed_us"),
)
INSERTED = {
    "apipayments": "checking_id IN (SELECT checking_id_in FROM satoshimachine.settlement_legs"
    " WHERE cash_out_id = {0} UNION ALL SELECT checking_id_out"
    " FROM satoshimachine.settlement_legs WHERE cash_out_id = {0})",
    "satoshimachine.settlement_legs": "cash_out_id = {0}",
    "satoshimachine.dca_payments": "cash_out_id = {0}",
    "satoshimachine.ledger_entries": "cash_out_id = {0}",
    "satoshimachine.audit_log": "subject = {0} AND action = 'cash_out_settled'",
}


@dataclass
class Written:
    """What one settlement wrote."""

    cash_out_id: str
    inserted: dict[str, tuple[list[str], list[Sequence[Any]]]]
    cash_out: Sequence[Any]
    balances: list[tuple[int, int, str, str]]  # after, last_seq, account, unit
    balances_before: list[tuple[int, int, str, str]]

    @property
    def rows(self) -> int:
        return sum(len(rows) for _, rows in self.inserted.values()) + len(self.balances) + 1


async def read_written(db: Plain, cash_out_id: str) -> Written:
    """Read back everything a settlement wrote."""
    (mark,) = db.marks(1)
    inserted = {}
    for table, where in INSERTED.items():
        query = f"SELECT * FROM {table} WHERE {where.format(mark)}"
        # SQLite's plain marks are bound one by one.
        args = [cash_out_id] * (query.count("?") or 1)
        inserted[table] = await db.select(query, *args)
    _, (cash_out, *_) = await db.select(
        f"SELECT {', '.join(CHANGED)} FROM satoshimachine.lamassu_transactions WHERE id = {mark}",
        cash_out_id,
    )
    columns, entries = inserted["satoshimachine.ledger_entries"]
    after: dict[tuple[str, str], tuple[int, int]] = {}
    before: dict[tuple[str, str], int] = {}
    for entry in sorted(entries, key=lambda row: int(row[columns.index("seq")])):
        named = dict(zip(columns, entry, strict=True))
        key = (named["account"], named["unit"])
        before.setdefault(key, named["balance_before"])
        after[key] = (named["balance_after"], named["seq"])
    return Written(
        cash_out_id,
        inserted,
        cash_out,
        [(*after[key], *key) for key in after],
        [(before[key], 0, *key) for key in before],
    )


async def take_out(db: Plain, all_written: Sequence[Written]) -> None:
    """Undo these settlements, the newest first."""
    await db.unguard()
    await db.begin()
    for one in reversed(all_written):
        for table, (columns, rows) in one.inserted.items():
            key = "seq" if "seq" in columns else columns[0]
            if table == "apipayments":
                key = "checking_id"
            (mark,) = db.marks(1)
            keys = [(row[columns.index(key)],) for row in rows]
            await db.many(f"DELETE FROM {table} WHERE {key} = {mark}", keys)
        await _balances(db, one.balances_before)
        await db.many(
            "UPDATE satoshimachine.lamassu_transactions SET status = 'pending', total_sats = NULL,"
            f" plan_json = NULL, processed_us = NULL WHERE id = {db.marks(1)[0]}",
            [(one.cash_out_id,)],
        )
    await db.commit()
    await db.guard()


async def put_back(db: Plain, all_written: Sequence[Written], *, one_transaction: bool) -> float:
    """Write them again; returns seconds."""
    started = time.perf_counter()
    if one_transaction:
        await db.begin()
    for one in all_written:
        if not one_transaction:
            await db.begin()
        for table, (columns, rows) in one.inserted.items():
            await db.insert(table, columns, rows)
        await _balances(db, one.balances)
        await db.update(
            "satoshimachine.lamassu_transactions",
            CHANGED,
            ["id"],
            [(*one.cash_out, one.cash_out_id)],
        )
        if not one_transaction:
            await db.commit()
    if one_transaction:
        await db.commit()
    return time.perf_counter() - started


async def _balances(db: Plain, rows: Sequence[Sequence[Any]]) -> None:
    await db.update(
        "satoshimachine.ledger_balances", ["balance", "last_seq"], ["account", "unit"], rows
    )


async def raw_limit(world: World, cash_outs: Sequence[str]) -> dict[str, float]:
    """Seconds for these settled cash-outs: one transaction each, and all in one."""
    async with plain(world) as db:
        written = [await read_written(db, cash_out) for cash_out in cash_outs]
        await take_out(db, written)
        await _warm(db)
        each = await put_back(db, written, one_transaction=False)
        await take_out(db, written)
        all_at_once = await put_back(db, written, one_transaction=True)
    return {"each": each, "all": all_at_once, "rows": float(sum(one.rows for one in written))}


async def _warm(db: Plain) -> None:
    """Let the first timed statement not be the first of this connection."""
    await db.select("SELECT COUNT(*) FROM satoshimachine.ledger_balances")
