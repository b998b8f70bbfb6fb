"""A machine at work for tests outside `tests/integration`, and pictures of all our tables."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from .books import SCHEMA
from .operator import BASE, Operator

PAGE = "/satmachineadmin/"
PUBLIC = ("GET", f"{BASE}/client-limits")  # the companion's page reads it before any login


@asynccontextmanager
async def embedded_lamassu(folder: Path) -> AsyncIterator[Any]:
    """A real Lamassu: PostgreSQL behind an SSH server."""
    # After the environment is set: importing a part of the extension imports lnbits.
    from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu

    async with EmbeddedLamassu(folder) as running:
        yield running


@asynccontextmanager
async def operator_at_work(superuser: httpx.AsyncClient, lamassu: Any) -> AsyncIterator[Operator]:
    """An operator whose machine is set up; at the end the books must be right."""
    from satmachineadmin.adapters import marker
    from satmachineadmin.services import readiness

    await lamassu.empty()
    marker.path().unlink(missing_ok=True)
    readiness.forget()
    at_work = Operator(superuser, lamassu)
    await at_work.set_up()
    yield at_work
    await at_work.check_books()


def patient(like: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same caller, who gets a 500 as an answer, as a browser does, not the exception."""
    app = like._transport.app  # type: ignore[attr-defined]
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
        base_url=like.base_url,
        headers=like.headers,
        timeout=60,
    )


def our_routes(app: FastAPI) -> list[tuple[str, str]]:
    """(method, path template) of every route of ours, the page included."""
    return sorted(
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute) and route.path.startswith("/satmachineadmin")
        for method in route.methods
    )


async def table_names() -> list[str]:
    """Every table of ours in the database."""
    from lnbits.db import SQLITE
    from satmachineadmin.crud import db

    if db.type == SQLITE:
        found = await db.fetchall(f"SELECT name FROM {SCHEMA}.sqlite_master WHERE type = 'table'")
    else:
        found = await db.fetchall(
            "SELECT table_name AS name FROM information_schema.tables"
            f" WHERE table_schema = '{SCHEMA}' AND table_type = 'BASE TABLE'"
        )
    return sorted(row["name"] for row in found if not row["name"].startswith("sqlite_"))


async def picture() -> dict[str, list[str]]:
    """Every row of every table of ours, and of LNbits' payments. In one go: tests of refusals look
    some thousand times.
    """
    from lnbits.core.db import db as core_db
    from lnbits.db import SQLITE
    from satmachineadmin.crud import db

    if db.type == SQLITE:
        found = _rows_of(db.path, None) | _rows_of(core_db.path, "apipayments")
    else:
        places = {name: f"{SCHEMA}.{name}" for name in await table_names()}
        places["apipayments"] = "apipayments"
        async with core_db.connect() as conn:
            found = {
                name: [dict(row) for row in await conn.fetchall(f"SELECT * FROM {place}")]
                for name, place in places.items()
            }
    return {name: sorted(repr(sorted(row.items())) for row in rows) for name, rows in found.items()}


def _rows_of(path: str, table: str | None) -> dict[str, list[dict[str, Any]]]:
    """The rows of one table of a SQLite file, or of all of them."""
    with closing(sqlite3.connect(path, timeout=10)) as raw:
        raw.row_factory = sqlite3.Row
        tables = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: [dict(row) for row in raw.execute(f'SELECT * FROM "{name}"')]
            for (name,) in tables
            if table is None or name == table
        }


async def change(statement: str, values: dict[str, Any] | None = None) -> None:
    """Run SQL on our tables, as another program would."""
    from satmachineadmin.crud import db

    await db.execute(statement, values)


async def fetch(query: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Read our tables past the product."""
    from satmachineadmin.crud import db

    return [dict(row) for row in await db.fetchall(query, values)]
