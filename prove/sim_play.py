"""One seed: weeks of an ATM's life, then a quiet phase, then the books must be the oracle's."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from satmachineadmin import clock, tasks
from satmachineadmin.database import one_connection, own
from satmachineadmin.errors import Disposition, PollRunning, SatMachineError
from satmachineadmin.models_reconciliation import Scope
from satmachineadmin.services import reconcile
from satmachineadmin.services.invariants import broken_promises
from satmachineadmin.transaction_processor import recover, tick
from support.proof import prove

from .sim_books import Books
from .sim_people import DAY_US, People
from .sim_sales import HOUR_US, Machine
from .sim_world import Fault, Killed, Stage

LOG_SHOWN = 40
QUIET_PAUSES_US = (HOUR_US, 10 * DAY_US, HOUR_US)
STEPS = (6, 14)
ONE_PASS = ("tick", "recover", "outage", "killed", "cancelled")

FOUND = (
    "SELECT f.code, f.expected, f.actual, t.lamassu_transaction_id AS sale"
    " FROM satoshimachine.findings f"
    " LEFT JOIN satoshimachine.lamassu_transactions t ON t.id = f.cash_out_id"
    " WHERE f.link <> 'source' OR t.changed_row IS NULL"
)


@dataclass
class Outcome:
    """How a seed ended."""

    seed: int
    state: str = ""  # a hash of the end, the same on both databases
    failure: str | None = None
    log: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    calm: bool = True  # nothing ran at once, so that it ends the same on every database


class Play:
    """The seed at work."""

    def __init__(self, stage: Stage, seed: int, reconciled: bool = True):
        self.stage, self.rng, self.reconciled = stage, random.Random(seed), reconciled
        self.outcome = Outcome(seed)
        rng = self.rng
        self.books = Books(stage)
        self.machine = Machine(rng, stage.lamassu, lambda: stage.time.true_us)
        self.people = People(rng, stage, self.books, self.machine.currencies)
        self.weights = {
            "tick": 6,
            "heartbeat": rng.choice((0, 2)),
            "button": rng.choice((0, 1)),
            "recover": rng.choice((0, 0.5)),
            "outage": rng.choice((0, 0, 1, 4)),
            "killed": rng.choice((0, 0, 1, 4)),
            "cancelled": rng.choice((0, 0, 1, 4)),
            "at once": rng.choice((0, 0, 2)),
        }
        self.restart_rate = rng.choice((0, 0.1, 0.3))
        self.jump_rate = rng.choice((0, 0, 0.1))
        self.acts_most = rng.choice((1, 2, 3))

    def say(self, text: str) -> None:
        """A line of the log, with the simulated moment."""
        now = clock.iso(self.stage.time.true_us) or ""
        self.outcome.log.append(f"{now[5:19]} {text}")

    async def run(self) -> Outcome:
        """Play to the end; a failure is part of the outcome, not an exception."""
        try:
            await self.stage.reset(self.outcome.seed)
            self.machine.lamassu = self.stage.lamassu
            if self.jump_rate:
                self.stage.time.skew_us = self.rng.randint(-HOUR_US, HOUR_US)
            self._note_clocks()
            async with one_connection():
                await self.people.set_up()
                await self._weeks()
                await self._quiet()
                self.outcome.state = await self.books.check_the_end()
            await prove()
            if self.reconciled:
                await self._reconcile()
        except Exception as exc:  # noqa: BLE001 - whatever it is, the seed failed
            where = traceback.extract_tb(exc.__traceback__)[-1]
            self.outcome.failure = f"{type(exc).__name__}: {exc} ({where.filename}:{where.lineno})"
        self.outcome.counts.update(self.books.counts)
        return self.outcome

    async def _reconcile(self) -> None:
        """Weeks of everything that may happen leave nothing that a reconciliation would name, but
        what Lamassu itself changed after it was settled, or does not have any more.
        """
        run = await reconcile.find(await reconcile.run_now(Scope()))
        assert (run["status"], run["errors"]) == ("done", 0), f"reconciled with {dict(run)}"
        found = await own(lambda conn: conn.rows(FOUND))
        rows = self.machine.lamassu.rows
        gone = [x for x in found if x["code"] == "source_vanished" and x["sale"] not in rows]
        false = [dict(x) for x in found if x not in gone]
        assert not false, f"a false finding: {false[0]}"

    async def _weeks(self) -> None:
        rng, time = self.rng, self.stage.time
        steps = rng.randint(*STEPS)
        whole = rng.choice((14, 21, 28, 28, 45)) * DAY_US
        for _ in range(steps):
            before_us = time.true_us
            time.true_us += int(whole / steps * rng.choice((0.02, 0.3, 1.0, 2.0)))
            if rng.random() < self.jump_rate:
                time.skew_us = rng.choice((0, rng.randint(-2 * DAY_US, 2 * DAY_US)))
                self._note_clocks()
                self.say(f"our clock is off by {time.skew_us / 1e6:.0f} s")
            for text in self.machine.run(before_us):
                self.say(text)
            for _ in range(rng.randint(0, self.acts_most)):
                self.say(await self.people.act())
                await self._follow()
                self.outcome.counts["acts"] += 1
            if rng.random() < self.restart_rate:
                self.stage.forget()
                self.say("restart")
            one_pass = await self._tick() in ONE_PASS
            await self._check(one_pass=one_pass)

    def _note_clocks(self) -> None:
        self.books.differences.add(-self.stage.time.skew_us)

    async def _follow(self, *, one_pass: bool = False) -> None:
        for text in await self.books.follow(one_pass=one_pass):
            self.say(f"  {text}")

    async def _check(self, *, one_pass: bool = False) -> None:
        """The named invariants, and every balance as the oracle has it."""
        await self._follow(one_pass=one_pass)
        broken = await broken_promises()
        assert not broken, "\n".join(map(str, broken))
        self.outcome.counts["steps"] += 1

    async def _tick(self) -> str:
        """Settle somehow; returns how."""
        rng = self.rng
        names = sorted(self.weights)
        name = rng.choices(names, [self.weights[n] for n in names])[0]
        self.say(f"tick: {name}")
        self.outcome.counts[name] += 1
        if name == "outage":
            self.stage.outage = rng.choice((0, 1, 2, 3))
            await self._calmly(tick("timer"))
            self.stage.outage = None
        elif name in ("killed", "cancelled"):
            await self._stopped(name)
        elif name == "at once":
            await self._at_once()
        else:
            await self._calmly(
                {
                    "tick": lambda: tick("timer"),
                    "heartbeat": self._heartbeat,
                    "button": lambda: self.people.api("POST", "manual-poll"),
                    "recover": recover,
                }[name]()
            )
        return name

    async def _heartbeat(self) -> None:
        """LNbits' task manager calls; whether a tick is due is the product's business."""
        await tasks.heartbeat()

    async def _calmly(self, work: Awaitable[Any]) -> None:
        """Errors that the product names are its right, unless they halt or blame itself."""
        try:
            await work
        except SatMachineError as exc:
            if exc.disposition is Disposition.HALT or exc.code == "INTERNAL":
                raise
            self.say(f"  {exc.code}")

    async def _stopped(self, name: str) -> None:
        """The process ends at some write, or LNbits cancels its task there."""
        rng = self.rng
        kind = rng.choice(("kill", "kill", "commit")) if name == "killed" else "cancel"
        at = rng.randint(1, 12) if kind == "commit" else rng.randint(1, 60)
        work: Callable[[], Awaitable[Any]] = rng.choice((lambda: tick("timer"), recover))
        task = asyncio.ensure_future(work())
        self.stage.fault = Fault(kind, at, task)
        try:
            await self._calmly(task)
        except (Killed, asyncio.CancelledError):
            self.outcome.counts["stops"] += 1
            self.say(f"  {kind} at {at}")
        finally:
            dead = self.stage.fault.dead
            self.stage.fault = None
        if dead:
            self.stage.forget()

    async def _at_once(self) -> None:
        """Ticks, the button, sales by id and retries, all in the same moment."""
        self.outcome.calm = False
        people, rng = self.people, self.rng
        works: list[Awaitable[Any]] = [tick("timer"), tick("timer"), tasks.heartbeat()]
        works.append(people.api("POST", "manual-poll"))
        for sale in rng.sample(
            sorted(self.stage.lamassu.rows), min(2, len(self.stage.lamassu.rows))
        ):
            works += [people.process(sale, None), people.process(sale)]
        works.append(people.treat_owed())
        rng.shuffle(works)
        for found in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(found, PollRunning):
                self.outcome.counts["met another"] += 1
            elif isinstance(found, BaseException) and not isinstance(found, SatMachineError):
                raise found

    async def _quiet(self) -> None:
        """Faults off, wallets back: within a few ticks everything that may settle must.

        One of them is a weekly comparison: a sale that shows itself only when it is older than the
        window of 30 days is found by that.
        """
        self.say("quiet phase")
        self.machine.settle_down()
        await self.people.settle_down()
        for pause_us in QUIET_PAUSES_US:
            self.stage.time.true_us += pause_us
            await tick("timer")
            await self._check()
