"""Many hands on the same sales at once, in one LNbits process.

Each scenario works through the real parts (HTTP, SSH, both databases), checks every answer and the
books, and returns how many operations ran beside each other. `make test` runs them smaller.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpx
from satmachineadmin import crud, tasks
from satmachineadmin.adapters.lamassu_postgres import open_source
from satmachineadmin.dev import sample_rows
from satmachineadmin.errors import DatabaseBusy, FundingShort, StateConflict
from satmachineadmin.services import settle
from satmachineadmin.services.observe import observe
from satmachineadmin.services.source import source_settings
from support.operator import BASE, Operator
from support.proof import prove
from support.trouble import open_alerts, share_wallet

SATS = 266_800
SALE: dict[str, Any] = {"fiat": 2000, "commission": "0.03", "crypto_atoms": SATS}
REFUSALS = (httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE)
SEED = 20_261_121


def is_settled(answer: httpx.Response) -> bool:
    """True for a success; a refusal must say what, why and what now, with a code."""
    if answer.is_success:
        return True
    assert answer.status_code in REFUSALS, f"{answer.status_code} {answer.text}"
    said = answer.json()
    assert said["detail"], said
    assert said["code"], said
    assert said["hint"], said
    return False


def sales(count: int) -> list[dict[str, Any]]:
    """Ordinary sales of one size, so that sums are easy to predict."""
    return [sample_rows.sale(**SALE) for _ in range(count)]


async def observe_only() -> list[str]:
    """Store what Lamassu has without settling it; our ids in the order of settlement."""
    config = await crud.get_config()
    assert config is not None

    async def quiet(phase: str, done: int, total: int) -> None:
        del phase, done, total

    async with open_source(source_settings(config)) as source:
        await observe(source, start_at_us=0, full=True, progress=quiet)
    return await settle.pending_ids(100_000)


async def each_paid_once(operator: Operator, rows: Iterable[dict[str, Any]]) -> None:
    """Every sale is completed, its sats came in once and lie somewhere, and all sums hold."""
    ids = [str(row["id"]) for row in rows]
    found = {
        str(row["lamassu_transaction_id"]): str(row["status"])
        for row in await crud.fetch_rows(
            "SELECT lamassu_transaction_id, status FROM satoshimachine.lamassu_transactions"
        )
    }
    wrong = {one: found.get(one) for one in ids if found.get(one) != "completed"}
    assert not wrong, f"not completed: {wrong}"
    assert len(found) == len(ids), f"{len(found)} cash-outs for {len(ids)} sales"
    assert sum((await operator.balances()).values()) == len(ids) * SATS
    await prove()


async def _failed_shares(operator: Operator, count: int) -> list[dict[str, Any]]:
    """Sales of which one client's share failed; the wallet is in order again at the end."""
    client = await operator.add_client("200000")
    await operator.add_client("200000")
    await share_wallet(operator.wallets[client])
    rows = sales(count)
    await operator.lamassu.insert(rows)
    await operator.poll()
    await share_wallet(operator.wallets[client], "lightning")
    return rows


async def _beat() -> None:
    """The timer's own call, with a tick due."""
    tasks.timer.run_on = True
    await tasks.heartbeat()


async def storm(operator: Operator, *, count: int = 24, polls: int = 20, owed: int = 6) -> int:
    """Timer, manual polls, every sale by id twice and every failed share thrice, all at once."""
    before, tasks.timer = tasks.timer, tasks.Timer()
    try:
        rows = await _failed_shares(operator, owed)
        shares = [s for row in rows for s in await operator.shares(row["id"])]
        failed = [s["id"] for s in shares if s["status"] == "failed"]
        assert len(failed) == owed, f"{len(failed)} failed shares"
        fresh = sales(count)
        await operator.lamassu.insert(fresh)

        async def ask(path: str) -> httpx.Response:
            return await operator.http.post(f"{BASE}/{path}")

        retries = [f"payments/{share}/retry" for share in failed for _ in range(3)]
        by_id = [f"process-transaction/{row['id']}" for row in fresh for _ in range(2)]
        paths = ["manual-poll"] * polls + by_id + retries
        random.Random(SEED).shuffle(paths)
        answers = await asyncio.gather(*(ask(path) for path in paths), _beat(), _beat())
        taken = Counter(
            path
            for path, answer in zip(paths, answers, strict=False)
            if answer is not None and is_settled(answer)
        )
        twice = [path for path in retries if taken[path] > 1]
        assert not twice, f"a share was paid by two requests: {twice}"
        await operator.poll()
        await each_paid_once(operator, [*rows, *fresh])
        for row in rows:
            assert {s["status"] for s in await operator.shares(row["id"])} == {"confirmed"}
        return len(paths) + 2
    finally:
        tasks.timer = before


async def in_a_hand(
    offers: list[str], act: Callable[[str], Awaitable[Any]], seen: Counter[str]
) -> None:
    """A worker: takes offers until none is left; busy is tried again, as a tick would."""
    while offers:
        one = offers.pop()
        while True:
            try:
                await act(one)
            except StateConflict:
                seen["refused"] += 1
            except DatabaseBusy:
                seen["busy"] += 1
                continue
            else:
                seen["settled"] += 1
            break


async def offered_twice(operator: Operator, *, count: int = 500, workers: int = 20) -> Counter[str]:
    """Cash-outs offered twice each by many workers straight to the settlement."""
    await operator.add_client("9000000")
    await operator.add_client("9000000")
    rows = sales(count)
    await operator.lamassu.insert(rows)
    await crud.set_polling_enabled(False, 0)
    ids = await observe_only()
    assert len(ids) == count, f"{len(ids)} stored of {count}"
    offers = ids * 2
    random.Random(SEED).shuffle(offers)
    seen: Counter[str] = Counter()

    async def act(cash_out_id: str) -> None:
        await settle.settle_cash_out(cash_out_id, by_hand=True)

    await asyncio.gather(*(in_a_hand(offers, act, seen) for _ in range(workers)))
    assert seen["settled"] == count, f"{seen['settled']} of {count} settled"
    assert seen["refused"] == count, f"{seen['refused']} of {count} refused"
    await each_paid_once(operator, rows)
    return seen


async def keys_of(wallet_id: str) -> dict[str, str]:
    """The header with which a wallet's owner spends from it."""
    from lnbits.core.crud.wallets import get_wallet

    wallet = await get_wallet(wallet_id)
    assert wallet is not None
    return {"X-Api-Key": wallet.adminkey}


async def spend(operator: Operator, from_wallet: str, to_wallet: str, sats: int) -> bool:
    """The owner pays from one wallet to another one over LNbits' own API; True when it was paid."""
    bill = await operator.http.post(
        "/api/v1/payments",
        json={"out": False, "amount": sats, "memo": "meanwhile"},
        headers=await keys_of(to_wallet),
    )
    assert bill.is_success, bill.text
    paid = await operator.http.post(
        "/api/v1/payments",
        json={"out": True, "bolt11": bill.json()["bolt11"]},
        headers=await keys_of(from_wallet),
    )
    assert paid.is_success or "Insufficient balance" in paid.text, paid.text
    return bool(paid.is_success)


async def balance_msat(wallet_id: str) -> int:
    """What LNbits counts: a pending payment is gone already."""
    from lnbits.core.crud.wallets import get_wallet

    wallet = await get_wallet(wallet_id)
    assert wallet is not None
    return int(wallet.balance_msat)


async def owner_spends(operator: Operator, *, count: int = 16, payments: int = 16) -> int:
    """Prefunded: settlements and the owner's own payments race for a balance that is too small.

    Nothing comes in meanwhile, so a balance that is not below zero at the end never was.
    """
    from support.lnbits_app import fund_wallet, make_wallet

    await operator.api(
        "PUT", "settings", json={"funding_ln": "prefunded", "funding_btc": "prefunded"}
    )
    await operator.add_client("9000000")
    elsewhere = await make_wallet("the owner's other wallet")
    held = count * SATS
    await fund_wallet(operator.source_wallet, held)
    rows = sales(count)
    await operator.lamassu.insert(rows)
    ids = await observe_only()
    each = held // payments

    async def settle_one(cash_out_id: str) -> bool:
        try:
            await settle.settle_cash_out(cash_out_id)
        except (FundingShort, DatabaseBusy):
            return False
        return True

    work = [settle_one(x) for x in ids]
    work += [spend(operator, operator.source_wallet, elsewhere, each) for _ in range(payments)]
    random.Random(SEED).shuffle(work)
    await asyncio.gather(*work)
    left = await balance_msat(operator.source_wallet)
    assert left >= 0, f"the source wallet is at {left} msat"
    assert left < max(each, SATS) * 1000, "nobody had to wait: the race was none"
    await operator.poll()
    assert (await open_alerts(operator))["settlement_waits"], "waiting is not said"
    await fund_wallet(operator.source_wallet, held)
    await operator.poll()
    paid = await crud.fetch_rows(
        "SELECT id FROM satoshimachine.lamassu_transactions WHERE status = 'completed'"
    )
    assert len(paid) == count, f"{len(paid)} of {count} settled after the wallet was filled"
    assert not (await open_alerts(operator))["settlement_waits"]
    assert await balance_msat(operator.source_wallet) >= 0
    await prove()
    return count + payments
