"""The connection test of the setup page, and the documented grants and key lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from satmachineadmin.adapters.connection_test import (
    CLOCK_DIFFERENCE,
    GRANTS_BEYOND_NEED,
    GRANTS_OPTIONAL_MISSING,
    NO_ROWS,
    NO_SSH,
    STEP_NAMES,
    TestStep,
    test_connection_steps,
)
from satmachineadmin.adapters.lamassu_postgres import SourceLook, open_source
from satmachineadmin.adapters.source_settings import SourceLimits, SourceSettings
from satmachineadmin.dev import sample_rows as sample
from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu

from .conftest import OpenSshd, require_sshd

run_test = test_connection_steps


def by_name(steps: list[TestStep]) -> dict[str, TestStep]:
    assert [step.name for step in steps] == list(STEP_NAMES)
    return {step.name: step for step in steps}


async def test_a_good_connection_by_every_way(
    lamassu: EmbeddedLamassu, any_way: SourceSettings, limits: SourceLimits
) -> None:
    """The role is made by exactly docs/lamassu-grants.sql: nothing beyond need."""
    await lamassu.insert(sample.sale())
    seen: list[TestStep] = []

    async def on_step(step: TestStep) -> None:
        seen.append(step)

    steps = await run_test(any_way, on_step=on_step, limits=limits)
    assert seen == steps
    found = by_name(steps)
    if any_way.use_ssh_tunnel:
        assert [step.ok for step in steps] == [True] * len(STEP_NAMES)
        assert {step.code for step in steps} == {None}
    else:
        assert [step.ok for step in steps] == [None] * 4 + [True] * 5
        warned = None if any_way.by_socket else NO_SSH
        assert {step.code for step in steps[:4]} == {warned}
    assert found["grants"].detail == "everything needed"
    assert found["rows_found"].detail.startswith("1 paid cash-outs")


async def test_no_rows_is_a_remark(settings: SourceSettings, limits: SourceLimits) -> None:
    step = by_name(await run_test(settings, limits=limits))["rows_found"]
    assert (step.ok, step.code) == (True, NO_ROWS)


FAILING: dict[str, tuple[dict[str, object], str, str]] = {
    "name": ({"ssh_host": "x.invalid"}, "ssh_reached", "SOURCE_UNREACHABLE"),
    "no pin": ({"ssh_host_key": None}, "host_key", "HOST_KEY_UNKNOWN"),
    "bad pin": ({"ssh_host_key": "x"}, "host_key", "BAD_INPUT"),
    "user": ({"ssh_username": "x"}, "ssh_login", "SSH_LOGIN_REFUSED"),
    "key": ({"ssh_private_key": "x"}, "ssh_login", "SSH_KEY_UNUSABLE"),
    "password": ({"password": "x"}, "database", "SOURCE_LOGIN_REFUSED"),
    "database": ({"database_name": "x"}, "database", "SOURCE_DATABASE_MISSING"),
}


@pytest.mark.parametrize("fault", list(FAILING))
async def test_a_failing_step_ends_it(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits, fault: str
) -> None:
    changes, name, code = FAILING[fault]
    before = lamassu.ssh.login_attempts
    steps = await run_test(replace(settings, **changes), limits=limits)
    place = STEP_NAMES.index(name)
    assert by_name(steps)[name].code == code
    assert by_name(steps)[name].hint
    assert [step.ok for step in steps] == [
        *([True] * place),
        False,
        *([None] * (len(STEP_NAMES) - place - 1)),
    ]
    if place < STEP_NAMES.index("ssh_login"):
        assert lamassu.ssh.login_attempts == before


async def test_changed_key_and_forbidden_tunnel(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    for key_type in ("ecdsa-sha2-nistp256", "ssh-ed25519"):
        await lamassu.rotate_host_key(key_type)
        step = by_name(await run_test(settings, limits=limits))["host_key"]
        assert (step.ok, step.code) == (False, "HOST_KEY_CHANGED")
    accepted = replace(settings, ssh_host_key=lamassu.ssh_host_key)
    lamassu.ssh.forbid_forwarding = True
    step = by_name(await run_test(accepted, limits=limits))["tunnel"]
    assert (step.ok, step.code) == (False, "TUNNEL_REFUSED")


async def test_it_ends_in_time(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    lamassu.ssh.delay_s = 9
    short = replace(limits, login_s=9, connect_s=9, test_s=0.5)
    step = by_name(await run_test(settings, limits=short))["ssh_login"]
    assert (step.ok, step.code) == (False, "SOURCE_TIMEOUT")


async def test_missing_table_column_and_grant(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    rename = "ALTER TABLE cash_out_txs RENAME"
    reader = settings.username
    for breaks, repairs, name, code in (
        (
            f"{rename} TO elsewhere",
            "ALTER TABLE elsewhere RENAME TO cash_out_txs",
            "table_and_columns",
            "SOURCE_TABLE_MISSING",
        ),
        (
            f"{rename} COLUMN fiat TO money",
            f"{rename} COLUMN money TO fiat",
            "table_and_columns",
            "SOURCE_COLUMN_MISSING",
        ),
        (
            f"REVOKE SELECT (fiat) ON cash_out_txs FROM {reader}",
            f"GRANT SELECT (fiat) ON cash_out_txs TO {reader}",
            "grants",
            "SOURCE_GRANT_MISSING",
        ),
    ):
        await lamassu.execute(breaks)
        steps = by_name(await run_test(settings, limits=limits))
        await lamassu.execute(repairs)
        assert (steps[name].ok, steps[name].code) == (False, code)
    assert all(step.ok for step in await run_test(settings, limits=limits))


async def test_optional_grants_are_named(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    columns = "(id, is_test_customer) ON customers"
    await lamassu.execute(f"REVOKE SELECT {columns} FROM {settings.username}")
    step = by_name(await run_test(settings, limits=limits))["grants"]
    await lamassu.execute(f"GRANT SELECT {columns} TO {settings.username}")
    assert (step.ok, step.code) == (True, GRANTS_OPTIONAL_MISSING)
    assert "customers(id, is_test_customer)" in step.detail


BEYOND = {
    "column": ("SELECT (phone) ON cash_out_txs", "cash_out_txs(phone)"),
    "table": ("SELECT ON customers", "customers(phone, name, created)"),
    "write": ("UPDATE (fiat) ON cash_out_txs", "may write cash_out_txs"),
    "delete": ("DELETE ON devices", "may write devices"),
    "schema": ("CREATE ON SCHEMA public", "may create in schema public"),
    "database": ("CREATE ON DATABASE lamassu", "may create schemas"),
}


@pytest.mark.parametrize("what", list(BEYOND))
async def test_beyond_need_is_named(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits, what: str
) -> None:
    grant, named = BEYOND[what]
    role = settings.username
    await lamassu.execute(f"GRANT {grant} TO {role}")
    step = by_name(await run_test(settings, limits=limits))["grants"]
    await lamassu.execute(f"REVOKE {grant} FROM {role}")
    if what == "table":  # a REVOKE of the table takes the columns' grants with it
        await lamassu.execute(f"GRANT SELECT (id, is_test_customer) ON customers TO {role}")
    assert (step.ok, step.code) == (True, GRANTS_BEYOND_NEED)
    assert named in step.detail
    again = by_name(await run_test(settings, limits=limits))["grants"]
    assert again.code is None


async def test_superuser_and_role_attributes(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    owner = replace(settings, username=lamassu.owner, host=lamassu.pg_socket_dir, password="")
    step = by_name(await run_test(owner, limits=limits))["grants"]
    assert step.code == GRANTS_BEYOND_NEED
    assert "superuser" in step.detail
    await lamassu.execute(f"ALTER ROLE {settings.username} CREATEDB")
    step = by_name(await run_test(settings, limits=limits))["grants"]
    await lamassu.execute(f"ALTER ROLE {settings.username} NOCREATEDB")
    assert "may create databases" in step.detail


async def test_clock_difference_warns(
    settings: SourceSettings, limits: SourceLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both servers share this machine's clock, so only the measured value is replaced."""
    from satmachineadmin.adapters import lamassu_postgres

    async def late(self: object, **_window: int) -> SourceLook:
        return SourceLook(0, -90_000_000, ())

    monkeypatch.setattr(lamassu_postgres.LamassuSource, "look", late)
    step = by_name(await run_test(settings, limits=limits))["clock_difference"]
    assert (step.ok, step.code) == (True, CLOCK_DIFFERENCE)
    assert step.detail == "Lamassu's clock is 90.0 s behind ours"


# ---- the documented authorized_keys lines, on OpenSSH ---------------------------------


@pytest.fixture
async def sshd(short_folder: Path, lamassu: EmbeddedLamassu) -> AsyncIterator[OpenSshd]:
    require_sshd()
    folder = short_folder / "sshd-lines"
    folder.mkdir(exist_ok=True)
    server = OpenSshd(folder, lamassu)
    yield server
    await server.stop()


def _line(permit: str) -> str:
    """What the docs tell to put before the key: this forward, no shell, no listening."""
    return (
        f'restrict,port-forwarding,permitopen="{permit}",permitlisten="localhost:1",'
        'command="/bin/false"'
    )


async def test_documented_line_for_tcp(
    lamassu: EmbeddedLamassu,
    settings: SourceSettings,
    limits: SourceLimits,
    sshd: OpenSshd,
) -> None:
    await sshd.start(_line(f"127.0.0.1:{lamassu.pg_port}"))
    tcp = sshd.settings(settings)
    async with open_source(tcp, limits=limits) as source:
        assert await source.newest_rows(1) == []
    # permitopen compares text: another spelling of the same host is refused.
    other = replace(tcp, host="localhost")
    step = by_name(await run_test(other, limits=limits))["tunnel"]
    assert (step.ok, step.code) == (False, "TUNNEL_REFUSED")
    # A permitopen for TCP closes every unix socket; OpenSSH does not say why.
    socket = replace(tcp, host=lamassu.pg_socket_dir, password="")
    step = by_name(await run_test(socket, limits=limits))["tunnel"]
    assert (step.ok, step.code) == (False, "SOURCE_UNREACHABLE")
    assert "permitopen" in (step.hint or "")


async def test_documented_line_for_the_socket(
    lamassu: EmbeddedLamassu,
    settings: SourceSettings,
    limits: SourceLimits,
    sshd: OpenSshd,
) -> None:
    await sshd.start(_line(f"[{lamassu.pg_socket_path}]:*"))
    socket = replace(sshd.settings(settings), host=lamassu.pg_socket_dir, password="")
    assert {step.ok for step in await run_test(socket, limits=limits)} == {True}
    step = by_name(await run_test(replace(socket, host="127.0.0.1"), limits=limits))
    assert step["tunnel"].code == "TUNNEL_REFUSED"


@pytest.mark.parametrize(
    ("options", "config"),
    [("restrict", ""), ("", "DisableForwarding yes"), ("", "AllowTcpForwarding no")],
    ids=["restrict", "disabled", "no tcp"],
)
async def test_forwarding_closed_on_openssh(
    settings: SourceSettings,
    limits: SourceLimits,
    sshd: OpenSshd,
    options: str,
    config: str,
) -> None:
    await sshd.start(options, config)
    steps = by_name(await run_test(sshd.settings(settings), limits=limits))
    assert (steps["ssh_login"].ok, steps["tunnel"].code) == (True, "TUNNEL_REFUSED")
