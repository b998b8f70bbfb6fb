"""A real Lamassu server to read from: PostgreSQL and an SSH server in one folder.

Owns: the database `lamassu` with our own DDL (`lamassu_schema.sql`), the read-only role made by
exactly `docs/lamassu-grants.sql`, and what the folder remembers: ports, keys, passwords and
rows survive a restart. For tests and the demo only.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import asyncpg

from . import sample_rows as sample
from .embedded_postgres import OWNER, EmbeddedPostgres
from .embedded_ssh import SSH_USER, EmbeddedSsh

DATABASE = "lamassu"
READER = "satmachine_reader"  # the role of docs/lamassu-grants.sql
# Hashing is for passwords that people choose, this one is random; asyncpg hashes in Python, and the
# usual 4,096 rounds were a quarter of a test's poll.
SCRAM_ITERATIONS = 64

_HERE = Path(__file__).resolve().parent
_SCHEMA_SQL = _HERE / "lamassu_schema.sql"
_GRANTS_SQL = _HERE.parent / "docs" / "lamassu-grants.sql"


class EmbeddedLamassu:
    """Start with `await start()`, end with `await stop()`; also an async context manager.

    Attributes valid after `start()`: ssh_host, ssh_port, ssh_username, ssh_password,
    ssh_private_key (OpenSSH text), ssh_host_key (public key line), pg_host, pg_port,
    pg_socket_dir, database_name, username, password.
    Levers: stop_ssh/start_ssh, stop_pg/start_pg, rotate_host_key, go_silent,
    drop_connections, and on `ssh`: `forbid_forwarding`, `allow_password`, `delay_s` (before
    login).
    """

    def __init__(
        self, folder: str | Path, *, fixed_fee: bool = False, pg_bin: str | Path | None = None
    ):
        """`pg_bin`: folder with another PostgreSQL's initdb, pg_ctl and postgres."""
        self.folder = Path(folder).resolve()
        self.database_name = DATABASE
        self.username = READER
        self.owner = OWNER
        self.pg_host = "127.0.0.1"
        self.ssh_host = "127.0.0.1"
        self.ssh_username = SSH_USER
        self._fixed_fee = fixed_fee
        self._pg_bin = Path(pg_bin) if pg_bin else None
        self._owner: asyncpg.Connection[Any] | None = None

    # ---- life ----------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring both servers up; on a used folder the data, keys and ports are kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._load_state()
        self.postgres = EmbeddedPostgres(self.folder, self.pg_port, self._pg_bin)
        self.ssh = EmbeddedSsh(self.folder, self.ssh_host, self.ssh_port, self.ssh_password)
        await self.start_pg()
        self.ssh.allowed_port = self.pg_port
        self.ssh.allowed_path = self.pg_socket_path
        await self.start_ssh()

    async def stop(self) -> None:
        """Stop both servers; the folder stays and can be started again."""
        await self.stop_ssh()
        await self.stop_pg()

    async def __aenter__(self) -> EmbeddedLamassu:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    # ---- facts ---------------------------------------------------------------------------

    @property
    def ssh_host_key(self) -> str:
        """The server's public key as one OpenSSH line."""
        return self.ssh.host_key.export_public_key().decode().strip()

    @property
    def ssh_private_key(self) -> str:
        return self.ssh.client_key_text

    @property
    def pg_socket_dir(self) -> str:
        """Folder of PostgreSQL's unix socket: the `host` of a connection by socket."""
        return self.postgres.socket_dir

    @property
    def pg_socket_path(self) -> str:
        return f"{self.pg_socket_dir}/.s.PGSQL.{self.pg_port}"

    @property
    def live_ssh_connections(self) -> int:
        return len(self.ssh.connections)

    # ---- rows --------------------------------------------------------------------------

    async def insert(self, rows: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> None:
        """Insert rows of cash_out_txs; columns that a row leaves out get their default.

        Values may be text, numbers, booleans, None or aware datetimes.
        """
        batches: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
        for row in [rows] if isinstance(rows, Mapping) else rows:
            batches.setdefault(tuple(sorted(row)), []).append(row)
        for columns, batch in batches.items():
            names = ", ".join(_quoted(column) for column in columns)
            await self.execute(
                f"INSERT INTO cash_out_txs ({names}) SELECT {names}"  # noqa: S608
                " FROM json_populate_recordset(NULL::cash_out_txs, $1::json)",
                json.dumps(batch, default=str),
            )

    async def update(self, row_id: str, **changes: Any) -> None:
        """Change columns of one sale, as Lamassu would."""
        names = ", ".join(_quoted(column) for column in changes)
        await self.execute(
            f"UPDATE cash_out_txs SET ({names}) = (SELECT {names}"  # noqa: S608
            " FROM json_populate_record(NULL::cash_out_txs, $2::json))"
            " WHERE id = $1::text::uuid",
            row_id,
            json.dumps(changes, default=str),
        )

    async def execute(self, sql: str, *args: Any) -> str:
        """Run anything as the owner (a superuser, over the socket)."""
        return str(await self._owner_connection().execute(sql, *args))

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        return list(await self._owner_connection().fetch(sql, *args))

    async def connect_as_owner(self) -> asyncpg.Connection[Any]:
        """A connection of its own, for example to hold a lock; the caller closes it."""
        return await self.postgres.connect(DATABASE)

    async def add_fixed_fee(self) -> None:
        """The column that came with Lamassu 10.1; the reader's grants are renewed."""
        await self.execute(
            "ALTER TABLE cash_out_txs ADD COLUMN IF NOT EXISTS"
            " fixed_fee numeric(14, 5) NOT NULL DEFAULT 0"
        )
        await self.execute(_GRANTS_SQL.read_text())

    async def empty(self) -> None:
        """Forget all sales; devices and customers stay."""
        await self.execute("TRUNCATE cash_out_txs")

    # ---- levers --------------------------------------------------------------------------

    async def start_ssh(self) -> None:
        """Listen on the folder's SSH port; ends a silent phase."""
        await self.ssh.start()

    async def stop_ssh(self) -> None:
        """Refuse connections from now on and cut the living ones."""
        await self.ssh.stop()

    async def go_silent(self) -> None:
        """Accept TCP on the SSH port and say nothing; `start_ssh()` ends it."""
        await self.ssh.go_silent()

    async def rotate_host_key(self, key_type: str = "ssh-ed25519") -> None:
        """Come back on the same port with another host key, as after a reinstall."""
        await self.ssh.rotate_host_key(key_type)

    async def drop_connections(self) -> None:
        """Cut every live SSH connection without a word."""
        await self.ssh.drop_connections()

    async def start_pg(self) -> None:
        """Start PostgreSQL; on first use make database, tables and role."""
        if self.postgres.running:
            return
        await self.postgres.start()
        connection = await self.postgres.connect("postgres")
        try:
            known = await connection.fetchval(
                "SELECT 1 FROM pg_database WHERE datname = $1", DATABASE
            )
            if known is None:
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()
        self._owner = await self.connect_as_owner()
        if known is None:
            await self._create_tables()

    async def stop_pg(self) -> None:
        """Stop PostgreSQL; live sessions are ended."""
        if self._owner is not None:
            self._owner.terminate()
            self._owner = None
        await self.postgres.stop()

    # ---- making and remembering ----------------------------------------------------------

    async def _create_tables(self) -> None:
        await self.execute(_SCHEMA_SQL.read_text())
        await self.execute(_GRANTS_SQL.read_text())
        await self.fetch(  # PostgreSQL 16 and later
            "SELECT set_config(name, $1, false) FROM pg_settings WHERE name = 'scram_iterations'",
            str(SCRAM_ITERATIONS),
        )
        await self.execute(f"ALTER ROLE {READER} PASSWORD '{self.password}'")
        if self._fixed_fee:
            await self.add_fixed_fee()
        await self.execute(
            "INSERT INTO devices (device_id, name, model, version) VALUES"
            " ($1, 'Mercado Central', 'sintra', '10.0.3'),"
            " ($2, 'Zona Viva', 'tejo', '10.0.3')",
            *(sample.MACHINE, sample.OTHER_MACHINE),
        )
        await self.execute(
            "INSERT INTO unpaired_devices (device_id, name, paired, unpaired)"
            " VALUES ($1, 'Antigua Plaza', now() - interval '300 days',"
            " now() - interval '2 days')",
            sample.UNPAIRED_MACHINE,
        )
        await self.execute(
            "INSERT INTO customers (id, name, is_test_customer)"
            " VALUES ($1::text::uuid, 'sample test customer', true)",
            sample.TEST_CUSTOMER,
        )

    def _owner_connection(self) -> asyncpg.Connection[Any]:
        if self._owner is None:
            raise RuntimeError("EmbeddedLamassu's PostgreSQL is not running")
        return self._owner

    def _load_state(self) -> None:
        """Ports and passwords; a port that somebody took meanwhile is replaced."""
        path = self.folder / "state.json"
        state = json.loads(path.read_text()) if path.exists() else {}
        self.password = state.get("password") or secrets.token_urlsafe(18)
        self.ssh_password = state.get("ssh_password") or secrets.token_urlsafe(18)
        self.pg_port = _port_or_another(state.get("pg_port"))
        self.ssh_port = _port_or_another(state.get("ssh_port"), but=self.pg_port)
        names = ("password", "ssh_password", "pg_port", "ssh_port")
        path.touch(mode=0o600)
        path.write_text(json.dumps({name: getattr(self, name) for name in names}))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _port_or_another(wanted: int | None, but: int | None = None) -> int:
    """`wanted` if nobody listens there, else a free port of 127.0.0.1."""
    for port in (wanted or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen = int(probe.getsockname()[1])
            if chosen != but:
                return chosen
    return _port_or_another(None, but)


def sample_settings(lamassu: EmbeddedLamassu) -> dict[str, Any]:
    """Keywords for `SourceSettings`: TCP through the tunnel, key login, pinned key."""
    return {
        "host": lamassu.pg_host,
        "port": lamassu.pg_port,
        "database_name": lamassu.database_name,
        "username": lamassu.username,
        "password": lamassu.password,
        "use_ssh_tunnel": True,
        "ssh_host": lamassu.ssh_host,
        "ssh_port": lamassu.ssh_port,
        "ssh_username": lamassu.ssh_username,
        "ssh_password": None,
        "ssh_private_key": lamassu.ssh_private_key,
        "ssh_key_passphrase": None,
        "ssh_host_key": lamassu.ssh_host_key,
    }
