"""The stage of a simulated ATM: one real LNbits, a clock that jumps, a Lamassu in memory, faults.

What is real: LNbits, both databases, our services, our API over HTTP. What is not: the clock, the
ids (drawn from the seed, so that a seed repeats itself), Lamassu's server, and the queue into which
LNbits is told of arrived payments.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from types import SimpleNamespace
from typing import Any

import aiosqlite
import httpx
from lnbits.core.crud.payments import create_payment
from lnbits.core.crud.wallets import clear_wallet_id_cache
from lnbits.core.db import db as core_db
from lnbits.core.models import CreatePayment, PaymentState
from loguru import logger
from satmachineadmin import clock, tasks, transaction_processor
from satmachineadmin.adapters import marker
from satmachineadmin.database import PostgresConnection, SqliteConnection
from satmachineadmin.errors import SourceConnectionLost, SourceUnreachable
from satmachineadmin.services import (
    announce,
    cash_outs,
    clients,
    deposits,
    intake,
    readiness,
    reconcile_source,
    settled_rows,
)
from support.books import clear_books, remember_start
from support.environment import Environment
from support.lnbits_app import SUPERUSER, enabled_client, make_account, make_wallet, running_lnbits
from support.postgres import postgres

from .sim_source import MemoryLamassu, MemorySource

CLIENTS_MAX = 7
EPOCH_US = 1_790_000_000_000_000  # in September 2026; a few weeks later Europe's clocks change
THREADED_EVERY = 10  # these seeds speak to SQLite through its thread, as LNbits does
QUIET_LOG = ("event=poll_failed", "event=money_work")


class Killed(BaseException):
    """Stands for the process ending at this statement: nothing after it runs."""


@dataclass
class Fault:
    """A stop at the n-th write of what runs now. `kind`: kill, cancel or commit."""

    kind: str
    at: int
    task: asyncio.Task[Any] | None = None
    seen: int = 0
    dead: bool = False

    def refuse_the_dead(self) -> None:
        """A process that ended writes nothing any more, and reads nothing."""
        if self.dead:
            raise Killed

    def write(self) -> None:
        """Called before every write."""
        self.refuse_the_dead()
        self.seen += self.kind != "commit"
        if self.kind != "commit" and self.seen == self.at:
            if self.kind == "kill":
                self.dead = True
                raise Killed
            if self.task is not None:
                self.task.cancel()

    def committed(self) -> None:
        """Called after every commit of a settlement transaction, before its caller knows."""
        self.seen += self.kind == "commit"
        if self.kind == "commit" and self.seen == self.at:
            self.dead = True
            raise Killed


class SeedClock:
    """True time, which Lamassu shows, and ours, which may be off. Never the same moment twice."""

    def __init__(self) -> None:
        self.true_us, self.skew_us = EPOCH_US, 0

    def __call__(self) -> int:
        self.true_us += 1
        return (self.true_us + self.skew_us) * 1000


class Ids:
    """Ids by kind and number, of the same shape on both databases and the same for a seed."""

    def __init__(self, seed: int):
        self.seed, self.given = seed, dict[str, int]()

    def next(self, kind: str) -> str:
        """The next id of this kind."""
        self.given[kind] = self.given.get(kind, 0) + 1
        return hashlib.md5(f"{self.seed}:{kind}:{self.given[kind]}".encode()).hexdigest()


@dataclass
class Stage:
    """What a seed plays on."""

    environment: Environment
    http: httpx.AsyncClient
    users: list[tuple[str, list[str]]]  # user id, wallets
    sources: list[str]
    commissions: list[str]
    time: SeedClock = field(default_factory=SeedClock)
    ids: Ids = field(default_factory=lambda: Ids(0))
    lamassu: MemoryLamassu = field(default_factory=MemoryLamassu)
    fault: Fault | None = None
    outage: int | None = None  # the source fails at its n-th answer; 0: it cannot be reached
    errors: list[str] = field(default_factory=list)  # what the log called an error

    @property
    def wallets(self) -> dict[str, str]:
        """Wallet id -> what it is called, the same in every process."""
        names = {x: f"source{n}" for n, x in enumerate(self.sources)}
        names |= {x: f"commission{n}" for n, x in enumerate(self.commissions)}
        for number, (_, mine) in enumerate(self.users):
            names |= {x: f"user{number}.{n}" for n, x in enumerate(mine)}
        return names

    async def reset(self, seed: int) -> None:
        """Empty books, all wallets back, a new machine."""
        self.time, self.ids = SeedClock(), Ids(seed)
        self.lamassu, self.fault, self.outage = MemoryLamassu(), None, None
        self.errors.clear()
        threads(seed % THREADED_EVERY == 0)
        clock.source = self.time
        await clear_books()
        await core_db.execute("UPDATE wallets SET deleted = false WHERE deleted")
        marker.path().unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """What a restart forgets."""
        readiness.forget()
        tasks.timer = tasks.Timer()
        host, pid, _ = transaction_processor.HOLDER.rsplit(":", 2)
        transaction_processor.HOLDER = f"{host}:{pid}:{self.time.true_us:x}"

    async def move_wallet(self, wallet_id: str, *, deleted: bool) -> None:
        """Delete a wallet as its owner does, or bring it back as LNbits' admin does."""
        clear_wallet_id_cache(wallet_id)
        await core_db.execute(
            "UPDATE wallets SET deleted = :deleted WHERE id = :id",
            {"deleted": deleted, "id": wallet_id},
        )

    async def owner_moves(self, wallet_id: str, sats: int) -> None:
        """The owner of a wallet receives or spends sats, past our extension."""
        name = self.ids.next("owner") * 2
        await create_payment(
            checking_id=f"internal_{name}",
            data=CreatePayment(
                wallet_id=wallet_id,
                bolt11="",
                payment_hash=name,
                amount_msat=sats * 1000,
                memo="the owner's own",
            ),
            status=PaymentState.SUCCESS,
        )

    @asynccontextmanager
    async def open_source(self, _settings: object) -> AsyncIterator[MemorySource]:
        """In the place of adapters/lamassu_postgres.open_source."""
        if self.outage == 0:
            raise SourceUnreachable("The ATM server does not answer")
        source = MemorySource(self.lamassu, lambda: self.time.true_us, -self.time.skew_us)
        yield _Failing(source, self.outage) if self.outage else source  # type: ignore[misc]

    @contextmanager
    def hooks(self) -> Any:
        """Put the fakes in their places for as long as the stage is used."""
        places = [
            (transaction_processor, "open_source", self.open_source),
            (cash_outs, "open_source", self.open_source),
            (reconcile_source, "open_source", self.open_source),
            (clients, "urlsafe_short_hash", lambda: self.ids.next("client")),
            (deposits, "urlsafe_short_hash", lambda: self.ids.next("deposit")),
            (settled_rows, "urlsafe_short_hash", lambda: self.ids.next("share")),
            (intake, "uuid4", lambda: SimpleNamespace(hex=self.ids.next("cash_out"))),
            (announce, "queue_payments", lambda payments: None),
            (transaction_processor, "LOOK_AGAIN_S", 0.001),
            (transaction_processor, "INTERACTIVE_PAUSE_S", 0.0),
            (clock, "source", self.time),
            *self._statements(),
        ]
        before = [(place, name, getattr(place, name)) for place, name, _ in places]
        for place, name, fake in places:
            setattr(place, name, fake)
        sink = logger.add(lambda text: self.errors.append(str(text)), level="ERROR", filter=_ours)
        try:
            yield
        finally:
            logger.remove(sink)
            for place, name, real in before:
                setattr(place, name, real)
            threads(True)

    def _statements(self) -> list[tuple[type, str, Callable[..., Awaitable[Any]]]]:
        driver = SqliteConnection if core_db.type == "SQLITE" else PostgresConnection

        def hooked(name: str) -> Callable[..., Awaitable[Any]]:
            original = getattr(driver, name)

            async def call(conn: Any, *args: Any, **more: Any) -> Any:
                if self.fault is None:
                    return await original(conn, *args, **more)
                self.fault.refuse_the_dead()
                if name in ("changed", "_many"):
                    self.fault.write()
                if name == "begin":
                    conn.settles = True
                answer = await original(conn, *args, **more)
                if name == "commit" and hasattr(conn, "settles") and self.fault is not None:
                    self.fault.committed()
                return answer

            return call

        names = ("rows", "changed", "_many", "begin", "commit")
        return [(driver, name, hooked(name)) for name in names]


class _Failing:
    """A source whose n-th answer does not come."""

    def __init__(self, source: MemorySource, left: int):
        self._source, self._left = source, left

    def __getattr__(self, name: str) -> Any:
        self._left -= 1
        if self._left < 0:
            raise SourceConnectionLost("The connection was cut")
        return getattr(self._source, name)


def _ours(record: Any) -> bool:
    return str(record["name"]).startswith("satmachineadmin") and not any(
        text in record["message"] for text in QUIET_LOG
    )


class _AtOnce:
    """In the place of the queue to SQLite's thread: done here and now, told at the next turn.

    Two thirds of a seed's time went into handing statements over. And who comes first is the same
    at every repetition.
    """

    def put_nowait(self, job: tuple[Any, Callable[[], Any]]) -> None:
        """Run a job of aiosqlite's."""
        future, function = job
        try:
            result, answer = function(), future and future.set_result
        except BaseException as exc:  # noqa: BLE001 - as aiosqlite's own thread does
            result, answer = exc, future and future.set_exception
        if future is not None:
            future.get_loop().call_soon(lambda: future.done() or answer(result))


class _NoThread:
    """In the place of SQLite's thread."""

    daemon = True

    def __init__(self, target: object, args: object):
        pass

    def start(self) -> None:
        """Nothing to start."""


def threads(wanted: bool) -> None:
    """Whether SQLite connections opened from now on have a thread of their own, as always."""
    aiosqlite.core.SimpleQueue = SimpleQueue if wanted else _AtOnce  # type: ignore[misc]
    aiosqlite.core.Thread = Thread if wanted else _NoThread  # type: ignore[misc]


@asynccontextmanager
async def running_stage(environment: Environment) -> AsyncIterator[Stage]:
    """LNbits started, with users and wallets for every seed."""
    async with postgres(environment), running_lnbits() as app:
        await remember_start()
        users = []
        for _ in range(CLIENTS_MAX):
            user, first = await make_account()
            users.append((user, [first, await make_wallet("second", user)]))
        sources = [await make_wallet(f"source {n}") for n in range(2)]
        commissions = [await make_wallet(f"commission {n}") for n in range(2)]
        async with enabled_client(app, SUPERUSER) as http:
            stage = Stage(environment, http, users, sources, commissions)
            logger.remove()  # thousands of lines about simulated trouble
            with stage.hooks():
                yield stage
