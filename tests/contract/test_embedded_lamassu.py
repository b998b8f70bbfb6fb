"""The stand-in is honest: its parts are real, its folder lasts, its levers work."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg
import asyncssh
import pytest
from satmachineadmin.dev import sample_rows as sample
from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu


async def _ssh(lamassu: EmbeddedLamassu) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        lamassu.ssh_host,
        lamassu.ssh_port,
        username=lamassu.ssh_username,
        client_keys=[asyncssh.import_private_key(lamassu.ssh_private_key)],
        known_hosts=([asyncssh.import_public_key(lamassu.ssh_host_key)], [], []),
        config=None,
        agent_path=None,
    )


async def test_second_start_is_quick_and_keeps_everything(short_folder: Path) -> None:
    folder = short_folder / "again"
    async with EmbeddedLamassu(folder) as first:
        await first.insert(sample.sale())
    started = time.monotonic()
    async with EmbeddedLamassu(folder) as second:
        assert time.monotonic() - started < 3
        (row,) = await second.fetch("SELECT count(*) AS n FROM cash_out_txs")
        assert row["n"] == 1
        for name in ("ssh_host_key", "ssh_private_key", "password", "ssh_password"):
            assert getattr(second, name) == getattr(first, name)
        assert (second.ssh_port, second.pg_port) == (first.ssh_port, first.pg_port)
        taken = EmbeddedLamassu(folder)
        taken._load_state()
        assert taken.ssh_port != second.ssh_port, "a taken port is replaced"


async def test_a_deep_folder_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    async with EmbeddedLamassu(deep) as lamassu:
        assert len(lamassu.pg_socket_path) < 107
        assert await lamassu.fetch("SELECT 1")


async def test_every_sample_kind_can_be_inserted(lamassu: EmbeddedLamassu) -> None:
    await lamassu.insert([build() for build in sample.ALL_KINDS.values()])
    (row,) = await lamassu.fetch("SELECT count(*) AS n FROM cash_out_txs")
    assert row["n"] == len(sample.ALL_KINDS)


def test_machine_arithmetic_matches_the_published_sale() -> None:
    row = sample.published_sale()
    assert (row["crypto_atoms"], row["fiat"]) == (512_400, "4000")
    assert sample.markup_priced()["crypto_atoms"] == 12_800
    assert sample.priced_atoms(100, commission="0", bid="1000000") == 10_000
    assert sample.authorized_and_dispensed()["confirmed_at"] is None


@pytest.mark.parametrize("end", ["tcp", "socket"])
async def test_reader_role_sees_only_its_columns(lamassu: EmbeddedLamassu, end: str) -> None:
    connection = await asyncpg.connect(
        host=lamassu.pg_socket_dir if end == "socket" else lamassu.pg_host,
        port=lamassu.pg_port,
        user=lamassu.username,
        password="" if end == "socket" else lamassu.password,
        database=lamassu.database_name,
        ssl=False,
    )
    await connection.execute("SET default_transaction_read_only = off")
    assert await connection.fetchval("SELECT count(id) FROM cash_out_txs") == 0
    for refused in (
        "SELECT * FROM cash_out_txs",
        "SELECT phone FROM cash_out_txs",
        "SELECT name FROM customers",
        "UPDATE cash_out_txs SET fiat = 1",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(refused)
    await connection.close()


async def test_ssh_gives_no_shell_and_forwards_to_postgres_only(
    lamassu: EmbeddedLamassu,
) -> None:
    ssh = await _ssh(lamassu)
    with pytest.raises(asyncssh.ChannelOpenError):
        await ssh.run("id")
    with pytest.raises(asyncssh.ChannelOpenError):
        await ssh.open_connection("127.0.0.1", lamassu.ssh_port)
    with pytest.raises(asyncssh.ChannelOpenError):
        await ssh.open_unix_connection("/run/other.sock")
    _, writer = await ssh.open_connection("127.0.0.1", lamassu.pg_port)
    writer.close()
    assert lamassu.live_ssh_connections == 1
    await lamassu.drop_connections()
    await ssh.wait_closed()
    assert lamassu.live_ssh_connections == 0


async def test_silent_accepts_and_says_nothing(lamassu: EmbeddedLamassu) -> None:
    await lamassu.go_silent()
    reader, writer = await asyncio.open_connection(lamassu.ssh_host, lamassu.ssh_port)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    writer.close()
    await lamassu.start_ssh()
    (await _ssh(lamassu)).close()


async def test_update_changes_one_sale(lamassu: EmbeddedLamassu) -> None:
    row = sample.sale()
    await lamassu.insert([row, sample.sale()])
    await lamassu.update(row["id"], error="Operator cancel", dispense=False)
    found = await lamassu.fetch("SELECT id::text FROM cash_out_txs WHERE NOT dispense")
    assert [item["id"] for item in found] == [row["id"]]
