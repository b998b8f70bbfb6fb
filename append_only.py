"""Tables whose rows are only ever added: triggers refuse every change and every deletion."""

from __future__ import annotations

from collections.abc import Iterable

from lnbits.db import POSTGRES, SQLITE, Connection

REFUSE_FUNCTION = """
    CREATE OR REPLACE FUNCTION satoshimachine.refuse_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'this table is append-only'; END $$
"""


async def refuse_changes(db: Connection, tables: Iterable[str]) -> None:
    """Make these tables append-only; run again, they stay so."""
    if db.type == POSTGRES:
        await db.execute(REFUSE_FUNCTION)
    for table in tables:
        for event in ("UPDATE", "DELETE"):
            name = f"{table}_no_{event.lower()}"
            if db.type == SQLITE:
                await db.execute(
                    f"CREATE TRIGGER IF NOT EXISTS satoshimachine.{name} BEFORE {event} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
            else:
                await db.execute(f"DROP TRIGGER IF EXISTS {name} ON satoshimachine.{table}")
                await db.execute(
                    f"CREATE TRIGGER {name} BEFORE {event} ON satoshimachine.{table}"
                    " FOR EACH ROW EXECUTE FUNCTION satoshimachine.refuse_change()"
                )
