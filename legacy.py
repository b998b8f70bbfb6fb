"""Taking over the database of the earlier extension of the same id (design.md 6).

Two migrations do it: first its tables are renamed to `earlier_*`, so that ours can be made; when
ours are there, every row is kept as JSON in `earlier_rows`, what can be taken over is copied, and
the renamed tables are dropped: LNbits' own conversion from SQLite to PostgreSQL knows only tables
that the migrations make. Each step can be stopped anywhere and run again. The opening entries of
the ledger and what the operator is shown come later, in one commit (services/takeover.py).

Statements with values go past `db.execute`: it strips `<...>` and `&...;` from text (lnbits.md 4).
Names are always written with their schema: LNbits attaches the SQLite file to itself, and the same
table under two names in one transaction locks itself out.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from lnbits.db import SQLITE, Connection, Database
from sqlalchemy.sql import text

from . import clock
from .domain import earlier
from .domain.days import datetime_utc
from .errors import NotReady, ensure

SCHEMA = "satoshimachine"
PREFIX = "earlier_"
ROWS_PER_PAGE = 500  # one commit each; far below both databases' limit of bound values

# The columns its first migration made. Later ones added some; those are kept in the JSON.
OLD_COLUMNS: dict[str, frozenset[str]] = {
    "dca_clients": frozenset(
        "id user_id wallet_id username dca_mode fixed_mode_daily_limit status created_at"
        " updated_at".split()
    ),
    "dca_deposits": frozenset(
        "id client_id amount currency status notes created_at confirmed_at".split()
    ),
    "dca_payments": frozenset(
        "id client_id amount_sats amount_fiat exchange_rate transaction_type"
        " lamassu_transaction_id payment_hash status created_at".split()
    ),
    "lamassu_config": frozenset(
        "id host port database_name username password source_wallet_id commission_wallet_id"
        " is_active test_connection_last test_connection_success last_poll_time"
        " last_successful_poll use_ssh_tunnel ssh_host ssh_port ssh_username ssh_password"
        " ssh_private_key created_at updated_at".split()
    ),
    "lamassu_transactions": frozenset(
        "id lamassu_transaction_id fiat_amount crypto_amount commission_percentage discount"
        " effective_commission commission_amount_sats base_amount_sats exchange_rate crypto_code"
        " fiat_code device_id transaction_time processed_at clients_count"
        " distributions_total_sats".split()
    ),
}
# A column that only ours has. Of dca_clients, which has the same columns, the type tells.
OUR_COLUMN = {
    "dca_deposits": "amount_minor",
    "dca_payments": "leg_key",
    "lamassu_config": "polling_enabled",
    "lamassu_transactions": "plan_hash",
}
OUR_LIMIT_TYPE = "DOUBLE PRECISION"

TIMESTAMPS = {"created_at", "updated_at", "confirmed_at", "transaction_time"}
SECRET = re.compile(r"(^|_)(password|private_key|passphrase|secret|token)$")


# -- which tables are there -------------------------------------------------------------------


async def _columns(db: Connection | Database, table: str) -> dict[str, str]:
    """Column -> declared type in capitals; empty when there is no such table."""
    if db.type == SQLITE:
        query = f"PRAGMA {SCHEMA}.table_info({table})"
    else:
        query = (
            "SELECT column_name AS name, data_type AS type FROM information_schema.columns"
            f" WHERE table_schema = '{SCHEMA}' AND table_name = '{table}'"
        )
    found: list[Any] = await db.fetchall(query)
    return {row["name"]: str(row["type"]).upper() for row in found}


async def add_columns(db: Connection, table: str, columns: Mapping[str, str]) -> None:
    """Add columns (name -> type) that are not there yet; run again, it adds nothing."""
    known = await _columns(db, table)
    for name, kind in columns.items():
        if name not in known:
            await db.execute(f"ALTER TABLE {SCHEMA}.{table} ADD COLUMN {name} {kind}")


def _is_ours(table: str, columns: Mapping[str, str]) -> bool:
    if table == "dca_clients":
        return columns.get("fixed_mode_daily_limit") == OUR_LIMIT_TYPE
    return OUR_COLUMN[table] in columns


async def unknown_shapes(db: Connection | Database) -> list[str]:
    """One sentence per table that is neither ours nor the earlier extension's."""
    problems = []
    for table, wanted in OLD_COLUMNS.items():
        columns = await _columns(db, table)
        if not columns or _is_ours(table, columns):
            continue
        missing = sorted(wanted - set(columns))
        if missing:
            problems.append(f"{table} has no {', '.join(missing)}")
        elif await _columns(db, PREFIX + table):
            problems.append(f"{table} stands beside {PREFIX}{table}")
    return problems


async def set_old_tables_aside(db: Connection) -> None:
    """Rename the earlier extension's tables to `earlier_*`. Run again, it goes on.

    Raises NotReady, with every table left as it is, when one has a shape nobody knows.
    """
    problems = await unknown_shapes(db)
    if problems:
        raise NotReady(
            "The database holds tables of another program or version, which were left as they"
            f" are: {'; '.join(problems)}",
            hint="Keep a copy of the database, move these tables away and restart LNbits.",
        )
    for table in OLD_COLUMNS:
        columns = await _columns(db, table)
        if columns and not _is_ours(table, columns):
            await db.execute(f"ALTER TABLE {SCHEMA}.{table} RENAME TO {PREFIX}{table}")


# -- copying ----------------------------------------------------------------------------------


async def copy_old_rows(db: Connection) -> None:
    """Keep every old row as JSON, copy what can be taken over, drop the old tables.

    The copy is made from the kept rows, which are complete before it begins and never change: run
    again after a stop anywhere, it finds the same rows and adds what is missing.
    """
    old = [table for table in OLD_COLUMNS if await _columns(db, PREFIX + table)]
    if not old:
        return
    for table in old:
        await _keep_rows(db, table)
    now_us = clock.now_us()
    await _copy(db, "dca_clients", lambda row: earlier.client(row, now_us))
    await _copy(db, "dca_deposits", lambda row: earlier.deposit(row, now_us))
    await _copy(db, "lamassu_transactions", lambda row: earlier.cash_out(row, now_us))
    async for rows in _kept(db, "dca_payments"):
        await _copy_payments(db, rows, now_us)
    await _sum_up(db)
    await _copy_config(db, now_us)
    await _drop(db, old)


async def _keep_rows(db: Connection, table: str) -> None:
    """The old rows as JSON. Secrets, which it stored in the clear, are sealed in it."""
    async for rows in _pages(db, table):
        kept = [
            {"table_name": table, "row_id": row_id, "row_json": _sealed(table, body)}
            for row_id, body in rows
        ]
        await _insert(db, "earlier_rows", kept)


async def _pages(db: Connection, table: str) -> AsyncIterator[list[tuple[str, str]]]:
    """(id, JSON of the row) of a table that was set aside, page by page."""
    sqlite = db.type == SQLITE
    key = "rowid" if sqlite else "id"
    columns = "rowid AS rowid_, *" if sqlite else "id, CAST(row_to_json(t) AS TEXT) AS body"
    where = ""
    values: dict[str, Any] = {}
    while True:
        found = await _rows(
            db,
            f"SELECT {columns} FROM {SCHEMA}.{PREFIX}{table} t {where}"
            f" ORDER BY {key} LIMIT {ROWS_PER_PAGE}",
            values,
        )
        if not found:
            return
        yield [_as_json(row) if sqlite else (row["id"], row["body"]) for row in found]
        where, values = f"WHERE {key} > :after", {"after": found[-1]["rowid_" if sqlite else "id"]}


def _as_json(row: Mapping[str, Any]) -> tuple[str, str]:
    """A row of SQLite, where any column may hold a value of any type."""
    body = {name: value for name, value in row.items() if name != "rowid_"}
    for name, value in body.items():
        if isinstance(value, bytes):
            body[name] = value.hex()
        elif isinstance(value, float) and value in (float("inf"), float("-inf")):
            body[name] = str(value)
    # SQLite lets a primary key of text be NULL.
    row_id = f"rowid {row['rowid_']}" if body.get("id") is None else str(body["id"])
    return row_id, json.dumps(body, ensure_ascii=False)


def _sealed(table: str, body: str) -> str:
    if table != "lamassu_config":
        return body
    from .adapters.secret_box import seal

    row = json.loads(body)
    for name, value in row.items():
        if SECRET.search(name) and isinstance(value, str):
            row[name] = seal(value)
    return json.dumps(row, ensure_ascii=False)


async def _kept(db: Connection, table: str) -> AsyncIterator[list[earlier.Old]]:
    """Kept rows of a table, page by page."""
    where, values = "", {"table": table}
    while True:
        found = await _rows(
            db,
            f"SELECT row_id, row_json FROM {SCHEMA}.earlier_rows WHERE table_name = :table"
            f" {where} ORDER BY row_id LIMIT {ROWS_PER_PAGE}",
            values,
        )
        if not found:
            return
        yield [earlier.read(row["row_json"]) for row in found]
        where, values = "AND row_id > :after", {"table": table, "after": found[-1]["row_id"]}


async def _copy(
    db: Connection, table: str, change: Callable[[earlier.Old], earlier.New | None]
) -> None:
    async for rows in _kept(db, table):
        await _insert(db, table, [new for row in rows if (new := change(row)) is not None])


async def _copy_payments(db: Connection, rows: Sequence[earlier.Old], now_us: int) -> None:
    """Payments with their cash-outs; a cash-out that only a payment names is made first.

    So its id counts as settled, even when the payment itself cannot be read.
    """
    named = {
        lamassu_id: row
        for row in rows
        if (lamassu_id := earlier.plain(row["lamassu_transaction_id"]))
    }
    known = await _cash_outs(db, list(named))
    made = [earlier.cash_out_of_payment(named[x], now_us) for x in named if x not in known]
    await _insert(db, "lamassu_transactions", made)
    known |= {row["lamassu_transaction_id"]: (row["id"], row["fiat_code"]) for row in made}
    payments = []
    for row in rows:
        lamassu_id = earlier.plain(row["lamassu_transaction_id"]) or ""
        cash_out_id, currency = known.get(lamassu_id, (None, earlier.CURRENCY))
        payment = earlier.payment(row, cash_out_id, currency, now_us)
        payments += [payment] if payment else []
    await _insert(db, "dca_payments", payments)


async def _cash_outs(db: Connection, ids: Sequence[str]) -> dict[str, tuple[str | None, str]]:
    """Lamassu id -> (our id, currency) of cash-outs that are stored."""
    if not ids:
        return {}
    values = {f"v{i}": value for i, value in enumerate(ids)}
    marks = ", ".join(f":{name}" for name in values)
    found = await _rows(
        db,
        f"SELECT id, lamassu_transaction_id, fiat_code FROM {SCHEMA}.lamassu_transactions"
        f" WHERE lamassu_transaction_id IN ({marks})",
        values,
    )
    return {row["lamassu_transaction_id"]: (row["id"], row["fiat_code"]) for row in found}


async def _sum_up(db: Connection) -> None:
    """What a cash-out's payments add up to. `operator_remainder` is base that no payment moved.

    A cash-out of which only payments are known (no crypto_atoms) is as large as they are.
    """
    sums = await _rows(
        db,
        f"""
        SELECT t.id, COALESCE(p.sats, 0) AS sats, COALESCE(p.minor, 0) AS minor,
            COALESCE(p.clients, 0) AS clients
        FROM {SCHEMA}.lamassu_transactions t LEFT JOIN (
            SELECT cash_out_id, CAST(SUM(amount_sats) AS BIGINT) AS sats,
                CAST(SUM(fiat_minor) AS BIGINT) AS minor, COUNT(DISTINCT client_id) AS clients
            FROM {SCHEMA}.dca_payments WHERE status = '{earlier.PAID}' GROUP BY cash_out_id
        ) p ON p.cash_out_id = t.id WHERE t.origin = '{earlier.ORIGIN}'
        """,
        {},
    )
    if not sums:
        return
    await db.conn.execute(
        text(
            f"UPDATE {SCHEMA}.lamassu_transactions SET confirmed_sats = :sats,"
            " drawn_minor = :minor, clients_count ="
            " CASE WHEN crypto_atoms IS NULL THEN :clients ELSE clients_count END WHERE id = :id"
        ),
        [dict(row) for row in sums],
    )
    await db.conn.commit()
    await db.execute(f"""
        UPDATE {SCHEMA}.lamassu_transactions SET
            failed_sats = 0,
            fiat_minor = CASE WHEN crypto_atoms IS NULL THEN drawn_minor ELSE fiat_minor END,
            total_sats = CASE WHEN crypto_atoms IS NULL THEN confirmed_sats ELSE total_sats END,
            base_sats = CASE WHEN crypto_atoms IS NULL THEN confirmed_sats
                ELSE COALESCE(base_sats, confirmed_sats) END,
            commission_sats = COALESCE(commission_sats, 0),
            operator_remainder_sats = CASE WHEN base_sats > confirmed_sats
                THEN base_sats - confirmed_sats ELSE 0 END
        WHERE origin = '{earlier.ORIGIN}'
        """)


async def _copy_config(db: Connection, now_us: int) -> None:
    """The connection that was in use, unless one of ours is saved."""
    if await _rows(db, f"SELECT id FROM {SCHEMA}.lamassu_config LIMIT 1", {}):
        return
    configs = [row async for rows in _kept(db, "lamassu_config") for row in rows]
    used = earlier.newest_active(configs)
    await _insert(db, "lamassu_config", [earlier.config(used, now_us)] if used else [])


async def _drop(db: Connection, tables: Sequence[str]) -> None:
    """Drop the old tables. Every row must have been kept; SQLite wipes the secrets they held."""
    for table in tables:
        old = await _rows(db, f"SELECT COUNT(*) AS n FROM {SCHEMA}.{PREFIX}{table}", {})
        kept = await _rows(
            db,
            f"SELECT COUNT(*) AS n FROM {SCHEMA}.earlier_rows WHERE table_name = :table",
            {"table": table},
        )
        ensure(
            kept[0]["n"] >= old[0]["n"],
            f"{old[0]['n']} rows of {table} were there and {kept[0]['n']} are kept",
        )
    if db.type == SQLITE:
        await db.execute(f"PRAGMA {SCHEMA}.secure_delete = ON")
    for table in tables:
        await db.execute(f"DROP TABLE {SCHEMA}.{PREFIX}{table}")


# -- statements with values -------------------------------------------------------------------


async def _rows(db: Connection, query: str, values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    result = await db.conn.execute(text(query), dict(values))
    return list(result.mappings().all())


async def _insert(db: Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of one shape and commit; what is there already stays."""
    if not rows:
        return
    names = ", ".join(f'"{name}"' for name in rows[0])
    marks = ", ".join(f":{name}" for name in rows[0])
    await db.conn.execute(
        text(f"INSERT INTO {SCHEMA}.{table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"),
        [{name: _stored(db, name, row[name]) for name in rows[0]} for row in rows],
    )
    await db.conn.commit()


def _stored(db: Connection, column: str, value: Any) -> Any:
    """A value as this database takes it."""
    if isinstance(value, Fraction):
        return float(value)
    if column in TIMESTAMPS and value is not None:
        return value / 1_000_000 if db.type == SQLITE else datetime_utc(value).replace(tzinfo=None)
    return value
