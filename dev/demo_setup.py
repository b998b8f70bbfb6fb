"""Everything an operator sets up once: connection, wallets, clients, deposits. Safe to repeat."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from .embedded_lamassu import EmbeddedLamassu
from .lnbits_api import LnbitsApi

SOURCE_WALLET = "ATM source"
COMMISSION_WALLET = "ATM commission"
CURRENCY = "GTQ"


@dataclass(frozen=True)
class DemoClient:
    """Somebody who pays cash in and receives sats."""

    name: str
    deposit: int  # whole quetzales, brought before the first sale
    daily_limit: int | None = None  # None: flow mode


CLIENTS = (
    DemoClient("ana", 12_000),
    DemoClient("benito", 4_500),
    DemoClient("carmen", 25_000),
    DemoClient("diego", 6_000, daily_limit=600),
    DemoClient("elena", 9_000, daily_limit=1_500),
    DemoClient("francisco", 800),
)
WAITING_DEPOSIT = ("benito", 3_000, "brought to the counter, not counted yet")


@dataclass(frozen=True)
class Operation:
    """What was set up, by the ids the API uses."""

    source_wallet_id: str
    commission_wallet_id: str
    client_ids: dict[str, str]  # name -> client id
    user_ids: dict[str, str]  # name -> LNbits user id


async def set_up(
    api: LnbitsApi, lamassu: EmbeddedLamassu, deposits_count_from: datetime | None = None
) -> Operation:
    """Make or find all of it. `deposits_count_from`: cash that was there before some sales."""
    source = await api.own_wallet(SOURCE_WALLET)
    commission = await api.own_wallet(COMMISSION_WALLET)
    await _save_connection(api, lamassu, source, commission)
    start = deposits_count_from or datetime.now(timezone.utc) - timedelta(hours=24)
    settings = await api.dca("GET", "settings")
    if not settings.get("start_at") or deposits_count_from:
        await api.dca(
            "PUT",
            "settings",
            json={
                "split_rule": "markup",
                "currency": CURRENCY,
                "time_zone": "America/Guatemala",
                "poll_interval_s": 60,
                "start_at": start.isoformat(),
            },
        )
    client_ids, user_ids = {}, {}
    known = {str(row["user_id"]): str(row["id"]) for row in await api.every("clients")}
    for client in CLIENTS:
        # Nobody logs in as them here; the superuser can reset the password on LNbits' user page.
        user_id = await api.account(client.name, secrets.token_urlsafe(18))
        user_ids[client.name] = user_id
        if user_id not in known:
            known[user_id] = await _add_client(api, client, user_id)
        client_ids[client.name] = known[user_id]
    await _bring_first_deposits(api, client_ids, deposits_count_from)
    return Operation(source, commission, client_ids, user_ids)


async def bring_cash(
    api: LnbitsApi, client_id: str, amount: int, counts_from: datetime | None = None
) -> None:
    """A client's deposit, counted and confirmed at once."""
    deposit = await api.dca("POST", "deposits", json=_deposit(client_id, amount, "demo deposit"))
    confirmation: dict[str, Any] = {"status": "confirmed"}
    if counts_from:
        confirmation["effective_at"] = counts_from.isoformat()
    await api.dca("PUT", f"deposits/{deposit['id']}/status", json=confirmation)


async def _save_connection(
    api: LnbitsApi, lamassu: EmbeddedLamassu, source: str, commission: str
) -> None:
    """Ports may have changed since the last start, so it is saved every time."""
    wanted = {
        "host": lamassu.pg_host,
        "port": lamassu.pg_port,
        "database_name": lamassu.database_name,
        "username": lamassu.username,
        "password": lamassu.password,
        "source_wallet_id": source,
        "commission_wallet_id": commission,
        "use_ssh_tunnel": True,
        "ssh_host": lamassu.ssh_host,
        "ssh_port": lamassu.ssh_port,
        "ssh_username": lamassu.ssh_username,
        "ssh_private_key": lamassu.ssh_private_key,
        "ssh_host_key": lamassu.ssh_host_key,
    }
    saved = await api.dca("GET", "config")
    if saved:
        await api.dca("PUT", f"config/{saved['id']}", json=wanted)
    else:
        await api.dca("POST", "config", json=wanted)


async def _add_client(api: LnbitsApi, client: DemoClient, user_id: str) -> str:
    wallet = (await api.wallets(user_id))[0]
    made = await api.dca(
        "POST",
        "clients",
        json={
            "user_id": user_id,
            "wallet_id": wallet.id,
            "username": client.name,
            "dca_mode": "fixed" if client.daily_limit else "flow",
            "fixed_mode_daily_limit": client.daily_limit,
        },
    )
    return str(made["id"])


async def _bring_first_deposits(
    api: LnbitsApi, client_ids: dict[str, str], counts_from: datetime | None
) -> None:
    """Each client's own: a start that was interrupted goes on where it stopped."""
    deposits = await api.every("deposits")
    confirmed = {row["client_id"] for row in deposits if row["status"] == "confirmed"}
    for client in CLIENTS:
        if client_ids[client.name] not in confirmed:
            await bring_cash(api, client_ids[client.name], client.deposit, counts_from)
    name, amount, notes = WAITING_DEPOSIT
    if not any(row["status"] == "pending" for row in deposits):
        await api.dca("POST", "deposits", json=_deposit(client_ids[name], amount, notes))


def _deposit(client_id: str, amount: int, notes: str) -> dict[str, Any]:
    return {"client_id": client_id, "amount": amount, "currency": CURRENCY, "notes": notes}
