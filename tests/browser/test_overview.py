"""The frame of the page and its overview in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser.stage import DESKTOP, OPERATOR, PAGE, PHONE, Stage, Visit
from playwright.async_api import Page, expect

SMALL = (360, 780)
HIDE = """
    Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true})
    document.dispatchEvent(new Event('visibilitychange'))
"""

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is


async def test_tabs_are_in_the_address_and_back_works(visit: Visit) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await page.goto(f"{PAGE}#cash-outs")
        table = page.get_by_test_id("cash-outs")
        await expect(table).to_be_visible()
        await page.get_by_test_id("tab-deposits").click()
        await expect(table).to_have_count(0)
        assert page.url.endswith("#deposits")
        await page.go_back()
        await expect(table).to_be_visible()
        await expect(page.get_by_test_id("tab-cash-outs")).to_have_attribute(
            "aria-selected", "true"
        )


async def test_a_linked_cash_out_survives_going_away_and_back(visit: Visit, stage: Stage) -> None:
    linked = (await stage.cash_out("published"))["id"]
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await page.goto(f"{PAGE}?cash_out={linked}#cash-outs")
        drill_down = page.get_by_test_id("drill-down")
        await expect(drill_down).to_be_visible()
        await page.evaluate("router.push({path: location.pathname, hash: '#clients'})")
        await expect(drill_down).to_have_count(0)
        assert "cash_out=" not in page.url
        await page.go_back()
        await expect(drill_down).to_be_visible()


@pytest.mark.parametrize(
    ("size", "dark", "language"),
    [(DESKTOP, False, "en"), (PHONE, True, "en"), (SMALL, False, "es")],
    ids=["desktop", "phone", "small"],
)
async def test_it_fits_and_draws(
    visit: Visit, screenshots: Path, size: tuple[int, int], dark: bool, language: str
) -> None:
    async with visit(OPERATOR, size=size, dark=dark, language=language) as visitor:
        page = visitor.page
        await page.goto(PAGE)
        title = {"en": "Distributed today", "es": "Distribuido hoy"}[language]
        await expect(page.get_by_test_id("tile-distributed")).to_contain_text(title)
        canvas = page.get_by_test_id("chart-clients").locator("canvas")
        await expect(canvas).to_be_visible()
        await expect(canvas).to_have_attribute("aria-label", re.compile("carmen"))
        await visitor.fits()
        look = f"overview-{size[0]}-{'dark' if dark else 'light'}-{language}.png"
        await visitor.picture(screenshots / look, full_page=True)


async def test_tiles_and_charts_open_the_rows_behind_them(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    summary = await stage.api.dca("GET", "summary")
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await page.goto(PAGE)
        tile = page.get_by_test_id("tile-distributed")
        await expect(tile).to_contain_text(f"{summary['today']['distributed_sats']:,} sats")
        day = summary["day"]
        await tile.click()
        await expect(page.get_by_test_id("cash-outs")).to_be_visible()
        await expect(page).to_have_url(
            re.compile(f"status=completed&from={day}&to={day}#cash-outs")
        )
        await page.go_back()
        await page.get_by_test_id("tile-held").focus()
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile(r"\?status=held#cash-outs"))
        await page.go_back()

        chart = page.get_by_test_id("chart-paid")
        await expect(chart.get_by_test_id("chart-sentence")).to_contain_text("sats distributed")
        await chart.get_by_test_id("chart-table").click()
        row = chart.get_by_role("row").last
        await expect(row).to_contain_text(f"{summary['today']['distributed_sats']:,} sats")
        await visitor.picture(screenshots / "overview-table.png", full_page=True)
        await row.get_by_role("button").click()
        await expect(page).to_have_url(re.compile(f"from={day}&to={day}#cash-outs"))
        await page.go_back()
        bars = page.get_by_test_id("chart-clients").locator("canvas")
        await expect(bars).to_be_visible()
        box = await bars.bounding_box()
        assert box is not None
        await bars.click(position={"x": box["width"] / 3, "y": 20})
        await expect(page).to_have_url(re.compile(r"client=\w+&from=.*#cash-outs"))


async def test_every_need_has_one_act(visit: Visit, stage: Stage) -> None:
    async with visit(OPERATOR, size=PHONE) as visitor:
        page = visitor.page
        await page.goto(PAGE)
        shares = page.get_by_test_id("need-failed_shares")
        await expect(shares).to_contain_text("could not be delivered")
        await shares.get_by_test_id("act-on-need").click()
        await expect(page).to_have_url(re.compile(r"\?shares=failed#cash-outs"))
        await page.go_back()
        await stage.api.dca("PUT", "polling", json={"enabled": False})
        try:
            stopped = page.get_by_test_id("need-stopped")
            # The status is still the one from before the stop: the needs are fetched first.
            await page.route("**/dca/status", lambda route: route.abort())
            await stopped.get_by_test_id("act-on-need").click()
            await page.unroute("**/dca/status")
            await page.get_by_test_id("automatic-confirm").click()
            await expect(stopped).to_have_count(0)
            assert (await stage.api.dca("GET", "status"))["polling_enabled"] is True
        finally:
            await stage.api.dca("PUT", "polling", json={"enabled": True})


async def test_a_part_that_fails_says_so_and_can_be_asked_again(visit: Visit) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        broken = {"detail": "The books are busy", "code": "X", "hint": "Try again."}
        await page.route("**/dca/charts*", lambda route: route.fulfill(status=503, json=broken))
        await page.goto(PAGE)
        chart = page.get_by_test_id("chart-price")
        await expect(chart).to_contain_text("The books are busy")
        await expect(page.get_by_test_id("tile-held")).to_be_visible()
        await page.unroute("**/dca/charts*")
        await chart.get_by_text("Try again", exact=True).click()
        await expect(chart.locator("canvas")).to_be_visible()


async def a_minute(page: Page, asked: list[str]) -> int:
    """How many requests the page makes in a minute of its own clock."""
    before = len(asked)
    for _ in range(60):
        await page.clock.run_for(1000)
        await page.wait_for_timeout(10)  # for answers, which come by the real clock
    return len(asked) - before


async def test_it_follows_by_the_doorbell_and_asks_little(visit: Visit, stage: Stage) -> None:
    """LNbits allows 200 requests a minute from one address, for all its pages together."""
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.clock.install()
        await page.goto(PAGE)
        await expect(page.get_by_test_id("last-update")).to_contain_text("ago")
        await page.wait_for_load_state("networkidle")
        await page.clock.run_for(1000)
        quiet = await a_minute(page, asked)
        assert quiet <= 2, asked[-quiet:]

        bell = (await stage.api.dca("GET", "status"))["doorbell"]
        rings, before = 0, len(asked)
        for _ in range(60):
            await stage.api.call("POST", f"/api/v1/ws/{bell}?data=anybody")
            rings += 1
            await page.clock.run_for(1000)
            await page.wait_for_timeout(10)
        rung = len(asked) - before
        assert 5 <= rung <= 80, f"{rung} requests at {rings} rings"

        await page.evaluate(HIDE)
        assert await a_minute(page, asked) == 0
        await page.evaluate(HIDE.replace("hidden", "visible"))
        await page.wait_for_load_state("networkidle")
        assert len(asked) > 0


async def test_without_the_doorbell_it_asks_by_itself(visit: Visit) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.route_web_socket(re.compile("/api/v1/ws/satm-"), lambda socket: socket.close())
        await page.clock.install()
        await page.goto(PAGE)
        await expect(page.get_by_test_id("last-update")).to_contain_text("ago")
        await page.wait_for_load_state("networkidle")
        assert 3 <= await a_minute(page, asked) <= 6


async def test_another_session_is_seen(visit: Visit, stage: Stage) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await page.goto(PAGE)
        tile = page.get_by_test_id("tile-deposits")
        pending = (await stage.api.dca("GET", "summary"))["deposits"]["pending"]
        await expect(tile).to_contain_text(f"{pending}")
        client = (await stage.api.dca("GET", "clients", params={"limit": 1}))["data"][0]["id"]
        body = {"client_id": client, "amount": "77", "currency": "GTQ"}
        deposit = await stage.api.dca("POST", "deposits", json=body)
        await expect(tile).to_contain_text(f"{pending + 1}", timeout=10_000)
        cancelled = {"status": "cancelled"}
        await stage.api.dca("PUT", f"deposits/{deposit['id']}/status", json=cancelled)
