"""The two databases as constraints.py wants to see them. Nothing here is ever committed."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import asyncpg

from .constraints import PRIMARY_KEYS, SCHEMA, Guard, Values, Violator, check_name


class _Undone(Exception):
    """Leaves a transaction block without a commit."""


def _insert(table: str, row: Values, marks: list[str]) -> str:
    names = ", ".join(f'"{name}"' for name in row)
    return f"INSERT INTO {SCHEMA}.{table} ({names}) VALUES ({', '.join(marks)})"


def _key(table: str, columns: list[str]) -> Guard:
    what = " ".join(columns)
    kind = "primary_key" if PRIMARY_KEYS.get(table) == what else "unique"
    return Guard(kind, table, what)


def _trigger(table: str, violator: Violator) -> Guard:
    return Guard("trigger", table, f"{table}_no_{violator.statement.split()[0].lower()}")


class SqliteBench:
    """A connection that has our tables attached under their schema's name, and no transaction."""

    def __init__(self, raw: sqlite3.Connection):
        self.raw = raw
        self.raw.isolation_level = None

    @classmethod
    def of_file(cls, path: str) -> SqliteBench:
        """Our database file, beside whoever uses it."""
        raw = sqlite3.connect(":memory:", timeout=10)
        raw.execute(f"ATTACH ? AS {SCHEMA}", (path,))
        return cls(raw)

    def close(self) -> None:
        """Let the file go."""
        self.raw.close()

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        return self.raw.execute(query).fetchall()

    async def guards(self) -> set[Guard]:
        found: set[Guard] = set()
        for kind, name, table, sql in self._all(
            f"SELECT type, name, tbl_name, sql FROM {SCHEMA}.sqlite_master"
            " WHERE type IN ('table', 'trigger') AND name NOT LIKE 'sqlite_%'"
        ):
            if kind == "trigger":
                found.add(Guard("trigger", table, name))
                continue
            for column in self._all(f"PRAGMA {SCHEMA}.table_info({name})"):
                if column[3]:
                    found.add(Guard("not_null", name, column[1]))
            for index in self._all(f"PRAGMA {SCHEMA}.index_list({name})"):
                if index[2]:
                    columns = self._all(f"PRAGMA {SCHEMA}.index_info({index[1]})")
                    found.add(_key(name, [str(column[2]) for column in columns]))
            for checked in checks_in(sql):
                found.add(Guard("check", name, check_name(name, checked)))
            for key in self._all(f"PRAGMA {SCHEMA}.foreign_key_list({name})"):
                found.add(Guard("foreign_key", name, str(key[3])))
        return found

    async def attempt(self, table: str, violator: Violator) -> Guard | str | None:
        self.raw.execute("BEGIN")
        try:
            for row in violator.first:
                self._put(table, row)
            if violator.statement:
                self.raw.execute(violator.statement)
            else:
                self._put(table, violator.row)
        except sqlite3.Error as exc:
            return self._named(table, violator, str(exc))
        finally:
            self.raw.execute("ROLLBACK")
        return None

    def _put(self, table: str, row: Values) -> None:
        self.raw.execute(_insert(table, row, ["?"] * len(row)), tuple(row.values()))

    def _named(self, table: str, violator: Violator, said: str) -> Guard | str:
        kind, _, what = said.partition(" constraint failed: ")
        if kind == "CHECK":
            return Guard("check", table, check_name(table, what))
        columns = re.findall(r"\w+\.(\w+)", what)
        if kind == "NOT NULL":
            return Guard("not_null", table, columns[0])
        if kind == "UNIQUE":
            return _key(table, columns)
        return _trigger(table, violator) if said == f"{table} is append-only" else said


def checks_in(sql: str) -> Iterator[str]:
    """The expressions of a table's CHECKs, as they stand in its text."""
    text = re.sub(r"--[^\n]*", "", sql)
    for found in re.finditer(r"\bCHECK\s*\(", text):
        yield text[found.end() : closing(text, found.end() - 1)].strip()


def closing(text: str, opening: int) -> int:
    """Where the bracket at `opening` is closed."""
    depth = 0
    for at in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return at
    raise ValueError("a bracket stays open")


class PostgresBench:
    """A connection of its own; each attempt is rolled back."""

    def __init__(self, raw: asyncpg.Connection[Any]):
        self.raw = raw

    async def guards(self) -> set[Guard]:
        where = f"c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind = 'r'"
        found = {
            Guard("not_null", row["relname"], row["attname"])
            for row in await self.raw.fetch(
                "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a"
                f" ON a.attrelid = c.oid WHERE {where} AND a.attnotnull AND a.attnum > 0"
            )
        }
        found |= {
            Guard("trigger", row["relname"], row["tgname"])
            for row in await self.raw.fetch(
                "SELECT c.relname, t.tgname FROM pg_class c JOIN pg_trigger t"
                f" ON t.tgrelid = c.oid WHERE {where} AND NOT t.tgisinternal"
                " AND t.tgenabled <> 'D'"
            )
        }
        kinds = {"p": "primary_key", "u": "unique", "c": "check", "f": "foreign_key"}
        for row in await self._constraints():
            kind = kinds.get(row["contype"])
            if kind in ("primary_key", "unique"):
                found.add(_key(row["relname"], row["columns"]))
            elif kind:
                found.add(Guard(kind, row["relname"], row["conname"]))
        return found

    async def _constraints(self) -> list[Any]:
        return list(
            await self.raw.fetch(
                "SELECT c.relname, k.conname, k.contype::text AS contype, ARRAY("
                " SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(n, place)"
                " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.n ORDER BY place"
                ") AS columns FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
                f" WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND k.convalidated"
            )
        )

    async def attempt(self, table: str, violator: Violator) -> Guard | str | None:
        try:
            async with self.raw.transaction():
                for row in violator.first:
                    await self._put(table, row)
                if violator.statement:
                    await self.raw.execute(violator.statement)
                else:
                    await self._put(table, violator.row)
                raise _Undone
        except _Undone:
            return None
        except asyncpg.PostgresError as exc:
            return await self._named(table, violator, exc)

    async def _put(self, table: str, row: Values) -> None:
        marks = [f"${place}" for place in range(1, len(row) + 1)]
        await self.raw.execute(_insert(table, row, marks), *row.values())

    async def _named(
        self, table: str, violator: Violator, exc: asyncpg.PostgresError
    ) -> Guard | str:
        if isinstance(exc, asyncpg.NotNullViolationError):
            return Guard("not_null", table, str(exc.column_name))
        if isinstance(exc, asyncpg.CheckViolationError):
            return Guard("check", table, str(exc.constraint_name))
        if isinstance(exc, asyncpg.UniqueViolationError):
            for row in await self._constraints():
                if row["conname"] == exc.constraint_name and row["relname"] == table:
                    return _key(table, row["columns"])
        if str(exc) == "this table is append-only":
            return _trigger(table, violator)
        return f"{type(exc).__name__}: {exc}"
