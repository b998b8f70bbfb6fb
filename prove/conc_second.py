"""Two processes on one database: two whole LNbits, or this one and a process that only settles.

PostgreSQL is where LNbits may really run twice. That the settlement itself is safe between
processes is shown on SQLite, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from lnbits.core.services import payments as core_payments
from satmachineadmin import crud
from satmachineadmin.dev.lnbits_api import LnbitsApi
from satmachineadmin.dev.lnbits_host import LnbitsHost
from satmachineadmin.transaction_processor import HOLDER, LEASE_NAME
from support.environment import CHECKOUT, Environment
from support.lnbits_app import PASSWORD, SUPERUSER, fund_wallet, make_wallet
from support.operator import BASE, Operator
from support.trouble import open_alerts

from .conc_scenarios import (
    SATS,
    balance_msat,
    each_paid_once,
    in_a_hand,
    is_settled,
    observe_only,
    sales,
    settle,
    spend,
)

CHILD_LIMIT_S = 60
KILLED_AMONG = 160  # sales of a poll that is killed: some seconds, so that it cannot end before
PAUSE_S = 0.005  # as in conc_child.py: SQLite's lock knows no turns


class SecondLnbits(LnbitsHost):
    """A whole LNbits in a process of its own, on the database and the data folder of this one."""

    def __init__(self, environment: Environment):
        super().__init__(environment.folder, os.environ["AUTH_SECRET_KEY"], prefers=0)
        self._url = environment.postgres_url or ""

    def _environment(self, data: Path) -> dict[str, str]:
        return {**super()._environment(data), "LNBITS_DATABASE_URL": self._url}

    async def kill(self) -> None:
        """kill -9, and the system has forgotten it."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        await self.ended()

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid


@asynccontextmanager
async def second_lnbits(environment: Environment) -> AsyncIterator[tuple[SecondLnbits, LnbitsApi]]:
    """Started, and the operator logged in there."""
    host = SecondLnbits(environment)
    await host.start()
    api = LnbitsApi(host.url)
    try:
        await api.login(SUPERUSER, PASSWORD)
        yield host, api
    finally:
        await api.close()
        await host.stop()


@asynccontextmanager
async def settling_child(environment: Environment) -> AsyncIterator[asyncio.subprocess.Process]:
    """prove/conc_child.py, ready for ids."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "prove.conc_child"),
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(environment.extensions)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert child.stdout is not None
        ready = await asyncio.wait_for(child.stdout.readline(), CHILD_LIMIT_S)
        assert ready.strip() == b"ready", "the second process did not start"
        yield child
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def told(child: asyncio.subprocess.Process, ids: list[str]) -> Counter[str]:
    """Let the child settle these; what came of them."""
    out, _ = await asyncio.wait_for(child.communicate("\n".join(ids).encode()), CHILD_LIMIT_S)
    return Counter(json.loads(out))


async def offered_to_two(
    operator: Operator, environment: Environment, *, count: int = 100, workers: int = 2
) -> Counter[str]:
    """Two processes are offered the same cash-outs: each is settled by one and refused by one."""
    await operator.add_client("9000000")
    rows = sales(count)
    await operator.lamassu.insert(rows)
    await crud.set_polling_enabled(False, 0)
    ids = await observe_only()

    async def act(cash_out_id: str) -> None:
        await asyncio.sleep(PAUSE_S)
        await settle.settle_cash_out(cash_out_id, by_hand=True)

    mine: Counter[str] = Counter()
    # The other one begins with the oldest; in an order of our own neither can do everything first.
    offers = random.Random(count).sample(ids, count)
    async with settling_child(environment) as child:
        theirs, *_ = await asyncio.gather(
            told(child, ids), *(in_a_hand(offers, act, mine) for _ in range(workers))
        )
    refused = mine["refused"] + theirs["STATE_CONFLICT"]
    assert mine["settled"] + theirs["settled"] == count, f"{mine} {theirs}"
    assert refused == count, f"{mine} {theirs}"
    assert mine["settled"], "the other process did everything"
    assert theirs["settled"], "this process did everything"
    await each_paid_once(operator, rows)
    return Counter(operations=2 * count, busy=mine["busy"] + theirs["busy"])


async def _watch_lease(seen: set[str]) -> None:
    while True:
        holder = await crud.lease_holder(LEASE_NAME)
        if holder:
            seen.add(holder)
        await asyncio.sleep(0.02)


async def two_lnbits(operator: Operator, api: LnbitsApi, *, count: int = 16, polls: int = 5) -> int:
    """Both poll and process the same sales by id; the lease goes from one to the other."""
    await operator.add_client("9000000")
    rows = sales(count)
    await operator.lamassu.insert(rows)
    paths = ["manual-poll"] * polls + [f"process-transaction/{row['id']}" for row in rows]
    holders: set[str] = set()
    watch = asyncio.ensure_future(_watch_lease(holders))
    try:
        answers = await asyncio.gather(
            *(http.post(f"{BASE}/{path}") for path in paths for http in (operator.http, api.http))
        )
        # One after the other: whoever comes next takes the lease the other one gave back.
        answers += [await http.post(f"{BASE}/manual-poll") for http in (api.http, operator.http)]
    finally:
        watch.cancel()
    assert sum(is_settled(answer) for answer in answers)
    assert HOLDER in holders, "this LNbits never polled"
    assert len(holders) > 1, "the other LNbits never polled"
    await operator.poll()
    await each_paid_once(operator, rows)
    return len(answers)


async def one_is_killed(
    operator: Operator, host: SecondLnbits, api: LnbitsApi, *, after: int, count: int = KILLED_AMONG
) -> int:
    """The second LNbits is killed while it settles; the first goes on where it was."""
    await operator.add_client("9000000")
    rows = sales(count)
    await operator.lamassu.insert(rows)

    async def their_poll() -> None:
        with suppress(httpx.TransportError):
            await api.http.post(f"{BASE}/manual-poll")

    poll = asyncio.ensure_future(their_poll())
    while await _settled() < after:
        assert not poll.done(), "its poll ended before it could be killed"
        await asyncio.sleep(0.002)
    await host.kill()
    await poll
    done = await _settled()
    assert after <= done < count, f"{done} of {count} were settled when it was killed"
    holder = await crud.lease_holder(LEASE_NAME)
    assert holder is not None, "it was killed, and yet gave the lease back"
    assert f":{host.pid}:" in holder, f"the lease is {holder}'s"
    # Its PostgreSQL session may live on for a moment with the settlement's lock.
    await operator.poll()
    await each_paid_once(operator, rows)
    return count - done


async def _settled() -> int:
    row = await crud.fetch_row(
        "SELECT COUNT(*) AS n FROM satoshimachine.lamassu_transactions WHERE status = 'completed'"
    )
    return int(row["n"]) if row else 0


async def core_overspends(operator: Operator, environment: Environment) -> int:
    """What core cannot prevent between two processes must be seen and said.

    The owner pays in one process; between core's look at the balance and its write another process
    settles. Then the wallet is below zero, and no settlement may add to that.
    """
    await operator.api(
        "PUT", "settings", json={"funding_ln": "prefunded", "funding_btc": "prefunded"}
    )
    await operator.add_client("9000000")
    elsewhere = await make_wallet("the owner's other wallet")
    await fund_wallet(operator.source_wallet, SATS)
    await operator.lamassu.insert(sales(1))
    ids = await observe_only()
    original = core_payments.create_payment
    async with settling_child(environment) as child:

        async def pausing(**given: Any) -> Any:
            if given["data"].wallet_id == operator.source_wallet:
                assert (await told(child, ids))["settled"] == 1
            return await original(**given)

        core_payments.create_payment = pausing
        try:
            assert await spend(operator, operator.source_wallet, elsewhere, SATS)
        finally:
            core_payments.create_payment = original
    below = await balance_msat(operator.source_wallet)
    assert below < 0, "core did not overspend: this scenario shows nothing"
    await operator.lamassu.insert(sales(2))
    await operator.poll()
    assert await balance_msat(operator.source_wallet) == below, "a settlement made it worse"
    said = (await open_alerts(operator))["settlement_waits"]
    assert said, "nobody was told"
    assert said[0]["severity"] == "critical"
    await fund_wallet(operator.source_wallet, 10 * SATS)
    await operator.poll()
    assert not (await open_alerts(operator))["settlement_waits"]
    return 2
