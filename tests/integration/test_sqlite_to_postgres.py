"""LNbits' own move from SQLite to PostgreSQL takes our tables along, row by row.

Its tool (`tools/conv.py` of its repository, not in the wheel) reads every table of the SQLite file
in the order they were made, and inserts their rows into tables that LNbits' start on PostgreSQL has
made. It writes values into the statement as psycopg2 does, calls `to_timestamp` for columns
declared TIMESTAMP, casts those declared BOOLEAN, and stops at the first failure. The same
statements are replayed here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from fastapi import FastAPI
from support.constraints import PRIMARY_KEYS, ROWS, UNIQUES
from support.earlier_books import Scratch, extra_database, migrate
from support.environment import Environment

# Values that CHECKs ask for, by table; every other column gets one by its declared type.
OBSERVED = {
    "status": "completed",
    "commission_status": "paid",
    "origin": "observed",
    "total_sats": 266_800,
    "base_sats": 259_029,
    "commission_sats": 7_771,
    "confirmed_sats": 200_000,
    "failed_sats": 59_000,
    "operator_remainder_sats": 29,
}
FULL: dict[str, dict[str, Any]] = {
    "dca_deposits": {"status": "confirmed"},
    "lamassu_transactions": OBSERVED,
    "dca_payments": {"status": "confirmed", "origin": "observed"},
    "settlement_legs": {"kind": "share"},
    "ledger_entries": {"amount": -5, "balance_before": 7, "balance_after": 2},
    "polls": {"cause": "timer", "result": "ok"},
    "alerts": {"severity": "warning"},
    "corrections": {"account": "operator"},
    "incident_entries": {"kind": "closed", "phase": None, "outcome": "mended"},
}
SPARSE: dict[str, dict[str, Any]] = {
    "dca_deposits": {"status": "pending"},
    "lamassu_transactions": {"status": "watching", "origin": "observed"},
    "dca_payments": {"status": "failed", "origin": "observed"},
    "settlement_legs": {"kind": "funding"},
    "ledger_entries": {"amount": 2**62, "balance_before": 1, "balance_after": 2**62 + 1},
    "ledger_balances": {"account": "deposits", "balance": -(2**62)},
    "polls": {"cause": "manual", "result": "running"},
    "alerts": {"severity": "info"},
}
TEXT = "Jos<b>é</b> & Søn's 50% \\ %s :x $1 \"q\" ?\n{'a': 1}"


pytestmark = pytest.mark.postgres_only  # where there is a server to move to


@pytest.fixture
async def moved(
    lnbits_app: FastAPI, environment: Environment, tmp_path: Path
) -> AsyncIterator[tuple[Path, Scratch]]:
    """Our tables on SQLite, with rows in each, and on PostgreSQL after the tool ran."""
    file = tmp_path / "ext_satoshimachine.sqlite3"
    old = Scratch(file)
    await old.with_old_tables()  # a database taken over from the earlier extension must move, too
    async with old.connect() as db:
        await migrate(db)
    fill(file)
    server = environment.postgres_server or environment.postgres_url
    assert server is not None
    async with extra_database(server, f"satm_moved_{uuid4().hex}") as url:
        new = Scratch(url)
        async with new.connect() as db:
            await migrate(db)
        await convert(file, url)
        yield file, new


def tables_of(raw: sqlite3.Connection) -> list[str]:
    """As the tool lists them."""
    found = raw.execute(
        "SELECT name FROM sqlite_master WHERE type='table' AND name not like 'sqlite?_%' escape '?'"
    )
    return [name for (name,) in found]


def fill(file: Path) -> None:
    """Two rows in every table: one with every column, one with only what must be given."""
    with closing(sqlite3.connect(file)) as raw:
        for table in tables_of(raw):
            columns = raw.execute(f"PRAGMA table_info({table})").fetchall()
            allowed = accepted(table)
            for number, own in ((1, FULL.get(table, {})), (2, SPARSE.get(table, {}))):
                given = {**allowed, **own}
                row = {
                    name: given.get(name, sample(f"{table}.{name}", kind, number, place))
                    for place, name, kind, required, default, key in columns
                    if name in given or number == 1 or (required and default is None) or key
                }
                names = ", ".join(f'"{name}"' for name in row)
                marks = ", ".join("?" for _ in row)
                raw.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
        raw.commit()


def accepted(table: str) -> dict[str, Any]:
    """What the constraints of a table of later migrations take, but for what must differ by row."""
    if table in FULL and table in SPARSE:
        return {}
    keys = [PRIMARY_KEYS.get(table, ""), *(column for name, column in UNIQUES if name == table)]
    unique = {column for key in keys for column in key.split()}
    return {name: value for name, value in ROWS.get(table, {}).items() if name not in unique}


def sample(name: str, kind: str, number: int, place: int) -> Any:
    """A value for a column, another one in each row and column."""
    if kind == "TEXT":
        return f"{name} {number} {TEXT}"
    if kind == "BIGINT":
        return number * 1000 + place
    if kind == "BOOLEAN":
        return (number + place) % 2
    if kind == "TIMESTAMP":
        return 1_750_000_000.25 + place
    assert kind == "DOUBLE PRECISION", f"{name} is declared {kind}"
    return 0.1 + place


async def convert(file: Path, url: str) -> None:
    """What `tools/conv.py` does with an extension's file."""
    connection = await asyncpg.connect(
        url.replace("postgres://", "postgresql://"), server_settings={"timezone": "UTC"}
    )
    try:
        with closing(sqlite3.connect(file)) as raw:
            for table in tables_of(raw):
                columns = raw.execute(f"PRAGMA table_info({table})").fetchall()
                names = ", ".join(f'"{column[1]}"' for column in columns)
                marks = ", ".join(placeholder(column[2]) for column in columns)
                async with connection.transaction():
                    for row in raw.execute(f"SELECT * FROM {table};").fetchall():
                        values = marks % tuple(literal(value) for value in row)
                        await connection.execute(
                            f"INSERT INTO satoshimachine.{table}({names}) VALUES ({values});"
                        )
    finally:
        await connection.close()


def placeholder(kind: str) -> str:
    return {"TIMESTAMP": "to_timestamp(%s)", "BOOLEAN": "%s::boolean"}.get(kind, "%s")


def literal(value: Any) -> str:
    """A value as psycopg2 writes it into a statement."""
    if value is None:
        return "NULL"
    if isinstance(value, (int, float)):
        return f" {value!r}" if value < 0 else repr(value)
    quoted = value.replace("'", "''")
    return "E'" + quoted.replace("\\", "\\\\") + "'" if "\\" in value else f"'{quoted}'"


def as_on_sqlite(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=timezone.utc).timestamp()
    return value


def by(key: list[str], rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in key): row for row in rows}


async def test_every_row_of_every_table_arrives(moved: tuple[Path, Scratch]) -> None:
    file, new = moved
    found = await new.tables()
    with closing(sqlite3.connect(file)) as raw:
        raw.row_factory = sqlite3.Row
        assert set(tables_of(raw)) == set(found)
        for table in tables_of(raw):
            wanted = [dict(row) for row in raw.execute(f"SELECT * FROM {table}")]
            arrived = [{k: as_on_sqlite(v) for k, v in row.items()} for row in found[table]]
            key = [c[1] for c in raw.execute(f"PRAGMA table_info({table})") if c[5]]
            assert len(wanted) >= 2
            assert by(key, arrived) == by(key, wanted), table


@pytest.mark.parametrize(
    ("table", "column"),
    [("ledger_entries", "amount"), ("audit_log", "actor"), ("settlement_legs", "moved_us")],
)
async def test_append_only_tables_still_are(
    moved: tuple[Path, Scratch], table: str, column: str
) -> None:
    from sqlalchemy.exc import DBAPIError

    file, new = moved
    changes = [
        f"UPDATE satoshimachine.{table} SET {column} = {column}",
        f"DELETE FROM satoshimachine.{table}",
    ]
    for database in (Scratch(file), new):
        for change in changes:
            async with database.connect() as db:
                with pytest.raises(DBAPIError, match="append-only"):
                    await db.execute(change)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE satoshimachine.ledger_balances SET balance = -1 WHERE account <> 'deposits'",
        "UPDATE satoshimachine.dca_deposits SET amount_minor = 0",
        "UPDATE satoshimachine.dca_deposits SET effective_us = NULL WHERE status = 'confirmed'",
        "UPDATE satoshimachine.lamassu_transactions SET status = 'paid'",
        "UPDATE satoshimachine.lamassu_transactions SET total_sats = total_sats + 1"
        " WHERE origin = 'observed'",
        "UPDATE satoshimachine.dca_payments SET leg_key = 'the same'",
        "INSERT INTO satoshimachine.earlier_rows SELECT * FROM satoshimachine.earlier_rows",
    ],
)
async def test_constraints_still_hold(moved: tuple[Path, Scratch], change: str) -> None:
    from sqlalchemy.exc import IntegrityError

    file, new = moved
    for database in (Scratch(file), new):
        async with database.connect() as db:
            with pytest.raises(IntegrityError):
                await db.execute(change)


async def test_the_next_start_finds_nothing_to_do(moved: tuple[Path, Scratch]) -> None:
    _, new = moved
    before = await new.tables()
    async with new.connect() as db:
        await migrate(db)
    assert await new.tables() == before


async def test_migrations_put_nothing_into_empty_tables(
    lnbits_app: FastAPI, environment: Environment
) -> None:
    """The tool stops at the first row whose key is already there."""
    server = environment.postgres_server or environment.postgres_url
    assert server is not None
    async with extra_database(server, f"satm_empty_{uuid4().hex}") as url:
        fresh = Scratch(url)
        async with fresh.connect() as db:
            await migrate(db)
        assert not any((await fresh.tables()).values())
