"""Where the cells of the fault matrix are run: one operator, one machine, levers on every wire.

A cell says how the fault is made and what it must lead to. Everything else is the same for all of
them and is asked here: the error has a code, a sentence and a hint, nothing moved, nothing was
taken as read, no lock stays behind, and afterwards the sale is paid exactly once.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from lnbits.core.db import db as core_db
from lnbits.settings import settings as lnbits_settings
from satmachineadmin import crud, database, transaction_processor
from satmachineadmin.adapters import lamassu_postgres, marker
from satmachineadmin.adapters.lamassu_postgres import open_source
from satmachineadmin.adapters.source_settings import SourceLimits
from satmachineadmin.benchmarks.world import World
from satmachineadmin.dev import sample_rows
from satmachineadmin.errors import SatMachineError
from satmachineadmin.migrations import SCHEMA_VERSION
from satmachineadmin.services import readiness
from support.books import clear_books
from support.operator import Operator, ago
from support.proof import prove
from support.trouble import markup_split

from .fault_relay import Relay

# The product waits longer, for an ATM behind a home line (adapters/source_settings.py).
SHORT = SourceLimits(connect_s=1, login_s=1, query_s=1, lock_s=0.3, close_s=0.5, test_s=20)
SALE: dict[str, Any] = {"fiat": 100, "commission": "0.03", "crypto_atoms": 266_800}
TICKS_TO_RECOVER_MAX = 3
STUCK_S = 30  # an attempt that takes this long hangs
LAST_SUCCESS = "last_successful_poll_us"


@dataclass
class Outcome:
    """What a cell found; a row of the table."""

    error: str = "none"
    disposition: str = "-"
    sale: str = ""
    alerts: str = "none"
    recovery: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def afterwards(self) -> str:
        """State of the sale, and what else was seen."""
        return "; ".join([self.sale, *self.notes])


class Differs(AssertionError):
    """A cell found something else than it must."""


def check(condition: object, message: str) -> None:
    """An assertion that survives python -O."""
    if not condition:
        raise Differs(message)


@contextmanager
def patched(target: Any, name: str, value: Any) -> Any:
    """Another value for a moment."""
    before = getattr(target, name)
    setattr(target, name, value)
    try:
        yield before
    finally:
        setattr(target, name, before)


@dataclass
class Bench:
    """What a cell works on."""

    operator: Operator
    ssh: Relay  # before the SSH server
    far: Relay  # before Lamassu's PostgreSQL
    database: Relay | None = None  # before LNbits' own PostgreSQL
    client: str = ""
    first: dict[str, Any] = field(default_factory=dict)
    sale: dict[str, Any] = field(default_factory=dict)
    limits: SourceLimits = SHORT
    own_tasks: set[Any] = field(default_factory=asyncio.all_tasks)

    @property
    def lnbits_wire(self) -> Relay:
        """The wire to LNbits' PostgreSQL."""
        check(self.database is not None, "LNbits' PostgreSQL is not behind a relay here")
        return cast(Relay, self.database)

    @property
    def database_url(self) -> str:
        """LNbits' PostgreSQL, past the relay."""
        url = str(lnbits_settings.lnbits_database_url)
        if self.database is None:
            return url
        return url.replace(f":{self.database.port}/", f":{self.database.target_port}/")

    async def fresh_connections(self) -> None:
        """LNbits' pool forgets the connections it has."""
        await core_db.engine.dispose()
        await database.db.engine.dispose()

    @property
    def lamassu(self) -> Any:
        """The embedded Lamassu."""
        return self.operator.lamassu

    async def reset(self) -> None:
        """Empty books, one client, one sale that is paid, and one that nobody saw yet."""
        await self.whole_again()
        await clear_books()
        await core_db.execute(
            "DELETE FROM wallets WHERE name IN ('source', 'commission', 'client')"
        )
        await self.lamassu.empty()
        marker.path().unlink(missing_ok=True)
        readiness.forget()
        self.limits = SHORT
        self.operator = Operator(self.operator.http, self.lamassu)
        await self.operator.set_up(ssh_port=self.ssh.port, port=self.far.port)
        self.client = await self.operator.add_client("30000")
        self.first = sample_rows.sale(confirmed_at=ago(minutes=9), **SALE)
        await self.lamassu.insert([self.first])
        await transaction_processor.tick("timer")
        self.sale = sample_rows.sale(**SALE)
        await self.lamassu.insert([self.sale])
        await self.quiet()

    async def quiet(self) -> None:
        """LNbits has told everybody of what was paid, and touches its database no more."""
        await World(cast(Any, None), self.lamassu, self.operator, self.own_tasks).drain()

    async def whole_again(self) -> None:
        """Whatever the last cell left."""
        await self.ssh.open()
        await self.far.open()
        if self.database is not None:
            await self.database.open()
        self.lamassu.ssh.forbid_forwarding = False
        self.lamassu.ssh.delay_s = 0.0
        await self.lamassu.start_pg()
        await self.lamassu.start_ssh()
        self.lamassu.ssh.allowed_port = self.far.port
        lamassu_postgres._probes_kept.clear()

    async def recover_world(self) -> None:
        """After a cell that failed: the databases are as LNbits left them."""
        await self.whole_again()
        await asyncio.sleep(0.2)
        if core_db.type == "SQLITE":
            for path in (core_db.path, database.db.path):
                with contextlib.closing(sqlite3.connect(path, timeout=10)) as raw:
                    raw.execute("PRAGMA journal_mode = delete")
        await core_db.execute(
            "UPDATE dbversions SET version = :n WHERE db = 'satmachineadmin'",
            {"n": SCHEMA_VERSION},
        )

    # ---- one attempt ----------------------------------------------------------------------

    async def attempt(self, cause: str = "timer") -> Exception | None:
        """One tick, with short limits towards the source; what it raised."""
        opener = partial(open_source, limits=self.limits)
        with patched(transaction_processor, "open_source", opener):
            try:
                await asyncio.wait_for(transaction_processor.tick(cause), STUCK_S)
            except asyncio.TimeoutError:
                raise Differs(f"the tick did not end within {STUCK_S} s") from None
            except Exception as exc:  # noqa: BLE001  # what it is, is what is asked
                return exc
        return None

    async def facts(self) -> tuple[dict[str, int], Any]:
        """Sats in all wallets, and how far the source was read."""
        return await self.operator.balances(), await crud.get_meta(LAST_SUCCESS)

    async def sums(self) -> dict[str, int]:
        """Sats of every wallet that has any, by its rows alone."""
        rows: list[Any] = await core_db.fetchall(
            "SELECT wallet_id, SUM(amount - ABS(fee)) AS msat FROM apipayments GROUP BY wallet_id"
        )
        return {str(row["wallet_id"]): int(row["msat"]) for row in rows}

    async def state(self) -> str:
        """What is stored of the new sale."""
        row = await crud.fetch_row(
            "SELECT status, hold_code FROM satoshimachine.lamassu_transactions"
            " WHERE lamassu_transaction_id = :id",
            {"id": self.sale["id"]},
        )
        if row is None:
            return "not stored"
        code = f" ({row['hold_code']})" if row["hold_code"] else ""
        return f"{row['status']}{code}"

    async def stored_first(self) -> Any:
        """The row of the sale that was paid first."""
        return await crud.fetch_row(
            "SELECT * FROM satoshimachine.lamassu_transactions WHERE lamassu_transaction_id = :id",
            {"id": self.first["id"]},
        )

    async def alerts(self) -> str:
        """Kinds of open alerts."""
        rows = await crud.fetch_rows(
            "SELECT kind, severity FROM satoshimachine.alerts WHERE resolved_us IS NULL"
            " ORDER BY kind"
        )
        return ", ".join(sorted({f"{r['kind']} ({r['severity']})" for r in rows})) or "none"

    async def newest_poll(self) -> Any:
        """The newest poll on record."""
        return await crud.fetch_row("SELECT * FROM satoshimachine.polls ORDER BY started_us DESC")

    # ---- what must hold -------------------------------------------------------------------

    async def told(self, error: Exception | None, outcome: Outcome) -> None:
        """An error is one of ours, says what and what next, and is on record if it can be."""
        if error is None:
            return
        if not isinstance(error, SatMachineError):
            raise Differs(
                f"{type(error).__module__}.{type(error).__name__} without a code: {error}"
            )
        outcome.error, outcome.disposition = error.code, error.disposition.value
        check(error.code not in ("INTERNAL", "SOURCE_ERROR"), f"no code of its own: {error}")
        check(len(error.message.split()) >= 4, f"no sentence: {error.message!r}")
        check(len(error.hint.split()) >= 3, f"no hint: {error.hint!r}")

    async def recovers(self, outcome: Outcome) -> None:
        """The next ticks settle the sale once, and then nothing more happens."""
        ticks, error = 0, None
        while await self.state() != "completed" or not ticks:
            check(ticks < TICKS_TO_RECOVER_MAX, f"not settled: {await self.state()}, {error!r}")
            ticks, error = ticks + 1, await self.healthy_tick()
        word = "the next tick" if ticks == 1 else f"tick {ticks}"
        outcome.recovery += word if not outcome.recovery else f", then {word}"
        await self.paid_once()

    async def healthy_tick(self) -> Exception | None:
        """A tick with the product's own limits."""
        self.limits = SourceLimits()
        return await self.attempt()

    async def by_hand(self) -> None:
        """The operator processes the cash-out, and it is paid once."""
        await self.operator.api(
            "POST", f"process-transaction/{self.sale['id']}", json={"reason": "looked at it"}
        )
        await self.paid_once()

    async def paid_once(self) -> None:
        """Both sales are in the client's wallet once, and stay there once."""
        for again in (False, True):
            if again:
                check(not await self.healthy_tick(), "the tick after it failed")
            found = await self.operator.balances()
            shares = sum(markup_split(row)[0] for row in (self.first, self.sale))
            total = sum(int(row["crypto_atoms"]) for row in (self.first, self.sale))
            check(
                found[self.client] == shares, f"the client has {found[self.client]}, not {shares}"
            )
            check(sum(found.values()) == total, f"the wallets have {found}, not {total}")
            await prove()
        check("poll_failed" not in await self.alerts(), "the alert stands after the recovery")

    async def nothing_held(self, limit_s: float = 5) -> None:
        """No lock and no open file outlives a tick; LNbits' own requests pass by meanwhile."""
        for name, is_held in (
            ("the ledger's lock", database.db.lock.locked),
            ("the wallets' lock", core_db.lock.locked),
            ("the tick's lock", transaction_processor._tick_lock.locked),
            ("a kept connection", lambda: database._Kept.connections or database._Kept.holders),
        ):
            await until(lambda free=is_held: not free(), f"{name} is let go", limit_s)

    async def no_lease(self) -> None:
        """The next process need not wait for this one."""
        check(await crud.lease_holder("tick") is None, "the lease was not given back")


async def until(condition: Callable[[], Any], what: str, limit_s: float = 10) -> None:
    """Wait for something that must come."""
    deadline = asyncio.get_running_loop().time() + limit_s
    while True:
        found = condition()
        if await found if asyncio.iscoroutine(found) else found:
            return
        check(asyncio.get_running_loop().time() < deadline, f"never: {what}")
        await asyncio.sleep(0.01)


@asynccontextmanager
async def meanwhile(work: Awaitable[None]) -> AsyncIterator[None]:
    """Something that goes on beside the block and ends with it."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
