"""A PostgreSQL database for the LNbits under test: an embedded server, or the one we were given."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from .environment import Environment


@asynccontextmanager
async def postgres(environment: Environment) -> AsyncIterator[None]:
    """Be there while the tests run; nothing to do on SQLite."""
    if environment.postgres_url is None:
        yield
    elif environment.postgres_server is not None:
        async with _given(environment.postgres_server, environment.postgres_url):
            yield
    else:
        async with _embedded(environment):
            yield


@asynccontextmanager
async def _embedded(environment: Environment) -> AsyncIterator[None]:
    # After the environment is set: importing a part of the extension imports lnbits.
    from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu

    # The same embedded server as the demo's Lamassu, here with LNbits' database in it. Its port
    # had to be known before LNbits was imported, so it is written where the server keeps it.
    folder = environment.folder / "postgres"
    folder.mkdir()
    (folder / "state.json").write_text(json.dumps({"pg_port": environment.postgres_port}))
    async with EmbeddedLamassu(folder) as server:
        await server.execute("CREATE ROLE lnbits LOGIN SUPERUSER PASSWORD 'lnbits'")
        await server.execute("CREATE DATABASE lnbits OWNER lnbits")
        if server.pg_port != environment.postgres_port:
            raise RuntimeError("another program took the port of the test's PostgreSQL")
        yield


@asynccontextmanager
async def _given(server: str, url: str) -> AsyncIterator[None]:
    database = urlsplit(url).path.lstrip("/")
    await _run(server, f'CREATE DATABASE "{database}"')
    try:
        yield
    finally:
        await _run(server, f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
