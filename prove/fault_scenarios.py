"""Beyond the grid: migrations beside a settlement, WAL, half an upgrade, forged wallet rows."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from types import SimpleNamespace
from typing import Any

from lnbits.core.db import db as core_db
from lnbits.core.helpers import run_migration
from lnbits.core.models import DbVersion, Payment
from satmachineadmin import crud
from satmachineadmin.adapters.wallet_rows import leg_ids
from satmachineadmin.database import db as ext_db
from satmachineadmin.migrations import SCHEMA_VERSION
from satmachineadmin.services import readiness, settle
from support.trouble import share_wallet

from .fault_bench import Bench, Outcome, check, patched
from .fault_cells import BOTH, scene
from .fault_sqlite import CORE, LEDGER, files

MIGRATION, WAL, UPGRADE, FORGED = "LNbits' migration", "SQLite in WAL", "upgrade", "forged rows"
HANG_S = 3
MIGRATION_S = 0.3
LOOKED = {"reason": "looked at both"}


# ---- LNbits migrates an extension while a settlement runs --------------------------------------


async def migrate(begun: asyncio.Event) -> None:
    """LNbits' own function with one slow step: it holds our lock, then takes its own inside."""

    async def m999_slow(db: Any) -> None:
        begun.set()
        await asyncio.sleep(MIGRATION_S)

    module = SimpleNamespace(m999_slow=m999_slow)
    before = DbVersion(db="satmachineadmin", version=SCHEMA_VERSION)
    try:
        async with ext_db.connect() as conn:
            await run_migration(conn, module, "satmachineadmin", before)
    finally:
        await set_version(SCHEMA_VERSION)


async def set_version(number: int) -> None:
    """What LNbits believes our tables are."""
    await core_db.execute(
        "UPDATE dbversions SET version = :n WHERE db = 'satmachineadmin'", {"n": number}
    )


async def _in_time(bench: Bench, *work: Any) -> Outcome:
    """All of it ends: nobody waits for a lock that the other one holds."""
    tasks = [asyncio.ensure_future(one) for one in work]
    done, waiting = await asyncio.wait(tasks, timeout=10 * HANG_S)
    for task in waiting:
        task.cancel()
    check(not waiting, "a settlement and a migration wait for each other")
    for task in done:
        failed = task.exception() or task.result()
        check(failed is None, f"failed: {failed!r}")
    await bench.nothing_held()
    outcome = Outcome(sale=await bench.state(), alerts=await bench.alerts())
    outcome.notes = ["both came to their end"]
    await bench.paid_once()
    outcome.recovery = "not needed"
    return outcome


@scene(MIGRATION, "began before the settlement", on=BOTH)
async def migration_first(bench: Bench) -> Outcome:
    """LNbits holds our database for a migration when the tick wants to settle"""
    begun = asyncio.Event()

    async def settle_then() -> Exception | None:
        await begun.wait()
        return await bench.attempt()

    return await _in_time(bench, migrate(begun), settle_then())


@scene(MIGRATION, "begins during the settlement", on=BOTH)
async def settlement_first(bench: Bench) -> Outcome:
    """a settlement is in the middle when LNbits begins a migration"""
    inside = asyncio.Event()
    claim = settle.claim

    async def slow_claim(conn: Any, cash_out_id: str) -> Any:
        inside.set()
        await asyncio.sleep(MIGRATION_S)
        return await claim(conn, cash_out_id)

    async def migrate_then() -> None:
        await inside.wait()
        await migrate(asyncio.Event())

    with patched(settle, "claim", slow_claim):
        return await _in_time(bench, bench.attempt(), migrate_then())


@scene(MIGRATION, "beside the wrong order of locks", on=BOTH)
async def wrong_order(bench: Bench) -> Outcome:
    """LNbits' lock is taken before ours, on purpose: the two above would find it"""
    begun = asyncio.Event()

    async def core_then_ours() -> None:
        await begun.wait()
        async with core_db.lock, ext_db.lock:
            pass

    tasks = [asyncio.ensure_future(one) for one in (migrate(begun), core_then_ours())]
    _, waiting = await asyncio.wait(tasks, timeout=HANG_S)
    check(len(waiting) == 2, "the wrong order did not hang, so nothing is shown by the right one")
    tasks[1].cancel()
    await asyncio.wait(tasks)
    await bench.nothing_held()
    outcome = Outcome(notes=["hangs, and is found by its time limit"])
    check(await bench.attempt() is None, "the tick failed")
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    await bench.paid_once()
    outcome.recovery = "not needed: the product has the other order"
    return outcome


# ---- SQLite in WAL -----------------------------------------------------------------------------


async def _journal(which: int, mode: str) -> None:
    async with ext_db.lock, core_db.lock:
        with contextlib.closing(sqlite3.connect(files()[which], timeout=10)) as raw:
            (now,) = raw.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    check(now == mode, f"journal mode is {now}")


async def _in_wal(bench: Bench, which: int) -> Outcome:
    await bench.quiet()
    before = await bench.facts()
    outcome = Outcome()
    await _journal(which, "wal")
    await bench.told(await bench.attempt(), outcome)
    await bench.nothing_held()
    check(outcome.error == "NOT_READY", outcome.error)
    check(await bench.facts() == before, "something moved")
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    outcome.notes = ["nothing moved", "cursor not moved"]
    check("poll_failed" in outcome.alerts, "nobody was told")
    await bench.quiet()
    await _journal(which, "delete")
    outcome.recovery = "the operator sets the journal mode back"
    await bench.recovers(outcome)
    return outcome


@scene(WAL, CORE)
async def core_in_wal(bench: Bench) -> Outcome:
    """somebody switched LNbits' file to WAL, where a commit over two files is not atomic"""
    return await _in_wal(bench, 0)


@scene(WAL, LEDGER)
async def ledger_in_wal(bench: Bench) -> Outcome:
    """somebody switched our file to WAL, where a commit over two files is not atomic"""
    return await _in_wal(bench, 1)


# ---- half an upgrade ---------------------------------------------------------------------------


async def _other_version(bench: Bench, number: int, *, restarted: bool) -> Outcome:
    before = await bench.facts()
    outcome = Outcome()
    await set_version(number)
    if restarted:
        readiness.forget()
    await bench.told(await bench.attempt(), outcome)
    await bench.nothing_held()
    check(outcome.error == "NOT_READY", outcome.error)
    check(await bench.facts() == before, "something moved")
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    outcome.notes = ["nothing moved", "cursor not moved"]
    await set_version(SCHEMA_VERSION)
    readiness.forget()
    await bench.recovers(outcome)
    return outcome


@scene(UPGRADE, "newer tables, this code starts", on=BOTH)
async def newer_tables(bench: Bench) -> Outcome:
    """the tables were migrated by a newer release; this code is started on them"""
    outcome = await _other_version(bench, SCHEMA_VERSION + 1, restarted=True)
    outcome.recovery = "the operator installs the newer release again"
    return outcome


@scene(UPGRADE, "newer tables under the running code", on=BOTH)
async def newer_tables_running(bench: Bench) -> Outcome:
    """another process migrated the tables while this code goes on running"""
    outcome = await _other_version(bench, SCHEMA_VERSION + 1, restarted=False)
    outcome.recovery = "the operator restarts LNbits"
    return outcome


@scene(UPGRADE, "newer code, tables not migrated", on=BOTH)
async def older_tables(bench: Bench) -> Outcome:
    """this code was installed, and its migration did not run"""
    outcome = await _other_version(bench, SCHEMA_VERSION - 1, restarted=True)
    outcome.recovery = "the operator restarts LNbits, which migrates"
    return outcome


# ---- forged wallet rows ------------------------------------------------------------------------


async def _forge(bench: Bench, **columns: Any) -> str:
    """A wallet row of 5 sats that is not ours, with some columns like ours."""
    row: Payment = await core_db.fetchone(
        "SELECT * FROM apipayments WHERE external_id = :x",
        {"x": f"satm:{bench.first['id']}:share:{bench.client}"},
        Payment,
    )
    values = {"checking_id": f"internal_{time.time_ns()}", "amount": 5000, **columns}
    forged = row.copy(update={"payment_hash": f"{time.time_ns():064x}", **values})
    await core_db.insert("apipayments", forged)
    return str(values["checking_id"])


async def _remove(checking_id: str) -> None:
    await core_db.execute("DELETE FROM apipayments WHERE checking_id = :id", {"id": checking_id})


@scene(FORGED, "our tag and external id", on=BOTH)
async def forged_tag(bench: Bench) -> Outcome:
    """a wallet row carries our tag and the external id of the share that is to be paid next"""
    name = f"satm:{bench.sale['id']}:share:{bench.client}"
    forged = await _forge(bench, external_id=name)
    readiness.forget()
    check(await bench.attempt() is None, "it was taken for ours")
    outcome = Outcome(sale=await bench.state(), alerts=await bench.alerts())
    check(outcome.sale == "completed", outcome.sale)
    outcome.notes = ["paid in spite of it"]
    await _remove(forged)
    await bench.paid_once()
    outcome.recovery = "not needed"
    return outcome


async def _collision(bench: Bench, *, restarted: bool) -> tuple[Outcome, str]:
    key = f"{bench.sale['id']}:share:{bench.client}"
    forged = await _forge(bench, checking_id=leg_ids(key, b"no secret needed").checking_id_in)
    before = await bench.sums()
    outcome = Outcome()
    if restarted:
        readiness.forget()
    await bench.told(await bench.attempt(), outcome)
    await bench.nothing_held()
    check(await bench.sums() == before, "sats moved")
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    outcome.notes = ["nothing moved"]
    return outcome, forged


@scene(CORE, "duplicate", on=BOTH)
async def forged_id(bench: Bench) -> Outcome:
    """a wallet holds a row with the id of the share that is to be paid next"""
    outcome, forged = await _collision(bench, restarted=False)
    check(outcome.error == "WALLET_ROW_COLLISION", outcome.error)
    check("halt (critical)" in outcome.alerts, outcome.alerts)
    await _remove(forged)
    await bench.operator.resume()
    await bench.by_hand()
    outcome.recovery = "the operator removes the row, resumes, and processes the cash-out"
    return outcome


@scene(FORGED, "our checking id, found at the start", on=BOTH)
async def forged_id_at_start(bench: Bench) -> Outcome:
    """the same, and LNbits restarts before the sale is settled"""
    outcome, forged = await _collision(bench, restarted=True)
    check("restore (critical)" in outcome.alerts, outcome.alerts)
    await _remove(forged)
    await bench.operator.api("POST", "resume/restore", json=LOOKED)
    readiness.forget()
    outcome.recovery = "the operator removes the row and resumes"
    await bench.recovers(outcome)
    return outcome


@scene(FORGED, "our checking id, of a share that is owed", on=BOTH)
async def forged_owed(bench: Bench) -> Outcome:
    """a share could not be delivered; a forged row with its id lies there when it is retried"""
    wallet = bench.operator.wallets[bench.client]
    await share_wallet(wallet)
    check(await bench.attempt() is None, "the tick failed")
    await share_wallet(wallet, "lightning")
    outcome, forged = await _collision(bench, restarted=False)
    check(outcome.error == "WALLET_ROW_COLLISION", outcome.error)
    check("halt (critical)" in outcome.alerts, f"not halted: {outcome.alerts}")
    await _remove(forged)
    await bench.operator.resume()
    outcome.recovery = "the operator removes the row and resumes"
    outcome.notes.append("the share stays owed")
    check(await bench.attempt() is None, "the retry failed")
    await bench.paid_once()
    return outcome


@scene(LEDGER, "duplicate", on=BOTH)
async def ledger_twice(bench: Bench) -> Outcome:
    """our tables hold a share of the sale already although the sale is not settled"""
    await crud.write(
        "INSERT INTO satoshimachine.dca_payments (id, client_id, amount_sats, amount_fiat,"
        " exchange_rate, transaction_type, lamassu_transaction_id, status, leg_key, currency,"
        " fiat_minor, updated_us, origin) VALUES ('twice', :client, 1, 1, 1, 'flow', :sale,"
        " 'cancelled', :key, 'GTQ', 1, 1, 'earlier')",
        {
            "client": bench.client,
            "sale": bench.sale["id"],
            "key": f"{bench.sale['id']}:share:{bench.client}",
        },
    )
    before = await bench.sums()
    outcome = Outcome()
    await bench.told(await bench.attempt(), outcome)
    await bench.nothing_held()
    check(await bench.sums() == before, "sats moved")
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    outcome.notes = ["nothing moved"]
    check(outcome.error == "INVARIANT_VIOLATION", outcome.error)
    check("halt (critical)" in outcome.alerts, outcome.alerts)
    await crud.write("DELETE FROM satoshimachine.dca_payments WHERE id = :id", {"id": "twice"})
    await bench.operator.resume()
    await bench.by_hand()
    outcome.recovery = "the operator removes the row, resumes, and processes the cash-out"
    return outcome
