"""What the browser tests play on: an LNbits set up over HTTP, and visitors with a window."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.async_api import BrowserContext, ConsoleMessage, Error, Page

if TYPE_CHECKING:
    from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu
    from satmachineadmin.dev.lnbits_api import LnbitsApi

# The one without a window needs half of the time; the other one is on more machines.
BROWSERS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
CHROMIUM = next((place for place in BROWSERS if place.exists()), BROWSERS[-1])
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
OPERATOR, CLIENT = "operator", "ana"
PASSWORD = "only-for-tests"
PAGE = "/satmachineadmin/"
SETTLED_MS = 500  # Quasar moves things for 300 ms
DESKTOP, PHONE = (1440, 1000), (390, 844)

STICKS_OUT = """
() => [...document.querySelectorAll('body *')]
    .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1)
    .slice(0, 5).map(e => `${e.tagName}.${e.className}`)
"""

Sale = Callable[..., dict[str, Any]]


@dataclass
class Stage:
    """What the browser tests play on."""

    url: str
    api: LnbitsApi  # as the operator
    lamassu: EmbeddedLamassu
    user_ids: dict[str, str]
    sale_ids: dict[str, str]  # kind -> Lamassu id
    now: datetime
    minute: int = 0
    folder: Path = field(default_factory=Path)  # LNbits' databases lie in it

    async def sell(self, kind: str, build: Sale, **columns: Any) -> str:
        """A sale at the ATM, a minute after the one before."""
        self.minute += 1
        moment = self.now - timedelta(hours=2) + timedelta(minutes=self.minute)
        row = build(**columns)
        row["created"] = moment - timedelta(seconds=40)
        row["confirmed_at"] = moment if row["confirmed_at"] is not None else None
        await self.lamassu.insert(row)
        self.sale_ids[kind] = str(row["id"])
        return self.sale_ids[kind]

    async def cash_out(self, kind: str) -> dict[str, Any]:
        """A cash-out as the API has it."""
        found: dict[str, Any] = await self.api.dca("GET", f"transactions/{self.sale_ids[kind]}")
        return found


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """LNbits in a process of its own, set up over HTTP, with sales polled once."""
    from satmachineadmin.dev.demo_setup import set_up
    from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu
    from satmachineadmin.dev.lnbits_api import LnbitsApi
    from satmachineadmin.dev.lnbits_host import LnbitsHost

    host = LnbitsHost(folder / "lnbits", "only-for-tests-0123456789-0123456789", prefers=0)
    async with EmbeddedLamassu(folder / "lamassu") as lamassu:
        try:
            await host.start()
            api = LnbitsApi(host.url)
            await api.login(OPERATOR, PASSWORD)
            await api.enable_extension()
            await api.account(CLIENT, PASSWORD)
            now = datetime.now(timezone.utc)
            operation = await set_up(api, lamassu, deposits_count_from=now - timedelta(days=2))
            # From here on only a test polls.
            await api.dca("PUT", "settings", json={"poll_interval_s": 86_400})
            stage = Stage(host.url, api, lamassu, operation.user_ids, {}, now, folder=folder)
            await _take_wallet_away(stage, "francisco")
            await _sell_some(stage)
            await api.poll()
            yield stage
            await api.close()
        finally:
            await host.stop()


async def _take_wallet_away(stage: Stage, name: str) -> None:
    """LNbits' own deletion; a share for this client cannot be delivered."""
    user_id = stage.user_ids[name]
    wallet = (await stage.api.wallets(user_id))[0]
    await stage.api.call("DELETE", f"/users/api/v1/user/{user_id}/wallet/{wallet.id}")


async def _sell_some(stage: Stage) -> None:
    from satmachineadmin.dev import sample_rows as sample

    await stage.sell("lightning", sample.sale, fiat=500)
    await stage.sell("published", sample.published_sale)
    await stage.sell("on_chain", sample.on_chain, fiat=200)
    await stage.sell("discounted", sample.discounted, fiat=300)
    await stage.sell("partly_dispensed", sample.partly_dispensed, fiat=400)
    await stage.sell("without_commission", sample.without_commission)
    await stage.sell("received_short", sample.received_short, fiat=600)
    await stage.sell("by_test_customer", sample.by_test_customer)
    await stage.sell("paid_not_dispensed", sample.paid_not_dispensed, fiat=1000)


@dataclass
class Visitor:
    """Somebody with a browser window; remembers every error a script made in it."""

    page: Page
    context: BrowserContext
    errors: list[str] = field(default_factory=list)

    def failed(self, error: Error) -> None:
        """A script threw. When a payment arrives while no wallet is open, LNbits' own wallet list
        does (`g.wallet` is null there); it is none of ours.
        """
        if "onWebsocketMessage" not in (error.stack or ""):
            self.errors.append(f"{error.message}\n{error.stack}")

    def said(self, message: ConsoleMessage) -> None:
        """A script complained. Refused requests are told by the browser; tests that provoke one
        look at what the page makes of it.
        """
        refused = "Failed to load resource" in message.text
        if message.type in ("error", "warning") and not refused:
            self.errors.append(message.text)

    async def picture(self, path: Path, *, full_page: bool = False) -> None:
        """For people to look at, once dialogs have come in and fields have their colours. Drawn
        where somebody asked for pictures: without a GPU one takes as long as a test.
        """
        if "SATM_SCREENSHOTS" not in os.environ:
            return
        await self.page.wait_for_timeout(SETTLED_MS)
        await self.page.screenshot(path=path, full_page=full_page)

    async def resize(self, width: int, height: int) -> None:
        """As when somebody turns the phone; the page follows a moment later."""
        await self.page.set_viewport_size({"width": width, "height": height})
        await self.page.wait_for_timeout(SETTLED_MS)

    async def fits(self) -> None:
        """Nothing sticks out of the window to the side."""
        wide = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert (
            wide <= 0
        ), f"the page is {wide} px wider than the window: {await self.page.evaluate(STICKS_OUT)}"


Visit = Callable[..., Any]
