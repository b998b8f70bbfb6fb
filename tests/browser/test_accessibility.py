"""Every part of the page can be used by everybody: axe-core finds nothing serious.

`PLACES` is the list to extend: a tab, and what to open there. Each is looked at in light and
English, and in dark and Spanish.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from browser.axe import findings, require_axe
from browser.stage import OPERATOR, PAGE, Visit
from playwright.async_api import Page, expect

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is

MOVED_MS = 50  # what opens or closes moves at once here (conftest.STILL), in a frame or two
SETUP_STEPS = ("ssh", "database", "wallets", "split", "terms", "start", "clients", "readiness")


@dataclass(frozen=True)
class Place:
    """Somewhere on the page: its tab, and what is opened there."""

    name: str
    tab: str
    open: Callable[[Page], Awaitable[None]] | None = None


def click(*names: str) -> Callable[[Page], Awaitable[None]]:
    """Click on these, one after the other."""

    async def opening(page: Page) -> None:
        for name in names:
            await page.get_by_test_id(name).first.click()

    return opening


def menu(entry: str) -> Callable[[Page], Awaitable[None]]:
    async def opening(page: Page) -> None:
        await page.locator("button").filter(has_text="more_vert").click()
        await page.get_by_test_id(f"menu-{entry}").click()

    return opening


async def held_cash_out(page: Page) -> None:
    await page.goto(f"{PAGE}?status=held#cash-outs")
    await page.get_by_test_id("cash-outs").locator("tbody tr").first.click()
    await expect(page.get_by_test_id("drill-down")).to_be_visible()


async def skipping(page: Page) -> None:
    await page.get_by_test_id("cash-outs").locator("tbody tr").first.click()
    await page.get_by_test_id("action-skip").click()


def setup_step(name: str) -> Callable[[Page], Awaitable[None]]:
    async def opening(page: Page) -> None:
        await page.get_by_test_id(f"setup-say-{name}").click()
        await expect(page.get_by_test_id(f"setup-body-{name}")).to_be_visible()

    return opening


PLACES = [
    Place("overview", "overview"),
    Place("poll", "overview", click("poll-now")),
    Place("connection", "overview", menu("connection")),
    Place("settings", "overview", menu("settings")),
    Place("process", "overview", click("process-by-id")),
    Place("simulate", "overview", click("simulate-sale")),
    Place("test", "overview", click("test-connection")),
    Place("cash-outs", "cash-outs"),
    Place("filters", "cash-outs", click("filter")),
    Place("cash-out", "cash-outs", held_cash_out),
    Place("skip", "cash-outs", skipping),
    Place("clients", "clients"),
    Place("client", "clients", click("add-client")),
    Place("deposits", "deposits"),
    Place("deposit", "deposits", click("add-deposit")),
    Place("confirm-deposit", "deposits", click("confirm-deposit")),
    Place("reconciliation", "books"),
    Place("reports", "books", click("books-reports")),
    Place("audit", "books", click("books-audit")),
    Place("setup", "setup"),
    *(Place(f"setup-{name}", "setup", setup_step(name)) for name in SETUP_STEPS),
]


async def go(page: Page, tab: str) -> None:
    """To this tab, with nothing open above it."""
    while await page.locator(".q-dialog").count():
        await page.keyboard.press("Escape")
        await page.wait_for_timeout(MOVED_MS)
    await page.locator(f"#satm-tab-{tab}").click()
    await expect(page.locator(".satm-page .q-skeleton")).to_have_count(0)


@pytest.mark.parametrize(
    ("dark", "language"), [(False, "en"), (True, "es")], ids=["light-english", "dark-spanish"]
)
async def test_nothing_serious_is_found(visit: Visit, dark: bool, language: str) -> None:
    require_axe()
    grave: dict[str, list[str]] = {}
    async with visit(OPERATOR, dark=dark, language=language) as visitor:
        page = visitor.page
        await page.goto(PAGE)
        await expect(page.get_by_test_id("state")).to_be_visible()
        for place in PLACES:
            await go(page, place.tab)
            if place.open is not None:
                await place.open(page)
            # Quasar lightens what the pointer rests on, and for a moment what was clicked.
            await page.mouse.move(0, 0)
            await page.wait_for_timeout(2 * MOVED_MS)
            found = await findings(page)
            if found:
                grave[place.name] = found
    assert not grave, "\n".join(f"{name}:\n" + "\n".join(found) for name, found in grave.items())
