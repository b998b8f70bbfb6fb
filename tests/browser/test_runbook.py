"""The runbook in a real browser: what is found now, the buttons, an incident from start to end."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.axe import findings, require_axe
from browser.stage import DESKTOP, OPERATOR, PAGE, PHONE, Stage, Visit
from playwright.async_api import Page, expect

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is


async def opened(page: Page) -> None:
    await page.goto(f"{PAGE}?view=runbook#books")
    await expect(page.get_by_test_id("failure-unpaid")).to_be_visible()
    await expect(page.get_by_test_id("contact-owner")).to_be_visible()


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
        await page.get_by_test_id("open-wallet").click()
        await expect(page.get_by_test_id("act-wallets").first).to_be_visible()
        await visitor.fits()
        name = f"runbook-{size[0]}-{'dark' if dark else 'light'}.png"
        await visitor.picture(screenshots / name, full_page=True)
        assert await findings(page) == []
        if language == "es":
            await expect(page.get_by_test_id("failure-balance")).to_contain_text("no cuadra")
        await page.get_by_test_id("runbook-print").click()
        await expect(page.get_by_test_id("runbook-sheet")).to_be_visible()
        await page.emulate_media(media="print")
        await visitor.picture(screenshots / f"runbook-sheet-{size[0]}.png", full_page=True)


async def test_a_page_shows_what_is_found_and_its_buttons_lead_to_the_real_thing(
    visit: Visit, stage: Stage
) -> None:
    """One share of the stage's first poll could not be delivered."""
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        unpaid = page.get_by_test_id("failure-unpaid")
        await expect(unpaid.get_by_test_id("sign-share_failed").first).to_be_visible()
        await unpaid.get_by_test_id("act-halt").click()
        await expect(page.get_by_test_id("halt-scope")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("halt-scope")).to_have_count(0)
        await unpaid.get_by_test_id("act-failed").click()
        await expect(page).to_have_url(f"{stage.url}{PAGE}?shares=failed#cash-outs")


async def test_an_incident_from_its_start_to_its_end(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_test_id("incident-start").click()
        await page.get_by_test_id("incident-note").fill("two sales look alike")
        await page.get_by_test_id("incident-begin").click()
        record = page.get_by_test_id("incident-record")
        await expect(record.get_by_test_id("entry-opened")).to_contain_text("two sales look alike")
        await record.get_by_test_id("line-1").click()
        await record.get_by_test_id("entry-note").fill("stopped at noon")
        await record.get_by_test_id("record-phase").click()
        await expect(record.get_by_test_id("entry-1")).to_contain_text("stopped at noon")
        await visitor.picture(screenshots / "incident.png")
        assert await findings(page) == []
        for phase in (2, 3, 4, 5):
            await record.get_by_test_id("record-phase").click()
            await expect(record.get_by_test_id(f"entry-{phase}")).to_be_visible()
        await record.get_by_test_id("incident-end").click()
        await record.get_by_test_id("incident-sats").fill("7")
        await record.get_by_test_id("entry-note").fill("a copied row, taken away")
        await record.get_by_test_id("incident-close").click()
        await expect(record.get_by_test_id("entry-closed")).to_contain_text("taken away")
        await expect(record.get_by_test_id("incident-next")).to_have_count(0)
        await visitor.resize(*PHONE)
        await visitor.fits()
        await visitor.picture(screenshots / "incident-phone.png")
        (one,) = (await stage.api.dca("GET", "incidents"))["data"]
        assert (one["state"], one["sats"], one["outcome"]) == ("closed", 7, "mended")


async def test_a_contact_and_a_signature(visit: Visit, stage: Stage) -> None:
    async with visit(OPERATOR, size=PHONE) as visitor:
        page = visitor.page
        await opened(page)
        owner = page.get_by_test_id("contact-owner")
        await owner.get_by_role("button").click()
        await page.get_by_test_id("contact-field-name").fill("Eva")
        await page.get_by_test_id("contact-field-above_sats").fill("500000")
        await page.get_by_test_id("contact-save").click()
        await expect(owner).to_contain_text("Eva")
        await page.get_by_test_id("sign").click()
        await page.get_by_test_id("sign-name").fill("Eva")
        await page.get_by_test_id("sign-save").click()
        await expect(page.get_by_test_id("logged")).to_contain_text("Eva")
        found = await stage.api.dca("GET", "runbook")
        assert (found["review"]["late"], found["signoffs"][0]["role"]) == (False, "operator")
