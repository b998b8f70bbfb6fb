"""A real LNbits in this process, and what tests need from it: clients, accounts, wallets."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import httpx
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from .environment import EXTENSION

SUPERUSER = "operator"
PASSWORD = "only-for-tests"
BTC_PRICE_USD = 100_000.0


@asynccontextmanager
async def running_lnbits() -> AsyncIterator[FastAPI]:
    """`create_app()` started with its migrations, this extension and a superuser."""
    import lnbits
    import lnbits.app
    from lnbits.core.models.users import UpdateSuperuserPassword
    from lnbits.core.views.auth_api import first_install
    from lnbits.utils.cache import cache

    # Templates and static files are found relative to the current folder (lnbits.md 1).
    before = Path.cwd()
    os.chdir(Path(lnbits.__file__).parents[1])
    _keep_imported_modules(lnbits.app)
    # No test asks the internet for a price, and none waits three seconds for the refusal.
    cache.set("btc-price-USD", BTC_PRICE_USD, 86_400)
    try:
        app: FastAPI = lnbits.app.create_app()
        async with LifespanManager(app, startup_timeout=60, shutdown_timeout=30):
            await first_install(
                UpdateSuperuserPassword(
                    username=SUPERUSER, password=PASSWORD, password_repeat=PASSWORD
                )
            )
            await stop_ticks()
            yield app
    finally:
        os.chdir(before)


def _keep_imported_modules(lnbits_app: object) -> None:
    """Let LNbits' boot use the modules of the extension that tests imported already.

    When it registers an extension's routes LNbits drops the extension's modules from sys.modules
    and imports them again, so that an upgrade is seen. Test modules would then hold other classes,
    another `db` and other locks than the app. It looks for them through its own `sys`.
    """
    ours = (EXTENSION, f"{EXTENSION}.")
    visible = {
        name: module
        for name, module in sys.modules.items()
        if not (name == ours[0] or name.startswith(ours[1]))
    }
    lnbits_app.sys = SimpleNamespace(modules=visible, path=sys.path)  # type: ignore[attr-defined]


async def stop_ticks() -> None:
    """Stop the extension's own background work: a test runs the passes it wants to see."""
    from satmachineadmin import satmachineadmin_stop

    stopped = satmachineadmin_stop()
    if inspect.isawaitable(stopped):
        await stopped
    await asyncio.sleep(0)


def browser(app: FastAPI, token: str | None = None) -> httpx.AsyncClient:
    """An HTTP client of the app, logged in when a token is given."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://lnbits.test",
        headers=headers,
        timeout=60,
    )


async def login(app: FastAPI, username: str, password: str = PASSWORD) -> str:
    """The bearer token of an account."""
    async with browser(app) as client:
        answer = await client.post(
            "/api/v1/auth", json={"username": username, "password": password}
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])


@asynccontextmanager
async def enabled_client(app: FastAPI, username: str) -> AsyncIterator[httpx.AsyncClient]:
    """A logged-in client whose account has enabled the extension."""
    async with browser(app, await login(app, username)) as client:
        answer = await client.put(f"/api/v1/extension/{EXTENSION}/enable")
        answer.raise_for_status()
        yield client


@cache
def _password_hash() -> str:
    """The hash of everybody's password, made once: bcrypt takes a quarter of a second each."""
    from lnbits.core.models.users import Account

    account = Account(id=uuid4().hex)
    account.hash_password(PASSWORD)
    return str(account.password_hash)


async def make_account(username: str | None = None) -> tuple[str, str]:
    """A new LNbits account with a password: its user id and the id of its first wallet."""
    from lnbits.core.models.users import Account, UserExtra
    from lnbits.core.services.users import create_user_account_no_ckeck

    account = Account(
        id=uuid4().hex,
        username=username or f"u{uuid4().hex[:12]}",
        extra=UserExtra(provider="lnbits"),
    )
    account.password_hash = _password_hash()
    user = await create_user_account_no_ckeck(account)
    return user.id, user.wallets[0].id


async def make_wallet(name: str, user_id: str | None = None) -> str:
    """A new wallet, of the superuser unless another account is named; returns its id."""
    from lnbits.core.crud.wallets import create_wallet
    from lnbits.settings import settings

    wallet = await create_wallet(user_id=user_id or settings.super_user, wallet_name=name)
    return wallet.id


async def fund_wallet(wallet_id: str, sats: int) -> None:
    """Put sats into a wallet as LNbits' own admin function does."""
    from lnbits.core.crud.wallets import get_wallet
    from lnbits.core.services.payments import update_wallet_balance

    wallet = await get_wallet(wallet_id)
    if wallet is None:
        raise LookupError(f"no wallet {wallet_id}")
    await update_wallet_balance(wallet, sats)


async def wallet_balance_sats(wallet_id: str) -> int:
    """What LNbits says is in the wallet."""
    from lnbits.core.crud.wallets import get_wallet

    wallet = await get_wallet(wallet_id)
    if wallet is None:
        raise LookupError(f"no wallet {wallet_id}")
    if wallet.balance_msat % 1000:
        raise ValueError(f"wallet {wallet_id} holds a part of a sat")
    return wallet.balance_msat // 1000
