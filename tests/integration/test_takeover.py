"""An LNbits that ran the earlier extension: nothing is lost or paid again (design.md 6)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from support import earlier_books
from support.earlier_books import NOON, ROWS, SALES, SECRETS, Scratch, build_old_tables, migrate
from support.environment import Environment


@pytest.fixture
async def scratch(
    lnbits_app: FastAPI, environment: Environment, tmp_path: Path
) -> AsyncIterator[Scratch]:
    """A database of its own, of the kind LNbits runs on here."""
    if environment.postgres_url is None:
        yield Scratch(tmp_path / "ext_satoshimachine.sqlite3")
        return
    server = environment.postgres_server or environment.postgres_url
    async with earlier_books.extra_database(server, f"satm_scratch_{uuid4().hex}") as url:
        yield Scratch(url)


@pytest.fixture
async def taken_over(scratch: Scratch) -> Scratch:
    """The old tables after our migrations."""
    await scratch.with_old_tables()
    async with scratch.connect() as db:
        await migrate(db)
    return scratch


def by_id(rows: list[dict[str, Any]], key: str = "id") -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


# -- migrations -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 4])
async def test_lnbits_migrates_what_the_earlier_extension_left(
    scratch: Scratch, version: int
) -> None:
    from lnbits.core.crud.db_versions import delete_dbversion, get_db_version
    from lnbits.core.helpers import run_migration
    from lnbits.core.models import DbVersion
    from satmachineadmin import migrations

    await scratch.with_old_tables()
    name = f"takeover_{version}"
    async with scratch.connect() as db:
        await run_migration(db, migrations, name, DbVersion(db=name, version=version))
    stored = await get_db_version(name)
    await delete_dbversion(ext_id=name)
    assert stored is not None
    assert stored.version == migrations.SCHEMA_VERSION
    assert not [table for table in await scratch.tables() if table.startswith("earlier_dca")]


async def test_every_old_row_is_kept_whole(taken_over: Scratch) -> None:
    from satmachineadmin.adapters.secret_box import unseal

    tables = await taken_over.tables()
    kept = {
        (r["table_name"], r["row_id"]): json.loads(r["row_json"]) for r in tables["earlier_rows"]
    }
    assert len(kept) == sum(len(rows) for rows in ROWS.values())
    for table, rows in ROWS.items():
        for row in rows:
            found = kept[table, row["id"]]
            for name, value in row.items():
                if table == "lamassu_config" and name in SECRETS and value:
                    assert found[name].startswith("sealed:1:")
                    assert unseal(found[name]) == value
                elif name in earlier_books.TIMES and isinstance(found[name], str):
                    moment = earlier_books.naive_utc(value)
                    assert moment is not None
                    assert found[name] == moment.isoformat()
                else:
                    assert found[name] == value, (table, row["id"], name)


async def test_clients_are_as_they_were(taken_over: Scratch) -> None:
    clients = by_id((await taken_over.tables())["dca_clients"])
    assert set(clients) == {"alice", "bob", "carol", "dave"}
    bob, carol = clients["bob"], clients["carol"]
    assert (bob["username"], bob["dca_mode"]) == (earlier_books.MARKUP, "fixed")
    assert (bob["fixed_mode_daily_limit"], carol["fixed_mode_daily_limit"]) == (500, -5)
    assert (carol["dca_mode"], clients["dave"]["status"]) == ("nonsense", "inactive")


async def test_good_deposits_become_ours(taken_over: Scratch) -> None:
    deposits = by_id((await taken_over.tables())["dca_deposits"])
    found = {k: (d["amount_minor"], d["status"], d["effective_us"]) for k, d in deposits.items()}
    confirmed_us, created_us = (NOON - 6000) * 1_000_000, (NOON - 7000) * 1_000_000
    assert found == {
        "d-5000": (500_000, "confirmed", confirmed_us),
        "d-yen": (7000, "confirmed", confirmed_us),
        "d-pending": (1200, "pending", None),
        "d-undated": (50_000, "confirmed", created_us),
        "d-dollars": (4000, "confirmed", confirmed_us),
        "d-cancelled": (900, "cancelled", None),
        "d-ghost": (10_000, "confirmed", confirmed_us),
    }
    assert deposits["d-pending"]["notes"] == earlier_books.MARKUP


async def test_every_payment_is_history(taken_over: Scratch) -> None:
    tables = await taken_over.tables()
    payments = by_id(tables["dca_payments"])
    assert set(payments) == {row["id"] for row in ROWS["dca_payments"]}
    assert {p["origin"] for p in payments.values()} == {"earlier"}
    usd, failed, still_open = (payments[x] for x in ("p-usd", "p-failed", "p-open"))
    assert (usd["currency"], usd["fiat_minor"], usd["cash_out_id"]) == ("USD", 1500, "t-usd")
    assert (failed["status"], failed["leg_key"]) == ("failed", "earlier:p-failed")
    assert still_open["cash_out_us"] == (NOON - 900) * 1_000_000
    assert payments["p-hand"]["cash_out_id"] is None


async def test_every_known_sale_counts_as_settled(taken_over: Scratch) -> None:
    cash_outs = by_id((await taken_over.tables())["lamassu_transactions"], "lamassu_transaction_id")
    assert set(cash_outs) == SALES
    assert {(c["status"], c["origin"]) for c in cash_outs.values()} == {("completed", "earlier")}
    assert all(c["announced_us"] for c in cash_outs.values())
    sale = cash_outs["sale-a"]
    assert (sale["total_sats"], sale["base_sats"], sale["commission_sats"]) == (
        266800,
        259029,
        7771,
    )
    assert sale["confirmed_sats"] == 2 * 129514 + 43000 + 40000
    assert sale["drawn_minor"] == 100 * (1000 + 1000 + 333 + 300)
    assert (sale["operator_remainder_sats"], sale["failed_sats"]) == (0, 0)
    assert (sale["commission_percentage"], sale["effective_commission"]) == ("0.03", "3/100")
    assert sale["confirmed_at_us"] == (NOON - 1000) * 1_000_000
    assert all(v is None or isinstance(v, str) for v in json.loads(sale["source_row"]).values())
    assert cash_outs["sale-nobody"]["operator_remainder_sats"] == 259029
    assert cash_outs["sale-nobody"]["discount"] == "12.5"
    only = cash_outs["sale-b"]
    assert (only["total_sats"], only["clients_count"], only["crypto_atoms"]) == (1300, 1, None)
    assert (only["fiat_minor"], only["fiat_code"]) == (1000, "GTQ")
    assert cash_outs["sale-c"]["total_sats"] == 0


async def test_the_connection_in_use_is_taken_over_with_sealed_secrets(taken_over: Scratch) -> None:
    from satmachineadmin.adapters.secret_box import unseal
    from satmachineadmin.models import StoredConfig

    [row] = (await taken_over.tables())["lamassu_config"]
    config = StoredConfig(**row)
    assert (config.id, config.host, config.port) == ("used", "used.example", 5432)
    assert (config.polling_enabled, config.use_ssh_tunnel, config.ssh_host_key) == (
        True,
        True,
        None,
    )
    for name, secret in SECRETS.items():
        assert row[name].startswith("sealed:1:")
        assert unseal(row[name]) == secret


@pytest.mark.sqlite_only
async def test_no_secret_stays_readable_in_the_file(taken_over: Scratch) -> None:
    assert isinstance(taken_over.target, Path)
    content = taken_over.target.read_bytes()
    for secret in ("oldest-password", *SECRETS.values()):
        assert secret.encode() not in content


async def test_a_saved_connection_is_not_replaced(scratch: Scratch) -> None:
    async with scratch.connect() as db:
        await migrate(db)
        await db.execute(
            "INSERT INTO satoshimachine.lamassu_config (id, host, port, database_name, username,"
            " created_us, updated_us) VALUES ('mine', 'h', 1, 'd', 'u', 1, 1)"
        )
        await build_old_tables(db, "earlier_")
        await migrate(db)
    assert [row["id"] for row in (await scratch.tables())["lamassu_config"]] == ["mine"]


async def test_migrations_leave_our_own_tables_alone(taken_over: Scratch) -> None:
    """LNbits forgot the version, as after its own database was put back from a backup."""
    before = await taken_over.tables()
    async with taken_over.connect() as db:
        await migrate(db)
    assert await taken_over.tables() == before


async def test_many_rows_are_copied_page_by_page(
    taken_over: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin import legacy

    whole = comparable(await taken_over.tables())
    monkeypatch.setattr(legacy, "ROWS_PER_PAGE", 2)
    await taken_over.with_old_tables()
    async with taken_over.connect() as db:
        await migrate(db)
    assert comparable(await taken_over.tables()) == whole


def comparable(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Without the sealed secrets: sealing the same one twice gives two texts."""
    config = [{k: v for k, v in r.items() if k not in SECRETS} for r in tables["lamassu_config"]]
    kept = []
    for row in tables["earlier_rows"]:
        body = {k: v for k, v in json.loads(row["row_json"]).items() if k not in SECRETS}
        kept.append({**row, "row_json": json.dumps(body)})
    return {**tables, "lamassu_config": config, "earlier_rows": sorted(kept, key=repr)}


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE satoshimachine.lamassu_config RENAME COLUMN is_active TO enabled",
        "ALTER TABLE satoshimachine.lamassu_transactions RENAME COLUMN discount TO rebate",
        "CREATE TABLE satoshimachine.earlier_dca_deposits (id TEXT)",
    ],
)
async def test_an_unknown_shape_is_refused_and_left_alone(scratch: Scratch, change: str) -> None:
    from satmachineadmin.errors import NotReady
    from satmachineadmin.legacy import unknown_shapes

    await scratch.with_old_tables()
    async with scratch.connect() as db:
        assert await unknown_shapes(db) == []
        await db.execute(change)
    before = await scratch.tables()
    async with scratch.connect() as db:
        [sentence] = await unknown_shapes(db)
        with pytest.raises(NotReady, match="left as they") as caught:
            await migrate(db)
    assert sentence in str(caught.value)
    assert await scratch.tables() == before


async def test_readiness_can_ask_for_unknown_shapes(lnbits_app: FastAPI) -> None:
    from satmachineadmin.crud import db
    from satmachineadmin.legacy import unknown_shapes

    assert await unknown_shapes(db) == []


# -- a stop at any statement ------------------------------------------------------------------


class Stopped(Exception):
    """The process died here."""


class Dying:
    """A database connection that goes on for so many statements and commits."""

    def __init__(self, raw: Any, steps: int):
        self.raw, self.steps = raw, steps

    def _step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise Stopped

    async def execute(self, *args: Any) -> Any:
        self._step()
        return await self.raw.execute(*args)

    async def commit(self) -> None:
        self._step()
        await self.raw.commit()


async def dies_after(scratch: Scratch, steps: int, migration: Any) -> bool:
    """Run one migration for so many steps; True when it got to its end."""
    async with scratch.connect() as db:
        db.conn = Dying(db.conn, steps)
        try:
            await migration(db)
        except Stopped:
            return False
        return True


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("number", "stride"), [(10, 1), (11, 7), (12, 7), (13, 23), (14, 1)])
async def test_a_stop_at_any_statement_is_mended_by_the_next_start(
    scratch: Scratch, number: int, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LNbits runs a migration that did not end from its top, and then those after it."""
    from satmachineadmin import legacy

    monkeypatch.setattr(legacy, "ROWS_PER_PAGE", 9)
    before = [m for n, m in earlier_books.migrations() if n < number]
    [migration] = [m for n, m in earlier_books.migrations() if n == number]
    after = [m for n, m in earlier_books.migrations() if n > number]
    await scratch.put_back(None, before)
    kept = scratch.keep()
    async with scratch.connect() as db:
        for following in [migration, *after]:
            await following(db)
    wanted = comparable(await scratch.tables())
    steps, ended = 0, False
    stride += 0 if kept else 9  # where the tables before it are made anew each time
    while not ended:
        await scratch.put_back(kept, before)
        ended = await dies_after(scratch, steps, migration)
        async with scratch.connect() as db:
            for following in [migration, *after]:
                await following(db)
        assert comparable(await scratch.tables()) == wanted, steps
        steps += stride
    assert steps > 10
