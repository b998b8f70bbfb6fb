"""Empty books between tests, on both databases.

The ledger, the legs and the audit log are append-only by trigger. PostgreSQL's row triggers do not
see TRUNCATE; SQLite's are taken away for the moment and put back from their own text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

SCHEMA = "satoshimachine"

# What the start of the extension stored; a test begins as after a fresh start.
_meta_after_start: list[dict[str, Any]] = []


async def remember_start() -> None:
    """Note what the extension's own start-up has stored."""
    from satmachineadmin.crud import db

    rows = await db.fetchall(f"SELECT name, value FROM {SCHEMA}.meta")
    _meta_after_start[:] = [dict(row) for row in rows]


async def clear_books() -> None:
    """Empty our tables and LNbits' payments; accounts and wallets stay, with a balance of 0."""
    from lnbits.core.db import db as core_db
    from lnbits.db import SQLITE
    from satmachineadmin.crud import db

    await core_db.execute("DELETE FROM apipayments")
    if db.type == SQLITE:
        async with db.lock:
            _empty_sqlite(db.path)
    else:
        found = await db.fetchall(
            "SELECT table_name FROM information_schema.tables"
            f" WHERE table_schema = '{SCHEMA}' AND table_type = 'BASE TABLE'"
        )
        names = ", ".join(f"{SCHEMA}.{row['table_name']}" for row in found)
        await db.execute(f"TRUNCATE {names}")
    for row in _meta_after_start:
        await db.execute(f"INSERT INTO {SCHEMA}.meta (name, value) VALUES (:name, :value)", row)


@asynccontextmanager
async def without_triggers() -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Run statements as somebody would who may take our triggers away."""
    from lnbits.db import SQLITE
    from satmachineadmin.crud import db

    if db.type != SQLITE:
        names = [
            row["table_name"]
            for row in await db.fetchall(
                "SELECT DISTINCT event_object_table AS table_name FROM information_schema.triggers"
                f" WHERE trigger_schema = '{SCHEMA}'"
            )
        ]
        for name in names:
            await db.execute(f"ALTER TABLE {SCHEMA}.{name} DISABLE TRIGGER ALL")

        async def run(statement: str) -> None:
            await db.execute(statement)

        yield run
        for name in names:
            await db.execute(f"ALTER TABLE {SCHEMA}.{name} ENABLE TRIGGER ALL")
        return
    async with db.lock:
        with closing(sqlite3.connect(db.path, isolation_level=None, timeout=10)) as raw:
            triggers = raw.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall()
            for name, _ in triggers:
                raw.execute(f'DROP TRIGGER "{name}"')

            async def run_here(statement: str) -> None:
                raw.execute(statement.replace(f"{SCHEMA}.", ""))

            yield run_here
            for _, sql in triggers:
                raw.execute(sql)


def _empty_sqlite(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        triggers = raw.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            raw.execute(f'DROP TRIGGER "{name}"')
        tables = raw.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        for (name,) in tables:
            raw.execute(f'DELETE FROM "{name}"')
        for _, sql in triggers:
            raw.execute(sql)
        raw.execute("COMMIT")
