"""The life of the running demo: the ATM sells, the operator polls, clients bring new cash."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import httpx

from .atm import Atm
from .console import grouped, happened
from .demo_setup import Operation, bring_cash
from .embedded_lamassu import EmbeddedLamassu
from .lnbits_api import ApiRefused, LnbitsApi

BETWEEN_SALES_S = 6.0
NEW_CASH_EVERY = 12  # sales; so that the clients' balances never run dry
NEW_CASH = 5_000  # quetzales
NEWEST = 25  # rows looked at after a poll


async def keep_shop(api: LnbitsApi, lamassu: EmbeddedLamassu, operation: Operation) -> None:
    """Sell for ever. LNbits may go away in between: the sale stays and is found later."""
    atm = Atm(lamassu)
    await atm.take_over()
    seen: dict[str, str] = {}
    turn: Iterator[str] = itertools.cycle(operation.client_ids)
    await _patiently(_news(api, seen))
    for number in itertools.count(1):
        for finished in await atm.finish_some():
            happened(f"ATM     {finished.text}")
        happened(f"ATM     {(await atm.sell()).text}")
        await _patiently(_poll(api))
        for line in await _patiently(_news(api, seen)) or ():
            happened(f"LNbits  {line}")
        if number % NEW_CASH_EVERY == 0:
            name = next(turn)
            await _patiently(bring_cash(api, operation.client_ids[name], NEW_CASH))
            happened(f"client  {name} brings {grouped(NEW_CASH)} GTQ")
        await asyncio.sleep(BETWEEN_SALES_S)


async def _patiently(step: Any) -> Any:
    """Do it unless LNbits is away just now; the next turn catches up."""
    try:
        return await step
    except httpx.TransportError:
        return None
    except ApiRefused as refused:
        happened(f"LNbits  {refused}")
        return None


async def _poll(api: LnbitsApi) -> None:
    await api.poll()


async def _news(api: LnbitsApi, seen: dict[str, str]) -> list[str]:
    """What changed since the last look, in words."""
    page = await api.dca("GET", "transactions", params={"limit": NEWEST})
    lines = []
    for row in reversed(page["data"]):
        if seen.get(row["id"]) != row["status"]:
            seen[row["id"]] = row["status"]
            lines.append(_told(row))
    return lines


def _told(row: dict[str, Any]) -> str:
    sale = f"{row['fiat']} {row['fiat_code']} ({row['crypto_code']})"
    if row["status"] == "completed":
        return (
            f"{sale}: {grouped(row['confirmed_sats'])} sats to {row['clients_count']} clients,"
            f" {grouped(row['commission_sats'])} commission,"
            f" {grouped(row['operator_remainder_sats'])} stay with the operator"
        )
    return f"{sale}: {row['status']}, {row['reason'] or row['hold_code']}"
