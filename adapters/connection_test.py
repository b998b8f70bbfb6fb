"""The connection test of the setup page: every step from the SSH port to the rows.

Changes nothing anywhere. A failing step carries the code and hint of its error; the steps
behind it are "not reached". What is granted beyond need is a warning, not a failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import HostKeyChanged, HostKeyUnknown, SatMachineError, SourceTimeout
from . import lamassu_queries as sql
from .lamassu_postgres import LamassuSource, database_connection
from .lamassu_queries import Probes
from .source_errors import Stage, translating
from .source_settings import DEFAULT_LIMITS, SourceLimits, SourceSettings
from .ssh_tunnel import fetch_host_key, parse_host_key, probe_tunnel, ssh_connection

if TYPE_CHECKING:
    import asyncpg
    import asyncssh

STEP_NAMES = (
    *("ssh_reached", "host_key", "ssh_login", "tunnel", "database"),
    *("table_and_columns", "grants", "clock_difference", "rows_found"),
)
GRANTS_BEYOND_NEED = "GRANTS_BEYOND_NEED"
GRANTS_OPTIONAL_MISSING = "GRANTS_OPTIONAL_MISSING"
CLOCK_DIFFERENCE = "CLOCK_DIFFERENCE"
NO_ROWS = "NO_ROWS"
NO_SSH = "NO_SSH"

_CLOCK_WARN_S = 60  # deposits and sales are ordered by time; minutes would matter
_NAMES_SHOWN_MAX = 5  # of tables and columns in one sentence
_PG_NO_PUBLIC_CREATE = 15  # before, every role may create in schema public by default
_PG_MIN = 12

_ROLE = """
SELECT rolsuper AS "superuser", rolcreaterole AS "may create roles",
       rolcreatedb AS "may create databases", rolreplication AS "replication",
       rolbypassrls AS "bypasses row security",
       has_database_privilege(current_database(), 'CREATE')
       AS "may create schemas in this database"
FROM pg_roles WHERE rolname = current_user
"""
_SCHEMAS = """
SELECT nspname::text AS name FROM pg_namespace
WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
  AND has_schema_privilege(oid, 'CREATE')
ORDER BY nspname
"""
_TABLES = """
SELECT * FROM (
    SELECT n.nspname::text AS schema_name, c.relname::text AS table_name,
           has_any_column_privilege(c.oid, 'INSERT')
           OR has_any_column_privilege(c.oid, 'UPDATE')
           OR has_table_privilege(c.oid, 'DELETE')
           OR has_table_privilege(c.oid, 'TRUNCATE')
           OR has_table_privilege(c.oid, 'TRIGGER') AS writable,
           ARRAY(SELECT a.attname::text FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND has_column_privilege(c.oid, a.attnum, 'SELECT')
                 ORDER BY a.attnum) AS readable
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
) t WHERE writable OR readable <> ARRAY[]::text[]
ORDER BY schema_name, table_name
"""


@dataclass(frozen=True)
class TestStep:
    """`ok` None: not reached, or not used. A code on an ok step is a warning."""

    __test__ = False  # not a test class of pytest's

    name: str
    ok: bool | None
    detail: str
    code: str | None = None
    hint: str | None = None


OnStep = Callable[[TestStep], Awaitable[None]]


async def test_connection_steps(
    settings: SourceSettings,
    *,
    on_step: OnStep | None = None,
    limits: SourceLimits = DEFAULT_LIMITS,
) -> list[TestStep]:
    """All of STEP_NAMES in order. Never raises for anything the far end does.

    `on_step` is awaited as soon as a step has ended. Bounded by `limits.test_s`.
    """
    run = _Run(settings, limits, on_step)
    with suppress(_Stopped):
        try:
            await asyncio.wait_for(run.all(), limits.test_s)
        except asyncio.TimeoutError:
            late = SourceTimeout(f"The test was stopped after {limits.test_s:g} s")
            await run.end(_failed(run.current, late))
    for name in STEP_NAMES[len(run.steps) :]:
        await run.end(TestStep(name, None, "not reached"))
    return run.steps


test_connection_steps.__test__ = False  # type: ignore[attr-defined]


class _Stopped(Exception):
    """A step failed and was recorded; the later ones are not reached."""


@dataclass
class _Report:
    """What a step that is going well wants to say."""

    detail: str = ""
    code: str | None = None
    hint: str | None = None


class _Run:
    def __init__(self, settings: SourceSettings, limits: SourceLimits, on_step: OnStep | None):
        self.settings = settings
        self.limits = limits
        self.steps: list[TestStep] = []
        self.current = STEP_NAMES[0]
        self._on_step = on_step

    async def end(self, step: TestStep) -> None:
        self.steps.append(step)
        if self._on_step is not None:
            await self._on_step(step)

    async def all(self) -> None:
        async with AsyncExitStack() as stack:
            ssh = None
            if self.settings.use_ssh_tunnel:
                ssh = await self._ssh(stack)
            else:
                await self._no_ssh()
            async with self._step("database") as report:
                connection = await stack.enter_async_context(
                    database_connection(self.settings, ssh, self.limits)
                )
                self._say_version(connection, report)
            source = LamassuSource(connection, self.settings, self.limits)
            probes = await self._tables(source)
            async with self._step("grants") as report:
                with translating(Stage.QUERY):
                    await self._grants(connection, probes, report)
            await self._clock(source)
            await self._rows(source)

    @asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[_Report]:
        self.current = name
        report = _Report()
        try:
            yield report
        except SatMachineError as exc:
            await self.end(_failed(name, exc))
            raise _Stopped from exc
        await self.end(TestStep(name, True, report.detail, report.code, report.hint))

    async def _no_ssh(self) -> None:
        direct = not self.settings.by_socket
        for name in STEP_NAMES[:4]:
            await self.end(
                TestStep(
                    name,
                    None,
                    "not used",
                    NO_SSH if direct else None,
                    (
                        "Without SSH the server is not proven and the traffic may be"
                        " readable on the way; use the SSH tunnel."
                        if direct
                        else None
                    ),
                )
            )

    async def _ssh(self, stack: AsyncExitStack) -> asyncssh.SSHClientConnection:
        settings, limits = self.settings, self.limits
        async with self._step("ssh_reached") as report:
            found = await fetch_host_key(settings, limits=limits)
            report.detail = settings.ssh_place
        async with self._step("host_key") as report:
            if not settings.ssh_host_key:
                raise HostKeyUnknown(
                    f"Nobody has accepted the SSH key of {settings.ssh_place} yet:"
                    f" {found.key_type} {found.fingerprint_sha256}",
                    **found.facts,
                )
            pinned = parse_host_key(settings.ssh_host_key)
            if pinned.key_type != found.key_type:
                found = await fetch_host_key(settings, key_type=pinned.key_type, limits=limits)
            if pinned.public_line != found.public_line:
                raise HostKeyChanged(
                    f"{found.fingerprint_sha256} instead of the accepted"
                    f" {pinned.fingerprint_sha256}"
                )
            report.detail = f"{found.key_type} {found.fingerprint_sha256}"
        async with self._step("ssh_login") as report:
            ssh = await stack.enter_async_context(ssh_connection(settings, limits))
            report.detail = f"as {settings.ssh_username}"
        async with self._step("tunnel") as report:
            await probe_tunnel(ssh, settings, limits)
            report.detail = f"to {settings.database_place}"
        return ssh

    def _say_version(self, connection: asyncpg.Connection[Any], report: _Report) -> None:
        version = connection.get_server_version()
        report.detail = (
            f"PostgreSQL {version.major}, database {self.settings.database_name}"
            f" as {self.settings.username}"
        )
        if version.major < _PG_MIN:
            report.code = "SERVER_OLD"
            report.hint = f"Tested from PostgreSQL {_PG_MIN} on."

    async def _tables(self, source: LamassuSource) -> Probes:
        async with self._step("table_and_columns") as report:
            probes = await source.probe()
            if not probes.there or probes.missing_columns():
                probes.require(self.settings.username)
            fee = "with" if sql.FIXED_FEE in probes.there[sql.TABLE] else "without"
            report.detail = f"{sql.TABLE} has every column needed, {fee} fixed_fee"
        return probes

    async def _grants(
        self, connection: asyncpg.Connection[Any], probes: Probes, report: _Report
    ) -> None:
        probes.require(self.settings.username)
        optional = probes.missing_optional()
        beyond, remark = await _beyond_need(connection)
        said = ["everything needed"]
        if optional:
            said.append(f"not granted, so not looked at: {'; '.join(optional)}")
            report.code = GRANTS_OPTIONAL_MISSING
            report.hint = "docs/lamassu-grants.sql grants it."
        if beyond:
            said.append(f"granted beyond need: {'; '.join(beyond)}")
            report.code = GRANTS_BEYOND_NEED
            report.hint = (
                "Use a role of its own as in docs/lamassu-grants.sql: what it cannot"
                " do, nobody can do who steals its password."
            )
        report.detail = ". ".join([*said, *remark])

    async def _clock(self, source: LamassuSource) -> None:
        async with self._step("clock_difference") as report:
            # Nothing was created in the year 9999: only the clock is asked.
            look = await source.look(created_from_us=sql.FAR_HOUR_US, start_at_us=sql.FAR_HOUR_US)
            seconds = look.clock_difference_us / 1_000_000
            side = "ahead of" if seconds >= 0 else "behind"
            report.detail = f"Lamassu's clock is {abs(seconds):.1f} s {side} ours"
            if abs(seconds) > _CLOCK_WARN_S:
                report.code = CLOCK_DIFFERENCE
                report.hint = "Let both servers take their time from NTP."

    async def _rows(self, source: LamassuSource) -> None:
        async with self._step("rows_found") as report:
            count, _ = await source.count_since(0)
            newest = await source.newest_rows(1)
            if not newest:
                report.detail = "no paid cash-out yet"
                report.code = NO_ROWS
                report.hint = "Correct for a new machine; else check the database name."
                return
            when = newest[0]["confirmed_at"] or newest[0]["created"] or ""
            report.detail = f"{count} paid cash-outs, the newest of {when[:19]} UTC"


def _failed(name: str, exc: SatMachineError) -> TestStep:
    return TestStep(name, False, exc.message, exc.code, exc.hint)


async def _beyond_need(
    connection: asyncpg.Connection[Any],
) -> tuple[list[str], list[str]]:
    """What the role can do and need not (sentences), and remarks that are no warning."""
    role = await connection.fetchrow(_ROLE)
    beyond = [name for name, has in (role or {}).items() if has]
    if role and role["superuser"]:
        return ["superuser"], []  # everything else follows from it
    remark = []
    for row in await connection.fetch(_SCHEMAS):
        old = connection.get_server_version().major < _PG_NO_PUBLIC_CREATE
        if row["name"] == "public" and old:
            remark.append(
                "This PostgreSQL lets every role create tables in schema public"
                " (REVOKE CREATE ON SCHEMA public FROM PUBLIC ends that)"
            )
        else:
            beyond.append(f"may create in schema {row['name']}")
    writable, readable = [], []
    for row in await connection.fetch(_TABLES):
        public = row["schema_name"] == "public"
        allowed = sql.ALLOWED_COLUMNS.get(row["table_name"], ()) if public else ()
        more = [name for name in row["readable"] if name not in allowed]
        if row["writable"]:
            writable.append(row["table_name"])
        if more:
            known = row["table_name"] in sql.ALLOWED_COLUMNS and public
            columns = f"({_some(more)})" if known else ""
            readable.append(f"{row['table_name']}{columns}")
    if writable:
        beyond.append(f"may write {_some(writable)}")
    if readable:
        beyond.append(f"may read {_some(readable)}")
    return beyond, remark


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN_MAX])
    more = len(names) - _NAMES_SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown
