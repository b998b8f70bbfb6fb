"""The reports in a real browser: sums as the API has them, another range, paper, phone, Spanish."""

from __future__ import annotations

import csv
import io
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from browser.axe import findings, require_axe
from browser.stage import DESKTOP, OPERATOR, PAGE, PHONE, Stage, Visit
from playwright.async_api import Page, expect

REPORTS = f"{PAGE}?view=reports&from=2026-10-01#books"
SECTIONS = ("clients", "processing", "shares", "deposits", "splits", "wallets", "commission")

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is


async def opened(page: Page, address: str = REPORTS) -> None:
    await page.goto(address)
    for name in SECTIONS:
        await expect(page.get_by_test_id(f"section-{name}")).to_be_visible()
    await expect(page.get_by_test_id("report-wallet").first).to_be_visible()
    await expect(page.get_by_test_id("report-rules")).to_be_visible()


async def asked(stage: Stage, path: str, **params: Any) -> Any:
    return await stage.api.dca("GET", path, params=params)


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
        name = f"reports-{size[0]}-{'dark' if dark else 'light'}.png"
        if size == PHONE:
            await page.get_by_test_id("section-clients").scroll_into_view_if_needed()
        await visitor.picture(screenshots / name, full_page=size == DESKTOP)
        assert await findings(page) == []
        if language == "es":
            await expect(page.get_by_test_id("section-clients")).to_contain_text("Apertura")


async def test_the_page_says_what_the_books_say(visit: Visit, stage: Stage) -> None:
    found = await asked(stage, "reports/books", **{"from": "2026-10-01"})
    assert found["wrong"]["clients"] == found["wrong"]["splits"] == 0
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        rows = page.get_by_test_id("report-clients").locator("tbody tr")
        await expect(rows).to_have_count(len(found["clients"]))
        line = found["clients"][0]
        await expect(rows.first).to_contain_text(line["username"])
        await expect(rows.first).to_contain_text(f"{float(line['closing']):,.2f} GTQ")
        await expect(page.get_by_test_id("section-shares")).to_contain_text("Failed")
        # A day on which nothing was sold: the sums follow the address.
        await page.get_by_test_id("report-from").fill("2026-10-01")
        await page.get_by_test_id("report-to").fill("2026-10-02")
        await page.get_by_test_id("report-to").blur()
        await expect(page.get_by_test_id("section-processing")).to_contain_text("There is none.")
        assert "to=2026-10-02" in page.url
        await page.go_back()
        await expect(page.get_by_test_id("report-processing")).to_be_visible()
        # From a line to the client, whose days are there, too.
        await rows.first.click()
        await expect(page.get_by_test_id("client-days")).to_be_visible()


async def test_another_rule_shows_what_it_would_have_cost(visit: Visit, stage: Stage) -> None:
    found = await asked(stage, "reports/commission", **{"from": "2026-10-01", "rule": "margin"})
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        section = page.get_by_test_id("section-commission")
        await expect(section).to_contain_text("Every client got what this rule asks.")
        await page.get_by_test_id("commission-rule").click()
        await page.get_by_role("option", name="margin").click()
        rows = page.get_by_test_id("report-impacts").locator("tbody tr")
        await expect(rows).to_have_count(len(found["impacts"]))
        await expect(rows.first).to_contain_text(f"{found['impacts'][0]['sats']:,}")
        costs = found["whole"]["costs"]["margin"]
        margin = page.get_by_test_id("report-rules").locator("tbody tr", has_text="margin")
        await expect(margin).to_contain_text(f"{costs:,}")


async def test_files_and_paper(visit: Visit, screenshots: Path) -> None:
    async with visit(OPERATOR, dark=True) as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_test_id("report-files").click()
        async with page.expect_download() as download:
            await page.get_by_test_id("report-csv-clients").click()
        path = await (await download.value).path()
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
        assert lines[-1][0] == "END"
        await page.get_by_test_id("report-print").click()
        sheet = page.get_by_test_id("report-sheet")
        await expect(sheet.locator("section")).to_have_count(5)
        await page.wait_for_timeout(400)
        await page.emulate_media(media="print")
        background = await sheet.evaluate("e => getComputedStyle(e).backgroundColor")
        ink = await sheet.locator("td").first.evaluate("e => getComputedStyle(e).color")
        assert (background, ink) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")
        pdf = await page.pdf(path=screenshots / "report.pdf", format="A4", print_background=True)
        await page.screenshot(path=screenshots / "report-paper.png", full_page=True)
        assert 1 <= pdf.count(b"/Type /Page\n") <= 4


async def test_what_is_missing_is_paid_back_from_a_preview(
    visit: Visit, stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A rule that kept 40 sats too much: found, and offered as one batch (SAT-18, SAT-19)."""
    found = tmp_path_factory.getbasetemp().glob("browser*/lnbits/data/ext_satoshimachine.sqlite3")
    file = max(found, key=lambda one: one.stat().st_mtime)
    sold = await stage.cash_out("lightning")
    [client] = [one for one in await stage.api.every("clients") if one["username"] == "carmen"]

    def keep(sats: int) -> None:
        with sqlite3.connect(file, timeout=10) as raw:
            raw.execute(
                "UPDATE lamassu_transactions SET base_sats = base_sats - ?, commission_sats ="
                " commission_sats + ?, confirmed_sats = confirmed_sats - ? WHERE id = ?",
                (sats, sats, sats, sold["id"]),
            )
            raw.execute(
                "UPDATE dca_payments SET amount_sats = amount_sats - ?"
                " WHERE cash_out_id = ? AND client_id = ?",
                (sats, sold["id"], client["id"]),
            )

    keep(40)
    try:
        async with visit(OPERATOR) as visitor:
            page = visitor.page
            await page.goto(f"{PAGE}?view=reports&from=2026-10-02#books")
            missing = page.get_by_test_id("report-impacts").locator("tbody tr")
            await expect(missing).to_have_count(1)
            await expect(missing).to_contain_text("carmen")
            await expect(missing).to_contain_text("-40")
            await expect(page.get_by_test_id("report-wrong")).to_be_visible()
            await page.get_by_test_id("compensate").click()
            await page.get_by_test_id("correction-reason").click()
            await page.get_by_role("option", name="Commission", exact=False).first.click()
            await page.get_by_test_id("field-note").fill("The rule was set wrong")
            await page.get_by_test_id("preview-look").click()
            await expect(page.get_by_test_id("preview-act")).to_contain_text("40 sats")
    finally:
        keep(-40)
