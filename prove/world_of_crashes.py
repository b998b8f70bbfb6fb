"""What the crash scenarios start from: a real LNbits' databases, prepared once, put back each time.

A process of its own boots LNbits and a Lamassu, lets an operator set everything up through the API,
keeps the databases of every case as templates and stops LNbits. Lamassu (and LNbits' PostgreSQL)
go on; each scenario begins with a fresh copy of a template at the place where LNbits had it.
"""

from __future__ import annotations

from . import setting  # noqa: F401 - what is imported below reads what it prepared

# isort: split
import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from lnbits.core.db import db as core_db
from satmachineadmin.adapters import marker
from satmachineadmin.database import db as ext_db
from satmachineadmin.dev import sample_rows
from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu
from support.books import clear_books, remember_start
from support.environment import Environment
from support.lnbits_app import SUPERUSER, enabled_client, running_lnbits
from support.operator import Operator
from support.postgres import postgres

from .children import fork_server, wait_for_end

END_S = 60
COPY_TRIES = 50
SALES = 2  # that are settled; one more waits for the operator
FIAT_GTQ = 2000
DEPOSIT_GTQ = "3000"


@dataclass(frozen=True)
class Case:
    """Which template: how many clients, and whether Lamassu is reached through SSH."""

    clients: int
    ssh: bool = False

    @property
    def name(self) -> str:
        return f"case_{self.clients}_{'ssh' if self.ssh else 'straight'}"


class World:
    """The prepared databases. Used by a process without an event loop and without threads."""

    def __init__(self, environment: Environment, cases: list[Case]):
        self.environment = environment
        self.cases = cases
        self.postgres = environment.postgres_url is not None
        self.ssh_port = 0
        self.templates = environment.folder / "templates"

    def __enter__(self) -> World:
        self._pid, self._to, back = fork_server(self._serve)
        self._back = os.fdopen(back)
        self.ssh_port = int(json.loads(self._answer())["ssh_port"])
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._to)
        if not wait_for_end(self._pid, END_S):
            raise TimeoutError("the process with LNbits' servers does not end")

    @property
    def postgres_port(self) -> int:
        """Where LNbits' PostgreSQL listens."""
        return urlsplit(self.environment.postgres_url or "").port or 5432

    def put_back(self, name: str) -> None:
        """The databases as they were when this was kept."""
        self._ask("put_back", name)

    def keep(self, name: str) -> None:
        """Keep the databases as they are now, with whatever a kill left beside them."""
        self._ask("keep", name)

    def drop(self, name: str) -> None:
        """Forget kept files."""
        shutil.rmtree(self.templates / name)

    def _ask(self, what: str, name: str) -> None:
        if self.postgres:
            os.write(self._to, f"{what} {name}\n".encode())
            self._answer()
        else:
            (_put_back_files if what == "put_back" else _keep_files)(self.templates / name)

    def _answer(self) -> str:
        line = self._back.readline()
        if not line:
            raise RuntimeError("the process with LNbits' servers ended")
        return line

    # -- in the process with the servers ---------------------------------------------------------

    def _serve(self, read_from: int, write_to: int) -> None:
        asyncio.run(self._host(read_from, write_to))

    async def _host(self, read_from: int, write_to: int) -> None:
        self.templates.mkdir()
        async with (
            postgres(self.environment),
            EmbeddedLamassu(self.environment.folder / "lamassu") as lamassu,
            _admin(self.environment) as admin,
        ):
            async with running_lnbits() as app:
                await remember_start()
                async with enabled_client(app, SUPERUSER) as http:
                    await self._prepare(Operator(http, lamassu), admin)
            await _sell(lamassu)
            os.write(write_to, (json.dumps({"ssh_port": lamassu.ssh_port}) + "\n").encode())
            reader = asyncio.StreamReader()
            loop = asyncio.get_running_loop()
            await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_from)
            )
            while line := (await reader.readline()).decode().split():
                await (_put_back_database if line[0] == "put_back" else _keep_database)(
                    self.environment, admin, self.templates / line[1]
                )
                os.write(write_to, b"done\n")

    async def _prepare(self, first: Operator, admin: Any) -> None:
        for case in self.cases:
            await clear_books()
            marker.path().unlink(missing_ok=True)
            operator = Operator(first.http, first.lamassu)
            straight = {"use_ssh_tunnel": False}
            await operator.set_up(**({} if case.ssh else straight))
            await operator.api("PUT", "settings", json={"settle_without_clients": True})
            for _ in range(case.clients):
                await operator.add_client(DEPOSIT_GTQ)
            if admin is None:
                async with ext_db.lock, core_db.lock:
                    _keep_files(self.templates / case.name)
            else:
                await core_db.engine.dispose()
                await ext_db.engine.dispose()
                await _keep_database(self.environment, admin, self.templates / case.name)


async def _sell(lamassu: EmbeddedLamassu) -> None:
    """What the ATM sold: two sales to settle, and one that waits for a person."""
    hour = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    begin = hour - timedelta(hours=2)
    rows = [
        sample_rows.sale(fiat=FIAT_GTQ, confirmed_at=begin + timedelta(minutes=1 + number))
        for number in range(SALES)
    ]
    rows.append(sample_rows.discount_out_of_range(confirmed_at=begin + timedelta(minutes=30)))
    await lamassu.insert(rows)


# -- SQLite: files --------------------------------------------------------------------------------


def beside(folder: Path | None = None) -> list[Path]:
    """Our two databases and everything SQLite put beside them."""
    where = folder or Path(core_db.path).parent
    names = [Path(core_db.path).name, Path(ext_db.path).name]
    return sorted(path for name in names for path in where.glob(f"{name}*"))


def journals() -> list[str]:
    """What a kill left beside the databases, without the part that is random."""
    if core_db.type != "SQLITE":
        return []
    return [path.name.split("-mj")[0] for path in beside() if path.suffix != ".sqlite3"]


def marked() -> str:
    """What our marker beside the databases says, without which file it is."""
    if not marker.path().exists():
        return "none"
    text = marker.path().read_text()
    return f"entry {json.loads(text)['ledger_seq']}" if text.strip() else "empty"


def _keep_files(template: Path) -> None:
    template.mkdir()
    for path in beside():
        shutil.copyfile(path, template / path.name)
    _keep_marker(template)


def _put_back_files(template: Path) -> None:
    for path in beside():
        if not (template / path.name).exists():
            path.unlink()
    for path in beside(template):
        shutil.copyfile(path, Path(core_db.path).parent / path.name)
    _put_back_marker(template)


def _keep_marker(template: Path) -> None:
    if marker.path().exists():
        shutil.copyfile(marker.path(), template / marker.FILE_NAME)


def _put_back_marker(template: Path) -> None:
    """As it was; a copied file would tell that it is one."""
    kept = template / marker.FILE_NAME
    marker.path().unlink(missing_ok=True)
    if not kept.exists():
        return
    text = kept.read_text()
    marker.path().touch(mode=0o600)
    if text.strip():
        marker.advance(int(json.loads(text)["ledger_seq"]))


# -- PostgreSQL: databases ------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _admin(environment: Environment) -> AsyncIterator[Any]:
    if environment.postgres_url is None:
        yield None
        return
    address = urlsplit(environment.postgres_server or environment.postgres_url)
    connection = await asyncpg.connect(urlunsplit(address._replace(path="/postgres")))
    try:
        yield connection
    finally:
        found = await connection.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)",
            _database(environment) + "_",
        )
        for row in found:
            await connection.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')
        await connection.close()


def _database(environment: Environment) -> str:
    return urlsplit(environment.postgres_url or "").path.lstrip("/")


def _template(environment: Environment, template: Path) -> str:
    return f"{_database(environment)}_{template.name}"


async def _keep_database(environment: Environment, admin: Any, template: Path) -> None:
    await _copy(admin, _database(environment), _template(environment, template))
    template.mkdir()
    _keep_marker(template)


async def _put_back_database(environment: Environment, admin: Any, template: Path) -> None:
    await admin.execute(f'DROP DATABASE IF EXISTS "{_database(environment)}" WITH (FORCE)')
    await _copy(admin, _template(environment, template), _database(environment))
    _put_back_marker(template)


async def _copy(admin: Any, source: str, target: str) -> None:
    """A killed client's session ends a moment later; a copy needs the database for itself."""
    for left in reversed(range(COPY_TRIES)):
        try:
            await admin.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')
            return
        except asyncpg.ObjectInUseError:
            if not left:
                raise
            await asyncio.sleep(0.02)
