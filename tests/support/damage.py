"""Somebody with SQL: the database's own refusals taken away, and put back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

S = "satoshimachine"


async def without_guards(conn: Any) -> None:
    """No trigger and no CHECK until the transaction ends; on SQLite triggers must be put back."""
    if conn.type == "POSTGRES":
        for row in await conn.rows(
            "SELECT DISTINCT event_object_table AS name FROM information_schema.triggers"
            f" WHERE trigger_schema = '{S}'"
        ):
            await conn.execute(f"ALTER TABLE {S}.{row['name']} DISABLE TRIGGER USER")
        for row in await conn.rows(
            "SELECT conrelid::regclass::text AS name, conname FROM pg_constraint"
            " WHERE contype IN ('c', 'u') AND connamespace = 'satoshimachine'::regnamespace"
        ):
            await conn.execute(f'ALTER TABLE {row["name"]} DROP CONSTRAINT "{row["conname"]}"')
        return
    await conn.rows("PRAGMA ignore_check_constraints = true")
    for row in await conn.rows(f"SELECT name FROM {S}.sqlite_master WHERE type = 'trigger'"):
        await conn.execute(f"DROP TRIGGER {S}.{row['name']}")


async def damaged(*statements: str) -> None:
    """Run these and commit, past the triggers but not past a CHECK; the triggers stand again
    afterwards.
    """
    from satmachineadmin.adapters.settlement import settlement

    async def work(conn: Any) -> None:
        kept: list[str] = []
        if conn.type == "POSTGRES":
            await conn.execute("SET LOCAL session_replication_role = replica")
        else:
            found = await conn.rows(
                f"SELECT name, sql FROM {S}.sqlite_master WHERE type = 'trigger'"
            )
            kept = [row["sql"].replace("TRIGGER ", f"TRIGGER {S}.", 1) for row in found]
            for row in found:
                await conn.execute(f"DROP TRIGGER {S}.{row['name']}")
        for statement in statements:
            assert await conn.changed(statement) > 0, statement
        for sql in kept:
            await conn.execute(sql)

    await settlement(work)


async def columns_of(table: str) -> list[str]:
    """Of a table that has a row."""
    from satmachineadmin import crud

    row = await crud.fetch_row(f"SELECT * FROM {table} LIMIT 1")
    assert row is not None
    return list(row)


async def copy(table: str, where: str, **changes: str) -> str:
    """A statement that copies rows with other values in some columns."""
    names = await columns_of(table)
    quoted = [f'"{name}"' for name in names]
    values = [changes.get(name, f'"{name}"') for name in names]
    return (
        f"INSERT INTO {table} ({', '.join(quoted)}) SELECT {', '.join(values)}"
        f" FROM {table} WHERE {where}"
    )


async def rolled_back(look: Callable[[Any], Awaitable[Any]], *statements: str) -> Any:
    """What `look` sees after these, in a transaction that is rolled back."""
    from satmachineadmin.adapters.settlement import Rollback, settlement

    async def work(conn: Any) -> Any:
        await without_guards(conn)
        for statement in statements:
            assert await conn.changed(statement) > 0, statement
        raise Rollback(await look(conn))

    return await settlement(work)
