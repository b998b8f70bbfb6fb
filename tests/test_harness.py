"""The harness itself: LNbits runs with this extension, on the database that was asked for."""

from __future__ import annotations

import sys

import httpx
import pytest
from fastapi import FastAPI
from support.books import clear_books
from support.environment import CHECKOUT, EXTENSION, Environment
from support.lnbits_app import fund_wallet, make_account, make_wallet, wallet_balance_sats

CLIENTS = "/satmachineadmin/api/v1/dca/clients"


async def test_the_extension_is_active(lnbits_app: FastAPI) -> None:
    from lnbits.core.crud.extensions import get_installed_extension

    installed = await get_installed_extension(EXTENSION)
    assert installed is not None
    assert installed.active


async def test_every_migration_ran_on_this_database(
    lnbits_app: FastAPI, environment: Environment
) -> None:
    from lnbits.core.crud.db_versions import get_db_version
    from satmachineadmin.crud import db
    from satmachineadmin.migrations import SCHEMA_VERSION

    version = await get_db_version(EXTENSION)
    assert version is not None
    assert version.version == SCHEMA_VERSION
    assert db.type.lower() == environment.database


async def test_the_app_uses_the_modules_the_tests_import(lnbits_app: FastAPI) -> None:
    import satmachineadmin

    ours = [r for r in lnbits_app.router.routes if getattr(r, "path", "").startswith("/satm")]
    modules = {sys.modules[r.endpoint.__module__] for r in ours if hasattr(r, "endpoint")}
    assert modules
    for module in modules:
        assert module.__name__.startswith(f"{EXTENSION}.")
        assert module in list(sys.modules.values())
    assert satmachineadmin.satmachineadmin_ext.routes[0].endpoint in [
        getattr(r, "endpoint", None) for r in ours
    ]


def test_nothing_of_ours_is_imported_under_another_name() -> None:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        inside = file.startswith(f"{CHECKOUT}/") and not file.startswith(
            (f"{CHECKOUT}/tests/", f"{CHECKOUT}/.")
        )
        assert not inside, f"{name} comes from the checkout's own folder"


async def test_only_the_superuser_is_let_in(
    superuser: httpx.AsyncClient,
    ordinary_user: httpx.AsyncClient,
    anonymous: httpx.AsyncClient,
) -> None:
    assert (await superuser.get(CLIENTS)).status_code == 200
    assert (await ordinary_user.get(CLIENTS)).status_code == 403
    assert (await anonymous.get(CLIENTS)).status_code == 401


async def test_clean_books_empties_our_tables_and_the_wallets(clean_books: None) -> None:
    from satmachineadmin.crud import db

    _, wallet_id = await make_account()
    await fund_wallet(wallet_id, 21)
    assert await wallet_balance_sats(wallet_id) == 21
    await db.execute(
        "INSERT INTO satoshimachine.audit_log (seq, at_us, actor, action, subject, detail)"
        " VALUES (1, 1, 'system', 'test', 'test', '{}')"
    )

    await clear_books()

    rows = await db.fetchall("SELECT seq FROM satoshimachine.audit_log")
    assert rows == []
    assert await wallet_balance_sats(wallet_id) == 0


async def test_the_ledger_is_still_append_only_after_cleaning(clean_books: None) -> None:
    from satmachineadmin.crud import db
    from sqlalchemy.exc import DBAPIError

    await db.execute(
        "INSERT INTO satoshimachine.audit_log (seq, at_us, actor, action, subject, detail)"
        " VALUES (1, 1, 'system', 'test', 'test', '{}')"
    )
    for change in ("UPDATE {} SET actor = 'me'", "DELETE FROM {}"):
        with pytest.raises(DBAPIError, match="append-only"):
            await db.execute(change.format("satoshimachine.audit_log"))
    await clear_books()


async def test_wallets_belong_to_whom_they_are_made_for(lnbits_app: FastAPI) -> None:
    from lnbits.core.crud.wallets import get_wallet
    from lnbits.settings import settings

    user_id, _ = await make_account()
    for owner, expected in ((None, settings.super_user), (user_id, user_id)):
        wallet = await get_wallet(await make_wallet("till", owner))
        assert wallet is not None
        assert (wallet.user, wallet.name) == (expected, "till")
