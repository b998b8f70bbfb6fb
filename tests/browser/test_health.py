"""Health, halts and the way back in a real browser: English, Spanish, desktop, phone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from browser.axe import findings, require_axe
from browser.stage import DESKTOP, OPERATOR, PAGE, PHONE, Stage, Visit
from playwright.async_api import Page, expect

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is


async def opened(page: Page) -> None:
    await page.goto(f"{PAGE}#setup")
    await expect(page.get_by_test_id("health-heartbeat")).to_be_visible()
    await expect(page.get_by_test_id("schedule-weekly")).to_be_visible()


@pytest.mark.parametrize(
    ("size", "dark", "language"),
    [(DESKTOP, False, "en"), (PHONE, True, "es")],
    ids=["desktop", "phone"],
)
async def test_it_fits_and_everybody_can_use_it(
    visit: Visit, screenshots: Path, size: tuple[int, int], dark: bool, language: str
) -> None:
    require_axe()
    async with visit(OPERATOR, size=size, dark=dark, language=language) as visitor:
        page = visitor.page
        await opened(page)
        await visitor.fits()
        await page.get_by_test_id("health").scroll_into_view_if_needed()
        name = f"health-{size[0]}-{'dark' if dark else 'light'}.png"
        await visitor.picture(screenshots / name, full_page=True)
        assert await findings(page) == []
        if language == "es":
            disk = page.get_by_test_id("health-disk")
            await expect(disk).to_contain_text("Espacio en disco")
            await expect(disk).to_contain_text("Quedan libres")


async def test_halt_and_resume_step_by_step(visit: Visit, stage: Stage, screenshots: Path) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_test_id("halt").click()
        text = page.get_by_test_id("halt-text")
        await expect(text).to_contain_text("Nothing is paid")
        await page.get_by_test_id("reason").fill("a sum looks odd")
        await page.get_by_test_id("act").click()
        await expect(page.get_by_test_id("active-halt")).to_contain_text("a sum looks odd")
        assert (await stage.api.dca("GET", "halts"))["active"][0]["scope"] == "settlement"
        await expect(page.get_by_test_id("header-health")).to_contain_text("Bad")
        await visitor.picture(screenshots / "halted.png", full_page=True)
        act = page.get_by_test_id("resuming-act")
        await act.click()
        await page.get_by_test_id("reason").fill("it adds up again")
        await page.get_by_test_id("act").click()
        await expect(page.get_by_test_id("no-halts")).to_be_visible(timeout=30_000)
        await expect(page.get_by_test_id("header-health")).not_to_contain_text("Bad")
        await act.click()
        step = page.locator('[data-test="resuming-reconcile"][aria-current="step"]')
        await expect(step).to_be_visible()
        await act.click()
        last = page.locator('[data-test="resuming-automatic"][aria-current="step"]')
        await expect(last).to_be_visible(timeout=30_000)
        await visitor.picture(screenshots / "resuming.png", full_page=True)
        await act.click()
        await expect(page.get_by_test_id("watched")).to_be_visible()


async def test_what_stopped_by_itself_leads_to_the_steps(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    """A lift would be refused (409); and a weekly audit is there to take away."""
    with stopped_by_itself(stage):
        async with visit(OPERATOR) as visitor:
            page = visitor.page
            await opened(page)
            await expect(page.get_by_test_id("active-halt")).to_contain_text("Intake")
            await expect(page.get_by_test_id("lift")).to_have_count(0)
            await page.get_by_test_id("to-resuming").click()
            heading = page.get_by_role("heading", name="Resume step by step")
            await expect(heading).to_be_focused()
            await expect(heading).to_be_in_viewport()
            await page.get_by_test_id("weekly-now").click()
            async with page.expect_download() as download:
                await page.get_by_test_id("weekly-files").first.click(timeout=60_000)
            assert (await download.value).suggested_filename.endswith(".zip")
            await visitor.picture(screenshots / "stopped-by-itself.png", full_page=True)


@contextmanager
def stopped_by_itself(stage: Stage) -> Iterator[None]:
    """As the watch leaves it when the server shows another key."""
    path = next(stage.folder.rglob("ext_satoshimachine.sqlite3"))
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as books:
        books.execute(
            "INSERT INTO halts (id, scope, subject, cause, reason, set_by, set_us) VALUES"
            " ('by-itself', 'intake', '', 'host_key', 'another key', 'system', 1)"
        )
        try:
            yield
        finally:
            books.execute("DELETE FROM halts WHERE id = 'by-itself'")
