"""What is stored, in words that two runs of the same story share.

Moments, and names that are drawn at random, are replaced by whether they are there; everything else
is compared as it is: every wallet row, every ledger entry with its number, every plan's hash.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import asyncpg
from lnbits.core.db import db as core_db
from lnbits.settings import settings
from satmachineadmin.crud import db

from .world_of_crashes import journals, marked

# Drawn anew in each run, or a moment of the run: only whether there is one counts.
DRAWN = {
    "lamassu_transactions": {"id", "clock_difference_us", "observed_us", "processed_us"}
    | {"announced_us", "changed_us"},
    "dca_payments": {"id", "payment_hash", "created_at", "updated_us"},
    "settlement_legs": {"payment_hash", "checking_id_in", "checking_id_out", "moved_us"},
    "ledger_entries": {"created_us"},
    # What came first in the log is not promised, nor are the hashes that say so.
    "audit_log": {"at_us", "seq", "prev_hash", "entry_hash"},
    "alerts": {"id", "first_us", "last_us", "resolved_us"},
    "polls": {"id", "started_us", "finished_us"},
    "leases": {"holder", "expires_us"},
    "meta": {"value"},
}
PAYMENT = ("wallet_id", "amount", "fee", "status", "memo", "tag", "extension", "external_id")

State = dict[str, list[str]]
Tables = dict[str, list[dict[str, Any]]]


async def stored() -> State:
    """Everything of ours, LNbits' payments, and what lies beside SQLite's files."""
    # Looked at first: opening the files rolls back what was half done.
    beside = [*journals(), f"marker: {marked()}"]  # the marker last, see final()
    tables = await (_from_database() if core_db.type != "SQLITE" else _from_files())
    sales = {row["id"]: row["lamassu_transaction_id"] for row in tables["lamassu_transactions"]}
    found: State = {"beside the databases": beside}
    for name, rows in tables.items():
        drawn = DRAWN.get(name, set())
        lines = [_text({k: _shown(k, v, drawn) for k, v in row.items()}) for row in rows]
        for ours, theirs in sales.items():  # our own id of a sale is drawn; the machine's is not
            lines = [line.replace(ours, theirs) for line in lines]
        found[name] = sorted(lines)
    return found


async def _from_files() -> Tables:
    """Straight from the files, past the product and LNbits."""
    with closing(sqlite3.connect(core_db.path, timeout=10)) as raw:
        raw.row_factory = sqlite3.Row
        raw.execute("ATTACH ? AS satoshimachine", (db.path,))
        names = raw.execute(
            "SELECT name FROM satoshimachine.sqlite_master WHERE type = 'table'"
            " AND name NOT LIKE 'sqlite_%' ORDER BY name"
        ).fetchall()
        queries = _queries(row["name"] for row in names)
        return {name: [dict(row) for row in raw.execute(query)] for name, query in queries.items()}


async def _from_database() -> Tables:
    """By a connection of its own."""
    raw = await asyncpg.connect(settings.lnbits_database_url)
    try:
        names = await raw.fetch(
            "SELECT table_name AS name FROM information_schema.tables"
            " WHERE table_schema = 'satoshimachine' AND table_type = 'BASE TABLE' ORDER BY 1"
        )
        queries = _queries(row["name"] for row in names)
        return {
            name: [dict(row) for row in await raw.fetch(query)] for name, query in queries.items()
        }
    finally:
        await raw.close()


def _queries(names: Iterable[str]) -> dict[str, str]:
    queries = {name: f"SELECT * FROM satoshimachine.{name}" for name in names}
    return {**queries, "apipayments": f"SELECT {', '.join(PAYMENT)} FROM apipayments"}


def final(state: State) -> State:
    """What must be the same however often it was interrupted: all but how many polls it took,
    alerts that came and went, and our marker, which may stay behind until the next entry.
    """
    kept = {name: lines for name, lines in state.items() if name != "polls"}
    kept["beside the databases"] = state["beside the databases"][:-1]
    kept["alerts"] = [
        _text({"key": alert["dedupe_key"], "kind": alert["kind"], "severity": alert["severity"]})
        for alert in map(json.loads, state["alerts"])
        if not alert["resolved_us"]
    ]
    kept["polls still running"] = [poll for poll in state["polls"] if '"running"' in poll]
    return kept


def difference(found: State, expected: State) -> str | None:
    """The first table that differs, and in what; None when nothing does."""
    for name in sorted({*found, *expected}):
        here, there = found.get(name, []), expected.get(name, [])
        if here != there:
            more = [line for line in here if line not in there][:1]
            less = [line for line in there if line not in here][:1]
            return f"{name}: {len(here)} rows, expected {len(there)}; found {more}, missed {less}"
    return None


def _shown(column: str, value: Any, drawn: set[str]) -> Any:
    return value is not None if column in drawn else value


def _text(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, default=str)
