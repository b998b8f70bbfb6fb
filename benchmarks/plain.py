"""The bare database: sqlite3 over both files, or asyncpg. No LNbits, no SQLAlchemy."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from lnbits.core.db import db as core_db
from satmachineadmin.crud import db as ext_db

from .world import World


class Plain:
    """Both databases by the same few calls."""

    async def select(self, query: str, *args: Any) -> tuple[list[str], list[Sequence[Any]]]:
        raise NotImplementedError

    async def run(self, query: str, *args: Any) -> None:
        raise NotImplementedError

    async def many(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        raise NotImplementedError

    async def begin(self) -> None:
        await self.run("BEGIN")

    async def commit(self) -> None:
        await self.run("COMMIT")

    def marks(self, count: int, start: int = 1) -> list[str]:
        return ["?"] * count

    async def insert(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        names = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join(self.marks(len(columns)))
        await self.many(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)

    async def update(
        self,
        table: str,
        changed: Sequence[str],
        keys: Sequence[str],
        rows: Sequence[Sequence[Any]],
    ) -> None:
        """Rows carry the changed columns' values first, then the keys'."""
        marks = self.marks(len(changed) + len(keys))
        changes = ", ".join(f"{c} = {m}" for c, m in zip(changed, marks, strict=False))
        where = " AND ".join(f"{k} = {m}" for k, m in zip(keys, marks[len(changed) :], strict=True))
        await self.many(f"UPDATE {table} SET {changes} WHERE {where}", rows)

    async def bulk(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Very many rows of one of our tables."""
        raise NotImplementedError

    async def fast(self) -> None:
        """What is built now may be lost by a crash."""

    async def settle_down(self) -> None:
        """Let the database learn what was put into it, as it does by itself in time."""
        raise NotImplementedError

    async def unguard(self) -> None:
        """Let append-only tables be changed, to put a settlement back into the pen."""
        raise NotImplementedError

    async def guard(self) -> None:
        raise NotImplementedError


class PlainSqlite(Plain):
    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection
        self._triggers: list[str] = []

    async def select(self, query: str, *args: Any) -> tuple[list[str], list[Sequence[Any]]]:
        cursor = self._connection.execute(query, args)
        return [column[0] for column in cursor.description], cursor.fetchall()

    async def run(self, query: str, *args: Any) -> None:
        self._connection.execute(query, args)

    async def many(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(query, rows)

    async def begin(self) -> None:
        await self.run("BEGIN IMMEDIATE")

    async def bulk(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        await self.insert(f"satoshimachine.{table}", columns, rows)

    async def fast(self) -> None:
        await self.run("PRAGMA satoshimachine.synchronous = OFF")
        await self.run("PRAGMA satoshimachine.cache_size = -400000")

    async def settle_down(self) -> None:
        pass  # LNbits' SQLite is never analysed

    async def unguard(self) -> None:
        _, found = await self.select(
            "SELECT name, sql FROM satoshimachine.sqlite_master WHERE type = 'trigger'"
        )
        for name, sql in found:
            # The text is of a connection where this file is the main one.
            self._triggers.append(sql.replace("TRIGGER ", "TRIGGER satoshimachine.", 1))
            await self.run(f'DROP TRIGGER satoshimachine."{name}"')

    async def guard(self) -> None:
        for sql in self._triggers:
            await self.run(sql)
        self._triggers.clear()


class PlainPostgres(Plain):
    def __init__(self, connection: asyncpg.Connection[Any]):
        self._connection = connection

    def marks(self, count: int, start: int = 1) -> list[str]:
        return [f"${number}" for number in range(start, start + count)]

    async def select(self, query: str, *args: Any) -> tuple[list[str], list[Sequence[Any]]]:
        statement = await self._connection.prepare(query)
        rows = await statement.fetch(*args)
        return [a.name for a in statement.get_attributes()], [tuple(row) for row in rows]

    async def run(self, query: str, *args: Any) -> None:
        await self._connection.execute(query, *args)

    async def many(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        await self._connection.executemany(query, rows)

    async def bulk(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        await self._connection.copy_records_to_table(
            table, schema_name="satoshimachine", columns=columns, records=rows
        )

    async def settle_down(self) -> None:
        await self.run("VACUUM ANALYZE")

    async def unguard(self) -> None:
        await self.run("SET session_replication_role = replica")

    async def guard(self) -> None:
        await self.run("SET session_replication_role = origin")


@asynccontextmanager
async def plain(world: World) -> AsyncIterator[Plain]:
    """A connection of its own to LNbits' tables and ours. LNbits must be quiet meanwhile."""
    if world.database == "sqlite":
        connection = sqlite3.connect(core_db.path, isolation_level=None, timeout=5)
        try:
            connection.execute("ATTACH ? AS satoshimachine", (ext_db.path,))
            yield PlainSqlite(connection)
        finally:
            connection.close()
        return
    url = (world.environment.postgres_url or "").replace("postgres://", "postgresql://")
    session = await asyncpg.connect(url)
    try:
        yield PlainPostgres(session)
    finally:
        await session.close()
