"""The first run: from nothing to a paid client in the browser alone, by a person who reads only
what the page says; on a phone, and refused to everybody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from browser.axe import findings, require_axe
from browser.fresh import SALES, Fresh, freshly_installed
from browser.stage import CLIENT, DESKTOP, OPERATOR, PAGE, PASSWORD, PHONE, Visitor
from playwright.async_api import Browser, Locator, Page, expect

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is

STEPS = ("ssh", "database", "wallets", "split", "terms", "start", "clients", "readiness", "arm")


@pytest.fixture(scope="module")
async def fresh(
    needs_chromium: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Fresh]:
    async with freshly_installed(tmp_path_factory.mktemp("fresh")) as fresh:
        yield fresh


@asynccontextmanager
async def visiting(
    chromium: Browser,
    fresh: Fresh,
    who: str,
    *,
    size: tuple[int, int] = DESKTOP,
    dark: bool = False,
    language: str = "en",
) -> AsyncIterator[Visitor]:
    """Logged in through LNbits' own route, at a window size."""
    context = await chromium.new_context(
        base_url=fresh.url, viewport={"width": size[0], "height": size[1]}
    )
    choices = {
        "disclaimerShown": "__q_bool|1",
        "darkMode": f"__q_bool|{int(dark)}",
        "lang": f"__q_strn|{language}",
        "gradientBg": "__q_bool|0",
        "cardGradient": "__q_bool|0",
    }
    for name, value in choices.items():
        await context.add_init_script(f"localStorage.setItem('lnbits.{name}', '{value}')")
    account = {"username": who, "password": PASSWORD}
    answer = await context.request.post("/api/v1/auth", data=account)
    assert answer.ok, await answer.text()
    visitor = Visitor(await context.new_page(), context)
    visitor.page.set_default_timeout(20_000)
    visitor.page.on("pageerror", visitor.failed)
    visitor.page.on("console", visitor.said)
    try:
        yield visitor
    finally:
        await context.close()
    assert not visitor.errors


def body(page: Page, step: str) -> Locator:
    return page.get_by_test_id(f"setup-body-{step}")


async def fill(within: Locator, **fields: object) -> None:
    for name, value in fields.items():
        await within.get_by_test_id(f"field-{name}").fill(str(value))


async def choose(page: Page, field: Locator, option: str) -> None:
    await field.click()
    await page.get_by_role("option", name=option).first.click()


async def save(within: Locator) -> None:
    await within.get_by_test_id("setup-save").click()


async def says(page: Page, step: str, sentence: str) -> None:
    await expect(page.get_by_test_id(f"setup-say-{step}")).to_contain_text(sentence)


async def the_way_to_the_server(page: Page, fresh: Fresh) -> None:
    ssh = body(page, "ssh")
    lamassu = fresh.lamassu
    await fill(ssh, ssh_host="not a host", ssh_username=lamassu.ssh_username)
    await fill(ssh, ssh_port=lamassu.ssh_port, ssh_private_key=lamassu.ssh_private_key)
    await save(ssh)
    await expect(ssh.get_by_text("must be a host name").first).to_be_visible()
    await fill(ssh, ssh_host=lamassu.ssh_host)
    await save(ssh)
    await expect(ssh.get_by_text("SHA256:").first).to_be_visible()
    await ssh.get_by_test_id("accept-host-key").click()
    await says(page, "ssh", "its key is accepted")


async def the_database(page: Page, fresh: Fresh, visitor: Visitor, pictures: Path) -> None:
    database = body(page, "database")
    lamassu = fresh.lamassu
    await fill(database, host=lamassu.pg_host, port=lamassu.pg_port)
    await fill(database, username=lamassu.username, database_name=lamassu.database_name)
    await fill(database, password="not it")
    await save(database)
    await expect(page.get_by_text("A step failed: Database login")).to_be_visible()
    await says(page, "database", "The last test failed")
    await visitor.picture(pictures / "setup-test-failed.png")
    await database.get_by_role("button", name="Replace").click()
    await fill(database, password=lamassu.password)
    await save(database)
    await expect(page.get_by_text("Every step succeeded")).to_be_visible()
    await visitor.picture(pictures / "setup-database.png")
    await database.get_by_test_id("setup-continue").click()


async def test_every_step_on_a_phone(chromium: Browser, fresh: Fresh, screenshots: Path) -> None:
    """Nothing is set up yet: each step opens, explains itself and fits, in Spanish and dark."""
    require_axe()
    async with visiting(chromium, fresh, OPERATOR, size=PHONE, dark=True, language="es") as visitor:
        page = visitor.page
        await page.goto(PAGE)
        await expect(body(page, "ssh")).to_contain_text("Sus máquinas informan sus ventas")
        await visitor.picture(screenshots / "setup-phone.png")
        for step in STEPS:
            if await body(page, step).count() == 0:
                await page.get_by_test_id(f"setup-say-{step}").click()
            await expect(body(page, step)).to_be_visible()
            await visitor.fits()
            await visitor.picture(screenshots / f"setup-phone-{step}.png")
        assert not await findings(page)
        await visitor.resize(360, PHONE[1])
        await visitor.fits()


async def test_another_user_is_refused(chromium: Browser, fresh: Fresh, screenshots: Path) -> None:
    async with visiting(chromium, fresh, CLIENT) as visitor:
        enabled = await visitor.context.request.put("/api/v1/extension/satmachineadmin/enable")
        assert enabled.ok
        answer = await visitor.page.goto(PAGE)
        assert answer is not None
        assert answer.status == 403
        await expect(visitor.page.get_by_text("User not authorized")).to_be_visible()
        refused = await visitor.context.request.get("/satmachineadmin/api/v1/dca/setup")
        assert refused.status == 403
        await visitor.picture(screenshots / "setup-refused.png")
        visitor.errors.clear()  # LNbits' own page tells the refusal to the console


async def add_client(page: Page) -> None:
    await page.get_by_test_id("client-user").fill(CLIENT)
    await page.get_by_role("option", name=CLIENT).click()
    await expect(page.get_by_test_id("client-username")).to_have_value(CLIENT)
    add = page.get_by_test_id("save-client")
    await add.click()
    await expect(add).to_have_count(0)


async def test_from_nothing_to_a_paid_client(
    chromium: Browser, fresh: Fresh, screenshots: Path
) -> None:
    async with visiting(chromium, fresh, OPERATOR) as visitor:
        page = visitor.page
        await page.goto(PAGE)
        await expect(page.get_by_test_id("setup")).to_contain_text(f"of {len(STEPS)} done")
        await expect(page.get_by_test_id("cash-outs")).to_have_count(0)
        await visitor.picture(screenshots / "setup-first.png")
        await the_way_to_the_server(page, fresh)
        await the_database(page, fresh, visitor, screenshots)

        wallets = body(page, "wallets")
        await choose(page, wallets.get_by_test_id("field-source_wallet_id"), "ATM")
        await choose(page, wallets.get_by_test_id("field-commission_wallet_id"), "Commission")
        await visitor.picture(screenshots / "setup-wallets.png")
        await save(wallets)
        await says(page, "wallets", "are chosen")

        # The browser is closed over night; the server knows how far it is.
        await page.reload()
        split = body(page, "split")
        await expect(split.get_by_test_id("split-why")).to_contain_text(f"last {SALES} sales")
        await visitor.picture(screenshots / "setup-split.png")
        await split.get_by_test_id("rule-margin").click()
        await save(split)
        await says(page, "split", "Margin")

        await visitor.picture(screenshots / "setup-terms.png")
        terms = body(page, "terms")
        await fill(terms, poll_interval_s="22.5")
        await save(terms)
        await expect(terms.get_by_text("must be a whole number").first).to_be_visible()
        await fill(terms, poll_interval_s="300")
        await save(terms)
        await says(page, "terms", "America/Guatemala")

        start = body(page, "start")
        await start.get_by_role("radio", name="From a date").click()
        long_ago = datetime.now() - timedelta(days=1)
        await fill(start, start_at=long_ago.strftime("%Y-%m-%dT%H:%M"))
        await start.get_by_test_id("count-start").click()
        await expect(start.get_by_test_id("start-brings")).to_contain_text(f"{SALES} cash-outs")
        await visitor.picture(screenshots / "setup-start.png")
        await save(start)
        await says(page, "start", "Sales count from")
        await visitor.picture(screenshots / "setup-clients.png")

        # Clients: the page says what happens without one, then gets one and their cash.
        clients = body(page, "clients")
        await expect(clients).to_contain_text("Without a client’s balance nothing is paid")
        await clients.get_by_test_id("setup-add-client").click()
        await add_client(page)
        await clients.get_by_test_id("add-deposit").click()
        await choose(page, page.get_by_test_id("deposit-client_id"), CLIENT)
        await page.get_by_test_id("deposit-amount").fill("5000")
        await page.get_by_test_id("save-deposit").click()
        await page.get_by_test_id("confirm-deposit").click()
        await page.get_by_label("Effective from").fill(long_ago.strftime("%Y-%m-%dT%H:%M"))
        await page.get_by_test_id("decide").click()
        await says(page, "clients", "1 client with a confirmed balance, 5,000.00 GTQ")
        await clients.get_by_test_id("setup-continue").click()

        arm = body(page, "arm")
        await expect(arm.get_by_test_id("planned")).to_have_count(SALES)
        shown = await fresh.api.dca("POST", "previews", json=await poll_from_the_start(fresh))
        paid = shown["totals"]["shares_sats"]
        assert paid > 0
        button = arm.get_by_test_id("setup-save")
        await expect(button).to_have_text(f"Arm and pay {paid:,} sats")
        assert not await findings(page)
        await arm.get_by_test_id("sums").scroll_into_view_if_needed()
        await visitor.picture(screenshots / "setup-arm.png")
        assert (await fresh.api.dca("GET", "config"))["polling_enabled"] is False
        await button.click()

        # The overview takes its place, and the client is paid by itself.
        await expect(page.get_by_test_id("setup")).to_have_count(0)
        await expect(page.get_by_test_id("state")).to_contain_text("Live")
        [wallet] = await fresh.api.wallets(fresh.client_id)
        assert wallet.balance_msat == paid * 1000
        await visitor.picture(screenshots / "setup-armed.png")


async def poll_from_the_start(fresh: Fresh) -> dict[str, str]:
    return {"action": "poll", "start_at": (await fresh.api.dca("GET", "setup"))["start_at"]}
