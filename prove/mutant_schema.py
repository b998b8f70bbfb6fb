"""Every constraint and trigger of migrations.py taken away, one at a time.

The mutants are made from the statements that the migrations run, so a new constraint is a new
mutant. Each is created for real, in a transaction or a file in memory, and must be missed by the
violators of tests/support/constraints.py. Started as `python -m prove.mutant_schema RESULTS.jsonl`
with SATM_TEST_DB.
"""

from __future__ import annotations

# First: it prepares the environment that everything below is imported into.
from .setting import ENVIRONMENT  # isort: skip

import asyncio
import json
import re
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from lnbits.db import POSTGRES, SQLITE, Compat
from satmachineadmin import migrations
from support.constraint_benches import PostgresBench, SqliteBench, closing
from support.constraints import APPEND_ONLY, PRIMARY_KEYS, SCHEMA, problems
from support.postgres import postgres

WORDS = re.compile(r"\s+(PRIMARY KEY|NOT NULL|UNIQUE|CHECK)\b")
COMPARISON = re.compile(r"\b\w+ (?:>=|<>|=|>) [^()]+?(?=\s+AND\b|\s+OR\b|\s*\))")
IMPLIED = {"base_sats >= 0": "none of the parts that base is the sum of is negative"}
TABLE = re.compile(rf"CREATE TABLE IF NOT EXISTS {SCHEMA}\.(\w+) \((.*)\)\s*$", re.DOTALL)


@dataclass(frozen=True)
class Lost:
    """One guard that a statement of the migrations no longer has."""

    name: str
    table: str
    statement: str  # as the migrations run it
    instead: str | None
    equivalent: str | None = None  # why nothing changes on this database


def mutants(statements: list[str], kind: str) -> Iterator[Lost]:
    """All of them, from what the migrations were seen to run."""
    for statement in statements:
        found = TABLE.search(_plain(statement))
        if found:
            yield from _of_table(statement, found.group(1), found.group(2), kind)
        for table in APPEND_ONLY:
            for event in ("update", "delete"):
                if "CREATE TRIGGER" in statement and f"{table}_no_{event} " in statement:
                    yield Lost(f"trigger {table}_no_{event}", table, statement, None)
        if "RAISE EXCEPTION" in statement:
            quiet = re.sub(r"RAISE EXCEPTION '[^']*'", "RETURN NEW", statement)
            yield Lost("the triggers' function", APPEND_ONLY[0], statement, quiet)


def _plain(statement: str) -> str:
    return re.sub(r"--[^\n]*", "", statement)


def _of_table(statement: str, table: str, body: str, kind: str) -> Iterator[Lost]:
    items = list(_items(body))
    for place, item in enumerate(items):
        before, after = items[:place], items[place + 1 :]
        for what, left in _without(item):
            rest = [*before, *([left] if left else []), *after]
            same = IMPLIED.get(what)
            key = PRIMARY_KEYS.get(table, "").split()
            if kind == POSTGRES and what == "NOT NULL" and item.split()[0] in key:
                same = "a primary key of PostgreSQL is never NULL"
            yield Lost(
                f"{table}: {' '.join(item.split())[:60]} without {what}",
                table,
                statement,
                f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{table} ({', '.join(rest)})",
                same,
            )


def _items(body: str) -> Iterator[str]:
    """Columns and constraints: split at the commas that are in no bracket."""
    depth, start = 0, 0
    for at, sign in enumerate(body):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            yield body[start:at].strip()
            start = at + 1
    yield body[start:].strip()


def _without(item: str) -> Iterator[tuple[str, str]]:
    """(which constraint, what is left of the item) for each constraint of it."""
    if "CHECK" in item:
        yield from _comparisons(item)
    if item.startswith(("CHECK", "PRIMARY KEY", "UNIQUE")):
        yield item.split("(")[0].strip(), ""
        return
    for found in WORDS.finditer(item):
        inside = item[: found.start()]
        if inside.count("(") != inside.count(")"):
            continue
        end = found.end()
        if found.group(1) == "CHECK":
            end = closing(item, item.index("(", end)) + 1
        yield found.group(1), item[: found.start()] + item[end:]


def _comparisons(item: str) -> Iterator[tuple[str, str]]:
    """Each comparison of a CHECK made always true."""
    for found in COMPARISON.finditer(item, item.index("CHECK")):
        left = item[: found.start()] + "1 = 1" + item[found.end() :]
        yield " ".join(found.group().split()), left


class Recorder(Compat):
    """What the migrations are given: it notes or runs their statements, one of them changed."""

    def __init__(self, kind: str, run: Callable[[str], Awaitable[None]]):
        self.type = kind
        self.schema = SCHEMA
        self.run = run

    async def execute(self, query: str, values: Any = None) -> None:
        await self.run(query)

    async def fetchall(self, query: str, values: Any = None) -> list[Any]:
        """Which columns a table has: none of those that are added later."""
        return []


async def migrate(kind: str, run: Callable[[str], Awaitable[None]]) -> None:
    """The migrations that make the tables of a fresh database."""
    connection: Any = Recorder(kind, run)
    await migrations.m011_books(connection)
    await migrations.m012_operations(connection)
    await migrations.m013_indexes_and_triggers(connection)
    await migrations.m017_previews(connection)
    await migrations.m018_audit_chain(connection)
    await migrations.m019_reconciliation(connection)
    await migrations.m020_corrections(connection)
    await migrations.m021_snapshots(connection)
    await migrations.m022_watch(connection)
    await migrations.m023_health(connection)
    await migrations.m024_runbook(connection)


async def recorded(kind: str) -> list[str]:
    """Their statements."""
    seen: list[str] = []

    async def note(query: str) -> None:
        seen.append(query)

    await migrate(kind, note)
    return seen


async def judge_sqlite(statements: list[str], lost: Lost | None) -> list[str]:
    """What the violators say about a fresh database without this guard."""
    raw = sqlite3.connect(":memory:")
    raw.execute(f"ATTACH ':memory:' AS {SCHEMA}")
    try:
        for statement in _changed(statements, lost):
            raw.execute(statement)
        return await problems(SqliteBench(raw), lost.table if lost else None)
    finally:
        raw.close()


async def judge_postgres(
    raw: asyncpg.Connection[Any], statements: list[str], lost: Lost | None
) -> list[str]:
    """The same in a transaction that is rolled back; only the table it is about is made anew."""
    transaction = raw.transaction()
    await transaction.start()
    try:
        if lost is None:
            await raw.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
        else:
            await raw.execute(f"DROP TABLE {SCHEMA}.{lost.table}")
        about = None if lost is None else re.compile(rf"\.{lost.table}\b|refuse_change\(\) RETURNS")
        for statement in _changed(statements, lost):
            if about is None or about.search(statement):
                await raw.execute(statement)
        return await problems(PostgresBench(raw), lost.table if lost else None)
    finally:
        if lost is None:
            await transaction.commit()
        else:
            await transaction.rollback()


def _changed(statements: list[str], lost: Lost | None) -> Iterator[str]:
    for statement in statements:
        if lost is None or statement is not lost.statement:
            yield statement
        elif lost.instead is not None:
            yield lost.instead


async def run(results: Path) -> None:
    kind = SQLITE if ENVIRONMENT.database == "sqlite" else POSTGRES
    statements = await recorded(kind)
    async with postgres(ENVIRONMENT):
        raw = await asyncpg.connect(ENVIRONMENT.postgres_url) if kind == POSTGRES else None

        async def judge(lost: Lost | None) -> list[str]:
            if raw is not None:
                return await judge_postgres(raw, statements, lost)
            return await judge_sqlite(statements, lost)

        whole = await judge(None)
        with results.open("a") as file:
            if whole:
                line = {"name": "the schema as it is", "outcome": "broken", "why": whole[0]}
                file.write(json.dumps(line) + "\n")
                return
            for lost in mutants(statements, kind):
                started = time.perf_counter()
                found = await judge(lost)
                outcome = "caught" if found else "survived"
                if lost.equivalent:
                    outcome = "survived" if found else "equivalent"
                line = {
                    "name": lost.name,
                    "outcome": outcome,
                    "why": lost.equivalent or (found or ["no violator noticed"])[0],
                    "seconds": round(time.perf_counter() - started, 2),
                }
                file.write(json.dumps(line) + "\n")
        if raw is not None:
            await raw.close()


if __name__ == "__main__":
    try:
        asyncio.run(run(Path(sys.argv[1]).resolve()))
    finally:
        ENVIRONMENT.remove()
