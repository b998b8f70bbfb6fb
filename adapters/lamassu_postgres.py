"""Lamassu's database as the rest of the program sees it: read-only, row by row, as text.

Owns the connection (SSH tunnel or direct) and the reading; decides nothing about a row.
The poll's idea: `look()` is one query that tells per hour of `created` how many candidate
rows there are and a digest of all their values. The caller keeps the digests of its last
complete look and fetches only hours that differ: every change in the window is seen, and a
poll that finds nothing new costs a connection and one query.
Every failure is one of errors.py's SourceErrors; an empty list means "no rows", never "I
could not look". Nothing is taken from the environment, and everything opened is closed
however a block ends.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import (
    DependencyMissing,
    SourceAnswerUnusable,
    SourceColumnMissing,
    SourceConnectionLost,
    SourceError,
    SourceGrantMissing,
    SourceTableMissing,
)
from . import lamassu_queries as sql
from .lamassu_queries import FAR_HOUR_US, HOUR_US, Probes
from .source_errors import Stage, translate, translating
from .source_settings import DEFAULT_LIMITS, SourceLimits, SourceSettings
from .ssh_tunnel import (
    LOCAL_PORT,
    HostKey,
    fetch_host_key,
    parse_host_key,
    probe_tunnel,
    ssh_connection,
    tunnel,
    validate_private_key,
)

if TYPE_CHECKING:
    import asyncpg
    import asyncssh

SourceRow = Mapping[str, str | None]

PAGE_ROWS_MAX = 500  # rows in memory at once: about half a megabyte
IDS_PER_QUERY = 500  # keeps a message small; the primary key finds them at once
PROBES_KEEP_S = 24 * 3600  # tables change with an upgrade of Lamassu, not in between
_PROBES_KEPT_MAX = 8  # connections change rarely; old ones are forgotten
_INSTANT_US_MAX = FAR_HOUR_US  # the year 9999: nobody means a later start
_MICRO = 1_000_000

_probes_kept: dict[tuple[object, ...], tuple[float, Probes]] = {}


@dataclass(frozen=True)
class Bucket:
    """One UTC hour of `created` (epoch us of its beginning), its candidates, a digest."""

    hour_us: int
    rows: int
    digest: str


@dataclass(frozen=True)
class SourceLook:
    """The server's clock (epoch us), its difference to ours (theirs - ours), the hours."""

    source_now_us: int
    clock_difference_us: int
    buckets: tuple[Bucket, ...]


class LamassuSource:
    """An open connection. Not for concurrent use: one question at a time."""

    def __init__(
        self,
        connection: asyncpg.Connection[Any],
        settings: SourceSettings,
        limits: SourceLimits = DEFAULT_LIMITS,
    ):
        self._connection = connection
        self._settings = settings
        self._limits = limits

    async def look(self, *, created_from_us: int, start_at_us: int) -> SourceLook:
        """Count and digest per hour of the candidates created since `created_from_us`."""

        async def timed(query: str) -> tuple[list[Any], float]:
            # Prepared first: the clock is compared around one round trip only.
            statement = await self._connection.prepare(query)
            sent_us = time.time_ns() / 1000
            rows = await statement.fetch(_clamp(created_from_us), _clamp(start_at_us))
            return rows, (sent_us + time.time_ns() / 1000) / 2

        rows, ours_us = await self._ask(sql.look, timed)
        theirs_us = (rows[0]["started_us"] + rows[0]["ended_us"]) / 2
        return SourceLook(
            source_now_us=rows[0]["started_us"],
            clock_difference_us=round(theirs_us - ours_us),
            buckets=tuple(
                Bucket(row["hour_us"], row["row_count"], row["digest"])
                for row in rows
                if row["hour_us"] is not None
            ),
        )

    async def rows_in_hour(
        self, hour_us: int, *, start_at_us: int
    ) -> AsyncIterator[list[SourceRow]]:
        """The candidates of one bucket in pages, in order of (created, id)."""
        until_us = None if hour_us >= FAR_HOUR_US else hour_us + HOUR_US
        async for page in self.pages(hour_us, until_us, start_at_us=start_at_us):
            yield page

    async def pages(
        self,
        from_us: int,
        until_us: int | None,
        *,
        start_at_us: int,
        size: int = PAGE_ROWS_MAX,
        cursor: tuple[str | None, str | None] = sql.NO_CURSOR,
    ) -> AsyncIterator[list[SourceRow]]:
        """The candidates created in [from, until), until None: no end; `cursor`: after this row.

        Pages continue after the last (created, id), so rows of the same microsecond are
        neither lost nor doubled, and no transaction stays open between pages.
        """
        while True:
            page = await self._rows(
                sql.rows_in_hour, *(from_us, until_us, _clamp(start_at_us), *cursor, size)
            )
            if page:
                yield page
            if len(page) < size:
                return
            cursor = (page[-1]["created"], page[-1]["id"])

    async def rows_by_id(self, ids: Sequence[str]) -> list[SourceRow]:
        """The rows with these ids, whatever their state; what is no uuid is not found."""
        known = sorted({text for text in map(_uuid_text, ids) if text is not None})
        found: list[SourceRow] = []
        for start in range(0, len(known), IDS_PER_QUERY):
            found += await self._rows(sql.rows_by_id, known[start : start + IDS_PER_QUERY])
        return found

    async def newest_rows(self, limit: int) -> list[SourceRow]:
        """The last candidates, newest first; at most PAGE_ROWS_MAX."""
        wanted = max(0, min(limit, PAGE_ROWS_MAX))
        return await self._rows(sql.newest_rows, 0, wanted)

    async def count_since(self, start_at_us: int, until_us: int | None = None) -> tuple[int, int]:
        """Candidates from `start_at_us` up to and without `until_us`: (rows, sats)."""
        until = None if until_us is None else _clamp(until_us)
        rows = await self._ask(
            sql.count_since,
            lambda query: self._connection.fetch(query, _clamp(start_at_us), until),
        )
        return int(rows[0]["row_count"]), int(rows[0]["sats"])

    async def probes(self, *, fresh: bool = False) -> Probes:
        """What the role can read; kept for a day. Raises if it is not enough."""
        identity = self._settings.identity
        kept = _probes_kept.get(identity)
        if kept and not fresh and time.monotonic() - kept[0] < PROBES_KEEP_S:
            return kept[1]
        _probes_kept.pop(identity, None)
        found = await self.probe()
        found.require(self._settings.username)
        while len(_probes_kept) >= _PROBES_KEPT_MAX:
            _probes_kept.pop(next(iter(_probes_kept)))
        _probes_kept[identity] = (time.monotonic(), found)
        return found

    async def probe(self) -> Probes:
        """Ask the catalogue now; requires nothing."""
        with translating(Stage.QUERY, self._settings.database_place):
            rows = await self._connection.fetch(sql.PROBE, list(sql.ALLOWED_COLUMNS))
        return Probes.of(rows)

    async def _rows(self, build: Callable[[Probes], str], *args: Any) -> list[SourceRow]:
        records = await self._ask(build, lambda query: self._connection.fetch(query, *args))
        return [dict(record) for record in records]

    async def _ask(self, build: Callable[[Probes], str], run: Callable[[str], Any]) -> Any:
        """Run a query built from the probes; once more with fresh ones if they were old."""
        probes = await self.probes()
        try:
            with translating(Stage.QUERY, self._settings.database_place):
                return await run(build(probes))
        except (SourceColumnMissing, SourceGrantMissing, SourceTableMissing):
            # Lamassu was upgraded, or a grant was taken: say exactly what is missing,
            # or go on without an optional column.
            probes = await self.probes(fresh=True)
        with translating(Stage.QUERY, self._settings.database_place):
            return await run(build(probes))


@asynccontextmanager
async def open_source(
    settings: SourceSettings, *, limits: SourceLimits = DEFAULT_LIMITS
) -> AsyncIterator[LamassuSource]:
    """Connect, yield the source, close everything. Raises SourceErrors and NotConfigured.

    Without a pinned host key it raises HostKeyUnknown (facts key_type, fingerprint,
    public_key) and sends no secret anywhere.
    """
    async with AsyncExitStack() as stack:
        ssh = None
        if settings.use_ssh_tunnel:
            ssh = await stack.enter_async_context(ssh_connection(settings, limits))
        connection = await stack.enter_async_context(database_connection(settings, ssh, limits))
        yield LamassuSource(connection, settings, limits)


@asynccontextmanager
async def database_connection(
    settings: SourceSettings,
    ssh: asyncssh.SSHClientConnection | None,
    limits: SourceLimits,
) -> AsyncIterator[asyncpg.Connection[Any]]:
    """PostgreSQL through a tunnel of its own over `ssh`, or directly if that is None."""
    async with AsyncExitStack() as stack:
        if ssh is None:
            connection = await _connect_direct(settings, limits)
        else:
            folder = await stack.enter_async_context(tunnel(ssh, settings, limits))
            try:
                connection = await _connect(settings, limits, folder, LOCAL_PORT, False)
            except SourceConnectionLost:
                # The forwarder only hangs up; the server tells the reason if asked.
                await probe_tunnel(ssh, settings, limits)
                raise
        try:
            yield connection
        except BaseException:
            connection.terminate()  # in mid-query a polite goodbye would wait for it
            raise
        await _close(connection, limits)


async def _connect_direct(
    settings: SourceSettings, limits: SourceLimits
) -> asyncpg.Connection[Any]:
    """Without SSH: encrypted if the server can, else plain, as libpq's "prefer".

    The certificate is not checked: this hides the rows from onlookers, but proves nothing
    about the server. The connection test warns about it. Not asyncpg's own "prefer",
    which reads certificates and settings of the machine we run on.
    """
    asyncpg = _require_asyncpg()
    if settings.by_socket:
        return await _connect(settings, limits, settings.host, settings.port, False)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    place = (settings.host, settings.port)
    try:
        return await _connect(settings, limits, *place, unverified)
    except SourceError as exc:
        cause = exc.__cause__
        refused = type(cause) is ConnectionError  # asyncpg: "rejected SSL upgrade"
        by_rule = type(cause) is asyncpg.InvalidAuthorizationSpecificationError
        if not refused and not by_rule:
            raise
    return await _connect(settings, limits, *place, False)


async def _connect(
    settings: SourceSettings,
    limits: SourceLimits,
    host: str,
    port: int,
    encryption: ssl.SSLContext | bool,
) -> asyncpg.Connection[Any]:
    asyncpg = _require_asyncpg()
    if not settings.database_name or not settings.username:
        raise SourceAnswerUnusable(
            "Database name or role is empty", hint="Enter both in the settings."
        )
    with translating(Stage.DATABASE, settings.database_place):
        connection = await asyncpg.connect(
            host=host,
            port=port,
            user=settings.username,
            # Never None: asyncpg would look into PGPASSWORD and ~/.pgpass.
            password=settings.password or "",
            database=settings.database_name,
            ssl=encryption,
            direct_tls=False,
            target_session_attrs="any",
            krbsrvname="postgres",
            gsslib="gssapi",
            timeout=limits.connect_s,
            # Later than the server's own limit, whose error says more.
            command_timeout=limits.query_s + limits.lock_s,
            server_settings=_session(limits),
        )
    return connection


def _session(limits: SourceLimits) -> dict[str, str]:
    """Settings of the session; they win over those of role and database."""
    return {
        "application_name": "satmachineadmin",
        "default_transaction_read_only": "on",
        "timezone": "UTC",
        "datestyle": "ISO",
        "search_path": "pg_catalog",  # every table is named with its schema
        "statement_timeout": str(round(limits.query_s * 1000)),
        "lock_timeout": str(round(limits.lock_s * 1000)),
        "jit": "off",  # compiling our one large query takes longer than running it
    }


async def _close(connection: asyncpg.Connection[Any], limits: SourceLimits) -> None:
    asyncpg = _require_asyncpg()
    try:
        await connection.close(timeout=limits.close_s)
    except (OSError, asyncio.TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()  # everything was read; the goodbye alone failed


def _require_asyncpg() -> Any:
    try:
        import asyncpg
    except ImportError as exc:
        raise DependencyMissing(
            "The Python package asyncpg is not installed",
            hint="Run `pip install asyncpg` in LNbits' environment and restart LNbits.",
        ) from exc
    return asyncpg


def _clamp(instant_us: int) -> int:
    """Epoch microseconds that PostgreSQL can add to its epoch."""
    return max(0, min(instant_us, _INSTANT_US_MAX))


def _uuid_text(text: str) -> str | None:
    """Canonical text of a uuid as Lamassu prints it; None for anything else."""
    try:
        canonical = str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        return None
    return canonical if canonical == text.strip().lower() else None


__all__ = (
    "DEFAULT_LIMITS",
    "IDS_PER_QUERY",
    "PAGE_ROWS_MAX",
    "Bucket",
    "HostKey",
    "LamassuSource",
    "SourceLimits",
    "SourceLook",
    "SourceRow",
    "SourceSettings",
    "database_connection",
    "fetch_host_key",
    "open_source",
    "parse_host_key",
    "translate",
    "validate_private_key",
)
