"""The test harness: one real LNbits per process, on the database named by SATM_TEST_DB.

Fixtures: `lnbits_app`, `superuser`, `ordinary_user`, `anonymous` (HTTP clients), `clean_books`.
Helpers, imported by tests from `support.lnbits_app`: make_account, make_wallet, fund_wallet,
wallet_balance_sats. Tests in `tests/unit` use none of them and boot nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from support.environment import prepare

ENVIRONMENT = prepare()  # before anything below may import lnbits

import httpx  # noqa: E402
import pytest  # noqa: E402
from fastapi import FastAPI  # noqa: E402
from support.books import clear_books, forget_wallets, remember_start  # noqa: E402
from support.lnbits_app import (  # noqa: E402
    SUPERUSER,
    browser,
    enabled_client,
    make_account,
    running_lnbits,
)
from support.postgres import postgres  # noqa: E402


class PlainRoot:
    """Collect the checkout as a plain folder.

    It has an `__init__.py`, being LNbits' extension, and pytest would import that under the name
    of the checkout's folder: a second copy of everything.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(
        self, path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        if path == parent.config.rootpath:
            return pytest.Dir.from_parent(parent, path=path)
        return None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(PlainRoot(), "satm-plain-root")


def pytest_unconfigure() -> None:
    ENVIRONMENT.remove()


def pytest_report_header() -> str:
    return f"LNbits' database: {ENVIRONMENT.database}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what belongs to the other database type."""
    for item in items:
        for database in ("sqlite", "postgres"):
            if item.get_closest_marker(f"{database}_only") and database != ENVIRONMENT.database:
                item.add_marker(pytest.mark.skip(reason=f"needs {database}"))


@pytest.fixture(scope="session")
def environment() -> object:
    """Folders and database of this test process (support/environment.py)."""
    return ENVIRONMENT


@pytest.fixture(scope="session")
async def lnbits_app() -> AsyncIterator[FastAPI]:
    """A started LNbits with this extension; first install done, background ticks stopped."""
    async with postgres(ENVIRONMENT), running_lnbits() as app:
        await remember_start()
        yield app


@pytest.fixture(scope="session")
async def superuser(lnbits_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The operator: logged in as LNbits' superuser, extension enabled."""
    async with enabled_client(lnbits_app, SUPERUSER) as client:
        yield client


@pytest.fixture(scope="session")
async def ordinary_user(lnbits_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with an account who enabled the extension, which LNbits lets anybody do."""
    await make_account("somebody")
    async with enabled_client(lnbits_app, "somebody") as client:
        yield client


@pytest.fixture(scope="session")
async def anonymous(lnbits_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody: no token, no cookie."""
    async with browser(lnbits_app) as client:
        yield client


@pytest.fixture
async def clean_books(lnbits_app: FastAPI) -> None:
    """Start with empty tables, and with 0 sats in every wallet."""
    await clear_books()
    await forget_wallets()
