"""What needs no wire: the clock, telling the wallets, and the price that nobody asks for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from lnbits.core.db import db as core_db
from lnbits.task_manager import TaskManager
from lnbits.utils import exchange_rates
from lnbits.utils.cache import cache
from satmachineadmin import clock
from satmachineadmin.adapters import lamassu_postgres, notifier
from satmachineadmin.database import BooksConnection
from satmachineadmin.services import announce, settle
from support.trouble import settings

from .fault_bench import Bench, Outcome, check, patched
from .fault_cells import BOTH, Must, cannot, fault, scene

CLOCK, NOTIFY, PRICE = "clock", "notification", "price feed"
UNHARMED = Must(sale="completed", alerts="none", moves=True)
S = 1_000_000_000


# ---- clock -------------------------------------------------------------------------------------


class OurClock(ExitStack):
    """Our whole machine's clock says this; Lamassu's does not."""

    def __init__(self, now_ns: Callable[[], int]):
        super().__init__()
        self.now_ns = now_ns

    def __enter__(self) -> OurClock:
        super().__enter__()
        fake = SimpleNamespace(time_ns=self.now_ns, monotonic=time.monotonic)
        self.enter_context(patched(clock, "source", self.now_ns))
        self.enter_context(patched(lamassu_postgres, "time", fake))
        return self


def off_by(difference: timedelta) -> OurClock:
    """A clock that runs, and is wrong."""
    by_ns = int(difference.total_seconds()) * S
    return OurClock(lambda: time.time_ns() + by_ns)


cannot(CLOCK, "refused", "the clock is read from memory that the kernel shares; it cannot refuse")
cannot(CLOCK, "locked", "reading the clock takes no lock, and nobody can hold one")


@fault(CLOCK, "silent", UNHARMED)
async def clock_silent(bench: Bench) -> AsyncIterator[None]:
    """our clock stands still"""
    now_ns = time.time_ns()
    with OurClock(lambda: now_ns):
        yield


@fault(CLOCK, "slow", UNHARMED)
async def clock_slow(bench: Bench) -> AsyncIterator[None]:
    """our clock is three hours behind Lamassu's"""
    with off_by(timedelta(hours=-3)):
        yield


@fault(CLOCK, "cut half way", UNHARMED)
async def clock_cut(bench: Bench) -> AsyncIterator[None]:
    """our clock jumps back a day between reading the sale and settling it"""
    jumped: list[bool] = []
    claim = settle.claim

    async def claim_and_jump(conn: BooksConnection, cash_out_id: str) -> Any:
        jumped.append(True)
        return await claim(conn, cash_out_id)

    day_ns = 86_400 * S
    with (
        OurClock(lambda: time.time_ns() - (day_ns if jumped else 0)),
        patched(settle, "claim", claim_and_jump),
    ):
        yield


@scene(CLOCK, "wrong data")
async def clock_wrong(bench: Bench) -> Outcome:
    """our clock believes it is 1970, as a board without a battery does"""
    outcome, before = Outcome(), await bench.sums()
    begun_ns = time.time_ns()
    with OurClock(lambda: time.time_ns() - begun_ns + 60 * S):
        await bench.told(await bench.attempt(), outcome)
    await bench.nothing_held()
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    check(outcome.sale == "held (no_client_balance)", outcome.sale)
    check(await bench.sums() == before, "sats moved")
    outcome.notes = ["nothing moved"]
    check(await bench.attempt() is None, "the tick with the right clock failed")
    await bench.by_hand()
    outcome.recovery = "the operator processes the cash-out when the clock is right"
    return outcome


@fault(CLOCK, "duplicate", UNHARMED)
async def clock_twice(bench: Bench) -> AsyncIterator[None]:
    """two moments are one: the new sale settles in the microsecond of an older one"""
    row = await bench.stored_first()
    with OurClock(lambda: int(row["processed_us"]) * 1000):
        yield


@fault(CLOCK, "full", UNHARMED)
async def clock_full(bench: Bench) -> AsyncIterator[None]:
    """our clock is past 2038, where 32 bits of seconds end"""
    with off_by(timedelta(days=365 * 15)):
        yield


# ---- notification ------------------------------------------------------------------------------


async def _told_about(bench: Bench, queue: asyncio.Queue[Any]) -> list[str]:
    """Wallets that a queue holds news for."""
    found = []
    while not queue.empty():
        found.append(queue.get_nowait().wallet_id)
    return sorted(found)


def _queue(queue: asyncio.Queue[Any]) -> Any:
    return patched(TaskManager, "internal_invoice_queue", queue)


async def _by_tick(bench: Bench, must: Must, queue: asyncio.Queue[Any]) -> Outcome:
    """One tick with this queue; how many of the three incoming rows were told about."""
    outcome = Outcome()
    with _queue(queue):
        await bench.told(await bench.attempt(), outcome)
    await bench.nothing_held()
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    found = (outcome.error, outcome.sale, outcome.alerts)
    check(found == (must.error, must.sale, must.alerts), f"found {found}")
    outcome.notes.append(f"{len(await _told_about(bench, queue))} of 3 wallets told")
    return outcome


@scene(NOTIFY, "refused")
async def notify_refused(bench: Bench) -> Outcome:
    """LNbits' queue of news takes nothing"""

    class Shut(asyncio.Queue[Any]):
        def put_nowait(self, item: Any) -> None:
            raise asyncio.QueueFull

    outcome = await _by_tick(bench, Must(sale="completed", alerts="none"), Shut())
    await bench.paid_once()
    outcome.recovery = "not needed: news are lost, the payments are in the wallets"
    return outcome


@scene(NOTIFY, "full")
async def notify_full(bench: Bench) -> Outcome:
    """LNbits' queue of news has room for one"""
    outcome = await _by_tick(bench, Must(sale="completed", alerts="none"), asyncio.Queue(1))
    await bench.paid_once()
    outcome.recovery = "not needed: news are lost, the payments are in the wallets"
    return outcome


@scene(NOTIFY, "silent")
async def notify_silent(bench: Bench) -> Outcome:
    """nobody listens to LNbits' queue of news"""
    outcome = await _by_tick(bench, Must(sale="completed", alerts="none"), asyncio.Queue())
    await bench.paid_once()
    outcome.recovery = "not needed: the news wait in the queue"
    return outcome


@fault(NOTIFY, "slow", UNHARMED)
async def notify_slow(bench: Bench) -> AsyncIterator[None]:
    """LNbits works through the news at one in three seconds"""
    original = TaskManager._invoice_dispatcher

    def slowly(self: Any, payment: Any) -> None:
        asyncio.get_running_loop().call_later(3, original, self, payment)

    with patched(TaskManager, "_invoice_dispatcher", slowly):
        yield


class Killed(BaseException):
    """Stands for the process ending here: nothing after it runs."""


@scene(NOTIFY, "cut half way")
async def notify_cut(bench: Bench) -> Outcome:
    """LNbits is killed after the commit, before anybody was told"""

    async def die(*_: Any) -> Any:
        raise Killed

    with patched(announce, "incoming_payments", die), suppress(Killed):
        await bench.attempt()
    check(await bench.state() == "completed", "it was not settled")
    queue: asyncio.Queue[Any] = asyncio.Queue()
    outcome = await _by_tick(bench, Must(sale="completed", alerts="none"), queue)
    await bench.paid_once()
    outcome.recovery = "the next tick tells them"
    return outcome


@scene(NOTIFY, "duplicate")
async def notify_twice(bench: Bench) -> Outcome:
    """three ticks come one after the other"""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    with _queue(queue):
        for _ in range(2):
            check(await bench.attempt() is None, "a tick failed")
    outcome = await _by_tick(bench, Must(sale="completed", alerts="none"), queue)
    await bench.paid_once()
    outcome.recovery = "not needed"
    return outcome


@scene(NOTIFY, "locked", on=BOTH)
async def notify_locked(bench: Bench) -> Outcome:
    """LNbits' database is locked by another program when the news are read"""
    with patched(notifier, "core_db", _Locked()):
        outcome = await _by_tick(
            bench, Must("DATABASE_BUSY", "completed", "poll_failed (warning)"), asyncio.Queue()
        )
    queue: asyncio.Queue[Any] = asyncio.Queue()
    with _queue(queue):
        check(await bench.attempt() is None, "the next tick failed")
    check(len(await _told_about(bench, queue)) == 3, "they were not told by the next tick")
    await bench.paid_once()
    outcome.recovery = "the next tick tells them"
    return outcome


class _Locked:
    """LNbits' database, as it answers while somebody else writes for long."""

    async def fetchall(self, *_: Any) -> Any:
        import sqlite3

        from sqlalchemy.exc import OperationalError

        raise OperationalError("", {}, sqlite3.OperationalError("database is locked"))


@scene(NOTIFY, "wrong data")
async def notify_wrong(bench: Bench) -> Outcome:
    """a wallet row of the new sale was made unreadable before anybody was told"""

    async def die(*_: Any) -> Any:
        raise Killed

    with patched(announce, "incoming_payments", die), suppress(Killed):
        await bench.attempt()
    rows = "WHERE wallet_id = :id AND memo LIKE 'Bitcoin ATM%'"
    values = {"id": bench.operator.wallets[bench.client]}
    await core_db.execute(f"UPDATE apipayments SET extra = 'no json' {rows}", values)
    outcome = await _by_tick(bench, Must(sale="completed", alerts="none"), asyncio.Queue())
    await core_db.execute(
        f"""UPDATE apipayments SET extra = '{{"tag": "satmachineadmin"}}' {rows}""", values
    )
    await bench.paid_once()
    outcome.recovery = "not needed"
    return outcome


# ---- price feed --------------------------------------------------------------------------------

NO_PRICE = (
    "no price is taken from outside: amounts are Lamassu's own (the cell `refused` counts the"
    " questions that are asked: none)"
)
for _name in ("silent", "slow", "cut half way", "duplicate", "locked", "full"):
    cannot(PRICE, _name, NO_PRICE)


@scene(PRICE, "refused")
async def price_refused(bench: Bench) -> Outcome:
    """LNbits' price sources answer nothing, and its cache of prices is empty"""
    asked: list[Any] = []

    async def refuse(*args: Any) -> Any:
        asked.append(args)
        raise ConnectionRefusedError

    kept = cache._values.copy()
    cache._values.clear()
    names = [n for n in vars(exchange_rates) if n.startswith(("btc_", "get_fiat", "fiat_am"))]
    names = [n for n in names if asyncio.iscoroutinefunction(getattr(exchange_rates, n))]
    check(len(names) >= 5, f"LNbits' price functions are not where they were: {names}")
    with ExitStack() as stack:
        stack.callback(cache._values.update, kept)
        for name in names:
            stack.enter_context(patched(exchange_rates, name, refuse))
        stack.enter_context(_queue(asyncio.Queue()))  # what LNbits itself asks is its own affair
        error = await bench.attempt()
    check(error is None, f"it needed a price: {error!r}")
    check(not asked, f"a price was asked for: {asked}")
    outcome = Outcome(sale=await bench.state(), alerts=await bench.alerts())
    outcome.notes = [f"{len(asked)} questions asked"]
    await bench.paid_once()
    outcome.recovery = "not needed"
    return outcome


@scene(PRICE, "wrong data")
async def price_wrong(bench: Bench) -> Outcome:
    """the operator splits by Lamassu's own price, and a sale's row has none"""
    await settings(bench.operator, split_rule="ticker")
    await bench.lamassu.update(bench.sale["id"], raw_ticker_price=None)
    outcome = Outcome()
    before = await bench.operator.balances()
    await bench.told(await bench.attempt(), outcome)
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    check(outcome.sale == "held (ticker_missing)", outcome.sale)
    check(await bench.operator.balances() == before, "sats moved")
    outcome.notes = ["nothing moved"]
    await settings(bench.operator, split_rule="markup")
    outcome.recovery = "the operator chooses another rule"
    await bench.recovers(outcome)
    return outcome
