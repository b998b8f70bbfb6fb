"""A real LNbits, a real Lamassu behind SSH, an operator, and any number of clients."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from lnbits.core.db import db as core_db
from lnbits.core.models.users import Account, UserExtra
from lnbits.core.services.notifications import notifications_queue
from lnbits.core.services.users import create_user_account_no_ckeck
from lnbits.settings import settings as lnbits_settings
from lnbits.task_manager import task_manager
from satmachineadmin import crud
from satmachineadmin.adapters import marker
from satmachineadmin.dev import sample_rows
from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu
from satmachineadmin.services import readiness
from support.books import clear_books, remember_start
from support.environment import Environment
from support.lnbits_app import SUPERUSER, enabled_client, running_lnbits
from support.operator import Operator
from support.postgres import postgres
from support.proof import prove

# Nobody runs out of fiat during a benchmark.
DEPOSIT_GTQ = "10000000"
SALE_GTQ = 2000
DRAIN_LIMIT_S = 600


@dataclass
class World:
    """What a measurement works on."""

    environment: Environment
    lamassu: EmbeddedLamassu
    operator: Operator
    own_tasks: set[Any] = field(default_factory=set)  # run for ever, never drained

    @property
    def database(self) -> str:
        return self.environment.database

    async def reset(self, clients: int, **connection: Any) -> None:
        """Empty books, empty Lamassu, and this many clients with a deposit of long ago."""
        await self.drain()
        await clear_books()
        # A wallet more is work more for LNbits: those of an earlier case must go.
        await core_db.execute(
            "DELETE FROM wallets WHERE name IN ('source', 'commission', 'client')"
        )
        await core_db.execute(
            "DELETE FROM accounts WHERE id <> :id", {"id": lnbits_settings.super_user}
        )
        await self.lamassu.empty()
        marker.path().unlink(missing_ok=True)
        readiness.forget()
        self.operator = Operator(self.operator.http, self.lamassu)
        await self.operator.set_up(**connection)
        # As after an operator saved the settings page: a stored zone is checked when it is read.
        await self.operator.api("PUT", "settings", json={"time_zone": "America/Guatemala"})
        for _ in range(clients):
            await self._add_client()
        await self.drain()

    async def _add_client(self) -> None:
        account = Account(id=uuid4().hex, username=f"u{uuid4().hex[:12]}", extra=UserExtra())
        user = await create_user_account_no_ckeck(account, wallet_name="client")
        wallet_id = user.wallets[0].id
        client = await self.operator.api(
            "POST", "clients", json={"user_id": user.id, "wallet_id": wallet_id}
        )
        self.operator.wallets[client["id"]] = wallet_id
        await self.operator.deposit(client["id"], DEPOSIT_GTQ)

    async def sell(self, count: int, newest: datetime) -> list[str]:
        """Insert sales, one second apart, the newest at this moment; returns their ids."""
        rows = [
            sample_rows.sale(
                fiat=SALE_GTQ,
                confirmed_at=datetime.fromtimestamp(newest.timestamp() - number, newest.tzinfo),
            )
            for number in range(count)
        ]
        await self.lamassu.insert(rows)
        return [str(row["id"]) for row in rows]

    async def drain(self) -> None:
        """Wait until LNbits' own notifications are through: they must not run into a timing."""
        deadline = asyncio.get_running_loop().time() + DRAIN_LIMIT_S
        quiet = 0
        while quiet < 3:
            current = asyncio.current_task()
            busy = {
                task
                for task in asyncio.all_tasks()
                if task is not current and task not in self.own_tasks and _is_notification(task)
            }
            waiting = task_manager.internal_invoice_queue.qsize() + notifications_queue.qsize()
            # LNbits' own listener looks at the wallet of every payment it is told of.
            waiting += sum(t.invoice_queue.qsize() for t in task_manager.tasks if t.invoice_queue)
            quiet = 0 if busy or waiting or core_db.lock.locked() else quiet + 1
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"LNbits' background work does not end: {busy}, {waiting}")
            await asyncio.sleep(0.01)
        gc.collect()

    async def prove(self) -> None:
        """Every sum holds: what was measured was the real thing."""
        await prove()


def _is_notification(task: asyncio.Task[Any]) -> bool:
    name = getattr(task.get_coro(), "__qualname__", "")
    return "notification" in name and "wrapper" not in name


@asynccontextmanager
async def running_world(environment: Environment) -> AsyncIterator[World]:
    """Everything started; background ticks stopped."""
    async with (
        postgres(environment),
        running_lnbits() as app,
        EmbeddedLamassu(environment.folder / "lamassu") as lamassu,
    ):
        await remember_start()
        async with enabled_client(app, SUPERUSER) as http:
            yield World(environment, lamassu, Operator(http, lamassu), asyncio.all_tasks())


async def cash_out_ids(lamassu_ids: list[str]) -> list[str]:
    """Our ids of these settled sales, in the order of settlement."""
    found = await crud.fetch_rows(
        "SELECT id, lamassu_transaction_id FROM satoshimachine.lamassu_transactions"
        " WHERE status = 'completed' ORDER BY processed_us"
    )
    wanted = set(lamassu_ids)
    return [str(row["id"]) for row in found if row["lamassu_transaction_id"] in wanted]
