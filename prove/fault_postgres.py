"""LNbits' database, ours and the disk below them, where LNbits runs on PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from satmachineadmin.database import PostgresConnection
from satmachineadmin.transaction_processor import tick

from .fault_bench import Bench, Outcome, check, patched
from .fault_cells import Must, cannot, fault, scene
from .fault_locks import session
from .fault_relay import Fault
from .fault_sqlite import CORE, DISK, LEDGER, UNHARMED, failed, failed_settling

ON = ("postgres",)
STANDSTILL_S = 0.8


def hooked(name: str, before: Any) -> Any:
    """A method of our connection with something before it: await before(args)."""
    original = getattr(PostgresConnection, name)

    async def with_it(self: PostgresConnection, *args: Any) -> Any:
        await before(args)
        return await original(self, *args)

    return patched(PostgresConnection, name, with_it)


def pays(args: tuple[Any, ...]) -> bool:
    """Is this the statement of a settlement that writes the wallet rows?"""
    return bool(args) and "INTO apipayments " in args[0]


@fault(CORE, "refused", failed(), on=ON)
async def core_refused(bench: Bench) -> AsyncIterator[None]:
    """PostgreSQL is not there: connections are cut and refused"""
    await bench.lnbits_wire.close()
    yield
    await bench.lnbits_wire.open()
    await bench.fresh_connections()  # LNbits' own pools would meet a dead one first, each


@scene(CORE, "silent", on=ON)
async def core_silent(bench: Bench) -> Outcome:
    """PostgreSQL says nothing for a while in mid-settlement, and LNbits is stopped meanwhile"""
    wire, stands = bench.lnbits_wire, asyncio.Event()

    async def go_silent(args: tuple[Any, ...]) -> None:
        if pays(args) and not stands.is_set():
            wire.fault = Fault(silent_after=0)
            stands.set()

    with hooked("_many", go_silent):
        task = asyncio.ensure_future(tick("timer"))
        await asyncio.wait_for(stands.wait(), 10)
        begun = time.perf_counter()
        task.cancel()
        asyncio.get_running_loop().call_later(STANDSTILL_S, setattr, wire, "fault", Fault())
        result = (await asyncio.gather(task, return_exceptions=True))[0]
    check(isinstance(result, asyncio.CancelledError), f"not cancelled: {result!r}")
    check(time.perf_counter() - begun > STANDSTILL_S / 2, "it did not wait for its statement")
    await bench.nothing_held()
    async with session(bench, "LOCK TABLE apipayments IN ACCESS EXCLUSIVE MODE NOWAIT"):
        pass
    outcome = Outcome(sale=await bench.state(), alerts=await bench.alerts())
    outcome.notes = ["the stopped tick waits for its statement", "no lock is left"]
    await bench.recovers(outcome)
    return outcome


@fault(CORE, "slow", UNHARMED, on=ON)
async def core_slow(bench: Bench) -> AsyncIterator[None]:
    """every answer of PostgreSQL comes 20 ms later"""
    bench.lnbits_wire.fault = Fault(delay_s=0.02)
    yield
    await bench.lnbits_wire.open()


@fault(CORE, "cut half way", failed_settling(), on=ON)
async def core_cut(bench: Bench) -> AsyncIterator[None]:
    """the connection is cut in the middle of a settlement, before the wallet rows"""
    cut: list[bool] = []

    async def once(args: tuple[Any, ...]) -> None:
        if pays(args) and not cut:
            cut.append(True)
            await bench.lnbits_wire.cut()

    with hooked("_many", once):
        yield
    await bench.fresh_connections()


@asynccontextmanager
async def altered(bench: Bench, broken: str, repaired: str) -> AsyncIterator[None]:
    """Something else in LNbits' database, for a while."""
    async with session(bench, broken) as other:
        await other.execute("COMMIT")
        try:
            yield
        finally:
            await other.execute(repaired)


@asynccontextmanager
async def answering(bench: Bench, table: str, sqlstate: str) -> AsyncIterator[None]:
    """The server refuses every write to a table with this code of its own."""
    broken = f"""
        CREATE FUNCTION fault_answer() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'made by the fault matrix' USING ERRCODE = '{sqlstate}'; END $$;
        CREATE TRIGGER fault_answer BEFORE INSERT ON {table}
            FOR EACH ROW EXECUTE FUNCTION fault_answer()
    """
    async with altered(bench, broken, "DROP FUNCTION fault_answer() CASCADE"):
        yield


PAYMENTS = "apipayments"
SHARES = "satoshimachine.dca_payments"


@fault(CORE, "wrong data", failed_settling(), on=ON)
async def core_wrong(bench: Bench) -> AsyncIterator[None]:
    """a column of LNbits' payments has another name"""
    rename = "ALTER TABLE apipayments RENAME COLUMN {} TO {}"
    broken, repaired = rename.format("preimage", "proof"), rename.format("proof", "preimage")
    async with altered(bench, broken, repaired):
        yield


@fault(CORE, "locked", Must("DATABASE_BUSY", "pending", "poll_failed (warning)"), on=ON)
async def core_locked(bench: Bench) -> AsyncIterator[None]:
    """another program holds the table of payments"""
    async with session(bench, "LOCK TABLE apipayments IN ACCESS EXCLUSIVE MODE"):
        yield


@fault(CORE, "full", failed_settling(), on=ON)
async def core_full(bench: Bench) -> AsyncIterator[None]:
    """PostgreSQL refuses LNbits' payments for want of room (53100, raised by a trigger)"""
    async with answering(bench, PAYMENTS, "53100"):
        yield


@fault(LEDGER, "refused", failed(), on=ON)
async def ledger_refused(bench: Bench) -> AsyncIterator[None]:
    """our schema is not there: it has another name"""
    rename = "ALTER SCHEMA {} RENAME TO {}"
    names = ("satoshimachine", "moved_away")
    async with altered(bench, rename.format(*names), rename.format(*reversed(names))):
        yield


ONE_SERVER = "ledger and wallets are one database here, reached by one connection: see LNbits' core"
for _name in ("silent", "slow", "cut half way"):
    cannot(LEDGER, _name, ONE_SERVER, on=ON)


@fault(LEDGER, "wrong data", failed_settling(), on=ON)
async def ledger_wrong(bench: Bench) -> AsyncIterator[None]:
    """PostgreSQL finds our shares damaged (XX001, raised by a trigger)"""
    async with answering(bench, SHARES, "XX001"):
        yield


@fault(LEDGER, "locked", Must("DATABASE_BUSY", "pending", "poll_failed (warning)"), on=ON)
async def ledger_locked(bench: Bench) -> AsyncIterator[None]:
    """another program holds the table of shares"""
    async with session(bench, f"LOCK TABLE {SHARES} IN ACCESS EXCLUSIVE MODE"):
        yield


@fault(LEDGER, "full", failed_settling(), on=ON)
async def ledger_full(bench: Bench) -> AsyncIterator[None]:
    """PostgreSQL refuses our shares for want of room (53100, raised by a trigger)"""
    async with answering(bench, SHARES, "53100"):
        yield


@fault(DISK, "refused", failed(), on=ON)
async def disk_refused(bench: Bench) -> AsyncIterator[None]:
    """the database became read-only"""
    readonly = "ALTER DATABASE lnbits SET default_transaction_read_only = {}"
    repaired = f"SET default_transaction_read_only = off; {readonly.format('off')}"
    async with altered(bench, readonly.format("on"), repaired):
        await bench.fresh_connections()
        yield
    await bench.fresh_connections()


SERVERS_DISK = "the disk is the PostgreSQL server's, which answers as in LNbits' core database"
for _name in ("silent", "slow", "cut half way", "wrong data", "duplicate", "locked", "full"):
    cannot(DISK, _name, SERVERS_DISK, on=ON)
