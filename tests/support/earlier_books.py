"""A database as the earlier extension left it, with the dirt seen in real ones (peer's measures).

`Scratch` is an empty ext_satoshimachine beside the one LNbits runs on, opened the way LNbits opens
it, on either kind of database.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

NOON = 1_750_000_000  # seconds; some day of June 2025

OLD_COLUMNS = {
    "dca_clients": "id TEXT PRIMARY KEY NOT NULL, user_id TEXT NOT NULL, wallet_id TEXT NOT NULL,"
    " username TEXT, dca_mode TEXT NOT NULL DEFAULT 'flow', fixed_mode_daily_limit INTEGER,"
    " status TEXT NOT NULL DEFAULT 'active', created_at TIMESTAMP NOT NULL DEFAULT {now},"
    " updated_at TIMESTAMP NOT NULL DEFAULT {now}",
    "dca_deposits": "id TEXT PRIMARY KEY NOT NULL, client_id TEXT NOT NULL,"
    " amount INTEGER NOT NULL, currency TEXT NOT NULL DEFAULT 'GTQ',"
    " status TEXT NOT NULL DEFAULT 'pending', notes TEXT,"
    " created_at TIMESTAMP NOT NULL DEFAULT {now}, confirmed_at TIMESTAMP",
    "dca_payments": "id TEXT PRIMARY KEY NOT NULL, client_id TEXT NOT NULL,"
    " amount_sats INTEGER NOT NULL, amount_fiat INTEGER NOT NULL, exchange_rate REAL NOT NULL,"
    " transaction_type TEXT NOT NULL, lamassu_transaction_id TEXT, payment_hash TEXT,"
    " status TEXT NOT NULL DEFAULT 'pending', created_at TIMESTAMP NOT NULL DEFAULT {now},"
    " transaction_time TIMESTAMP",
    "lamassu_config": "id TEXT PRIMARY KEY NOT NULL, host TEXT NOT NULL,"
    " port INTEGER NOT NULL DEFAULT 5432, database_name TEXT NOT NULL, username TEXT NOT NULL,"
    " password TEXT NOT NULL, source_wallet_id TEXT, commission_wallet_id TEXT,"
    " is_active BOOLEAN NOT NULL DEFAULT true, test_connection_last TIMESTAMP,"
    " test_connection_success BOOLEAN, last_poll_time TIMESTAMP, last_successful_poll TIMESTAMP,"
    " use_ssh_tunnel BOOLEAN NOT NULL DEFAULT false, ssh_host TEXT,"
    " ssh_port INTEGER NOT NULL DEFAULT 22, ssh_username TEXT, ssh_password TEXT,"
    " ssh_private_key TEXT, created_at TIMESTAMP NOT NULL DEFAULT {now},"
    " updated_at TIMESTAMP NOT NULL DEFAULT {now}, max_daily_limit_gtq INTEGER",
    "lamassu_transactions": "id TEXT PRIMARY KEY NOT NULL,"
    " lamassu_transaction_id TEXT NOT NULL UNIQUE, fiat_amount INTEGER NOT NULL,"
    " crypto_amount INTEGER NOT NULL, commission_percentage REAL NOT NULL,"
    " discount REAL NOT NULL DEFAULT 0.0, effective_commission REAL NOT NULL,"
    " commission_amount_sats INTEGER NOT NULL, base_amount_sats INTEGER NOT NULL,"
    " exchange_rate REAL NOT NULL, crypto_code TEXT NOT NULL DEFAULT 'BTC',"
    " fiat_code TEXT NOT NULL DEFAULT 'GTQ', device_id TEXT, transaction_time TIMESTAMP NOT NULL,"
    " processed_at TIMESTAMP NOT NULL DEFAULT {now}, clients_count INTEGER NOT NULL DEFAULT 0,"
    " distributions_total_sats INTEGER NOT NULL DEFAULT 0",
}

MARKUP = "Jos<b>é</b> & S&oslash;n's 50% <3"
SECRETS = {
    "password": "pg-<pass>&amp;word",
    "ssh_password": "ssh-<pass>&lt;word",
    "ssh_private_key": "-----BEGIN KEY-----\n<in the clear>\n-----END KEY-----\n",
}


def old_client(client_id: str, **more: Any) -> dict[str, Any]:
    return {
        "id": client_id,
        "user_id": f"user-{client_id}",
        "wallet_id": f"wallet-{client_id}",
        "username": client_id,
        "created_at": NOON - 9000,
        "updated_at": NOON - 8000,
        **more,
    }


def old_deposit(deposit_id: str, client_id: str, amount: int, **more: Any) -> dict[str, Any]:
    return {
        "id": deposit_id,
        "client_id": client_id,
        "amount": amount,
        "status": "confirmed",
        "created_at": NOON - 7000,
        "confirmed_at": NOON - 6000,
        **more,
    }


def old_payment(payment_id: str, client_id: str, sale: str | None, **more: Any) -> dict[str, Any]:
    return {
        "id": payment_id,
        "client_id": client_id,
        "amount_sats": 129514,
        "amount_fiat": 1000,
        "exchange_rate": 129.514,
        "transaction_type": "flow",
        "lamassu_transaction_id": sale,
        "payment_hash": None,
        "status": "confirmed",
        "created_at": NOON - 900,
        "transaction_time": NOON - 1000,
        **more,
    }


def old_transaction(row_id: str, sale: str, **more: Any) -> dict[str, Any]:
    return {
        "id": row_id,
        "lamassu_transaction_id": sale,
        "fiat_amount": 2000,
        "crypto_amount": 266800,
        "commission_percentage": 0.03,
        "discount": 0.0,
        "effective_commission": 0.03,
        "commission_amount_sats": 7771,
        "base_amount_sats": 259029,
        "exchange_rate": 129.5145,
        "device_id": "machine",
        "transaction_time": NOON - 1000,
        "processed_at": NOON - 800,
        "clients_count": 2,
        "distributions_total_sats": 259028,
        **more,
    }


def old_config(config_id: str, **more: Any) -> dict[str, Any]:
    return {
        "id": config_id,
        "host": f"{config_id}.example",
        "database_name": "lamassu",
        "username": "postgres",
        "password": f"{config_id}-password",
        "source_wallet_id": "source",
        "commission_wallet_id": "commission",
        "is_active": True,
        "use_ssh_tunnel": True,
        "ssh_host": "atm.example",
        "ssh_username": "atm",
        "created_at": NOON - 9999,
        "updated_at": NOON - 9998,
        **more,
    }


Rows = dict[str, list[dict[str, Any]]]
ROWS: Rows = {
    "dca_clients": [
        old_client("alice"),
        old_client("bob", dca_mode="fixed", fixed_mode_daily_limit=500, username=MARKUP),
        old_client("carol", dca_mode="nonsense", fixed_mode_daily_limit=-5),
        old_client("dave", status="inactive", username=None),
    ],
    "dca_deposits": [
        old_deposit("d-5000", "alice", 5000),
        old_deposit("d-minus", "alice", -1000, notes="taken back <by hand> &amp; noted"),
        old_deposit("d-zero", "alice", 0),
        old_deposit("d-pending", "alice", 12, status="pending", confirmed_at=None, notes=MARKUP),
        old_deposit("d-yen", "alice", 7000, currency="JPY"),
        old_deposit("d-undated", "bob", 500, confirmed_at=None),
        old_deposit("d-dollars", "bob", 40, currency="USD"),
        old_deposit("d-word", "bob", 700, status="done <now>"),
        old_deposit("d-coin", "bob", 5, currency="XXX"),
        old_deposit("d-cancelled", "bob", 9, status="cancelled", confirmed_at=None),
        old_deposit("d-uncovered", "dave", -200),
        old_deposit("d-ghost", "ghost", 100),
    ],
    "dca_payments": [
        old_payment("p-alice", "alice", "sale-a"),
        old_payment("p-alice-again", "alice", "sale-a"),
        old_payment("p-bob", "bob", "sale-a", amount_sats=43000, amount_fiat=333),
        old_payment("p-carol", "carol", "sale-a", amount_sats=40000, amount_fiat=300),
        old_payment("p-failed", "dave", "sale-a", amount_sats=500, amount_fiat=4, status="failed"),
        old_payment("p-nothing", "bob", "sale-b", amount_sats=0, amount_fiat=0, status="failed"),
        old_payment("p-only", "alice", "sale-b", amount_sats=1300, amount_fiat=10),
        old_payment("p-usd", "bob", "sale-usd", amount_sats=15000, amount_fiat=15),
        old_payment("p-open", "bob", "sale-c", status="pending", transaction_time=None),
        old_payment(
            "p-hand", "bob", None, amount_sats=21, amount_fiat=0, transaction_type="manual"
        ),
    ],
    "lamassu_transactions": [
        old_transaction("t-a", "sale-a"),
        old_transaction(
            "t-usd", "sale-usd", fiat_amount=15, fiat_code="USD", base_amount_sats=15000
        ),
        old_transaction("t-nobody", "sale-nobody", discount=12.5, clients_count=0),
    ],
    "lamassu_config": [
        old_config("oldest", last_successful_poll=NOON + 5),
        old_config(
            "used",
            created_at=NOON - 500,
            last_poll_time=NOON - 50,
            last_successful_poll=NOON - 100,
            max_daily_limit_gtq=1500,
            **SECRETS,
        ),
        old_config("given-up", created_at=NOON, is_active=False),
    ],
}
SALES = {"sale-a", "sale-b", "sale-c", "sale-usd", "sale-nobody"}
TIMES = {"created_at", "updated_at", "confirmed_at", "transaction_time", "processed_at"} | {
    "test_connection_last",
    "last_poll_time",
    "last_successful_poll",
}


async def build_old_tables(db: Any, prefix: str = "", rows: Rows = ROWS) -> None:
    """The earlier extension's tables with their rows; `prefix` as after our m010."""
    from lnbits.db import SQLITE
    from sqlalchemy.sql import text

    for table, columns in OLD_COLUMNS.items():
        name = f"satoshimachine.{prefix}{table}"
        await db.execute(f"CREATE TABLE {name} ({columns.format(now=db.timestamp_now)})")
        for row in rows.get(table, []):
            values = {
                key: value if db.type == SQLITE or key not in TIMES else naive_utc(value)
                for key, value in row.items()
            }
            marks = ", ".join(f":{key}" for key in row)
            await db.conn.execute(
                text(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({marks})"), values
            )
        await db.conn.commit()


def naive_utc(seconds: int | None) -> datetime | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)


class Scratch:
    """An ext_satoshimachine of its own. `target` is a SQLite file or a PostgreSQL address."""

    def __init__(self, target: Path | str):
        self.target = target

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        """A connection as LNbits hands it to migrations."""
        from lnbits.db import POSTGRES, SQLITE, Connection
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import NullPool

        sqlite = isinstance(self.target, Path)
        scheme = "sqlite+aiosqlite:///" if sqlite else "postgresql+asyncpg://"
        rest = str(self.target) if sqlite else str(self.target).split("://")[1]
        engine = create_async_engine(scheme + rest, poolclass=NullPool)
        try:
            async with engine.connect() as raw:
                kind = SQLITE if sqlite else POSTGRES
                db = Connection(raw, kind, "ext_satoshimachine", "satoshimachine")
                if sqlite:
                    await db.execute(f"ATTACH '{self.target}' AS satoshimachine")
                    await db.execute(
                        "PRAGMA satoshimachine.synchronous = OFF"
                    )  # no power cuts here
                else:
                    await db.execute("CREATE SCHEMA IF NOT EXISTS satoshimachine")
                yield db
        finally:
            await engine.dispose()

    async def empty(self) -> None:
        """Forget everything."""
        if isinstance(self.target, Path):
            for found in self.target.parent.glob(f"{self.target.name}*"):
                found.unlink()
            return
        async with self.connect() as db:
            await db.execute("DROP SCHEMA satoshimachine CASCADE")

    async def with_old_tables(self) -> None:
        """As the earlier extension left it, and nothing else."""
        await self.empty()
        async with self.connect() as db:
            await build_old_tables(db)

    def keep(self) -> bytes | None:
        """The SQLite file as it is, for put_back; PostgreSQL's is made anew."""
        return self.target.read_bytes() if isinstance(self.target, Path) else None

    async def put_back(self, kept: bytes | None, before: list[Any]) -> None:
        """The old tables after these migrations."""
        if isinstance(self.target, Path) and kept is not None:
            await self.empty()
            self.target.write_bytes(kept)
            return
        await self.with_old_tables()
        async with self.connect() as db:
            for migration in before:
                await migration(db)

    async def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Every table with its rows, in one order."""
        async with self.connect() as db:
            names = await table_names(db)
            return {
                name: sorted(
                    [dict(r) for r in await db.fetchall(f"SELECT * FROM satoshimachine.{name}")],
                    key=repr,
                )
                for name in names
            }


async def table_names(db: Any) -> list[str]:
    from lnbits.db import SQLITE

    query = (
        "SELECT name FROM satoshimachine.sqlite_master WHERE type = 'table' ORDER BY rowid"
        if db.type == SQLITE
        else "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = 'satoshimachine' ORDER BY table_name"
    )
    return [row["name"] for row in await db.fetchall(query)]


def migrations() -> list[tuple[int, Callable[[Any], Awaitable[None]]]]:
    """Our migrations in the order LNbits runs them, with their numbers."""
    from satmachineadmin import migrations as module

    found = []
    for name, function in vars(module).items():
        if match := re.match(r"m(\d\d\d)_", name):
            found.append((int(match[1]), function))
    return found


async def migrate(db: Any) -> None:
    """Run all of them."""
    for _, migration in migrations():
        await migration(db)


@asynccontextmanager
async def extra_database(url: str, name: str) -> AsyncIterator[str]:
    """Another database on this PostgreSQL server; its address."""
    import asyncpg

    admin = await asyncpg.connect(url.replace("postgres://", "postgresql://"))
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            with contextlib.suppress(asyncpg.PostgresError):
                await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()
