"""The reconciliation on the page: a defect of one sat is seeded, found, looked at and told of."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from browser.axe import findings, require_axe
from browser.stage import DESKTOP, OPERATOR, PAGE, PHONE, Stage, Visit
from playwright.async_api import Page, expect
from satmachineadmin.dev import sample_rows

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is

BOOKS = f"{PAGE}?view=reconciliation#books"


def one_sat_off(folder: Path, by: int) -> None:
    """As somebody with SQL."""
    path = next(folder.rglob("ext_satoshimachine.sqlite3"))
    with closing(sqlite3.connect(path, timeout=10)) as raw, raw:
        raw.execute(
            "UPDATE dca_payments SET amount_sats = amount_sats + ? WHERE id ="
            " (SELECT MIN(id) FROM dca_payments WHERE status = 'confirmed')",
            (by,),
        )


async def reconcile(page: Page) -> None:
    await page.get_by_test_id("reconcile").click()  # there, once no run is under way
    await page.get_by_test_id("run-start").click()
    await expect(page.get_by_test_id("run-start")).to_have_count(0)
    await expect(page.get_by_test_id("reconcile")).to_be_visible(timeout=30_000)


async def test_one_sat_is_found_and_acknowledged(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    async with visit(OPERATOR, size=DESKTOP) as visitor:
        page = visitor.page
        await page.goto(BOOKS)
        await reconcile(page)
        await expect(page.get_by_test_id("verdict-mismatch")).to_contain_text("0")
        one_sat_off(stage.folder, 1)
        try:
            await reconcile(page)
            await expect(page.get_by_test_id("verdict-mismatch")).to_contain_text("1")
            await visitor.picture(screenshots / "reconciliation-desktop.png", full_page=True)
            finding = page.get_by_test_id("findings").get_by_test_id("finding")
            await expect(finding).to_contain_text("A share was changed")
            await finding.get_by_role("link").click()
            dialog = page.get_by_test_id("finding-dialog")
            for link, verdict in (
                ("plan", "match"),
                ("shares", "mismatch"),
                ("ledger", "mismatch"),
            ):
                one = dialog.get_by_test_id(f"link-{link}")
                await expect(one).to_have_attribute("data-verdict", verdict)
            first = dialog.get_by_test_id("first-difference")
            await expect(first).to_contain_text("First difference: Shares")
            await visitor.picture(screenshots / "finding-desktop.png")
            await dialog.get_by_test_id("finding-note").fill("asked the accountant")
            await dialog.get_by_test_id("acknowledge").click()
            notes = dialog.get_by_test_id("finding-notes")
            await expect(notes).to_contain_text("asked the accountant")
            await page.keyboard.press("Escape")
            await expect(page.get_by_test_id("findings")).to_contain_text("No finding")
        finally:
            one_sat_off(stage.folder, -1)
        await reconcile(page)
        await expect(page.get_by_test_id("verdict-mismatch")).to_contain_text("0")
        assert not visitor.errors


async def test_a_sat_too_much_in_a_wallet_is_found_and_mended(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    """From the finding to the previewed correction, which puts LNbits' row back as it was."""
    path = stage.folder / "lnbits" / "data" / "database.sqlite3"
    with closing(sqlite3.connect(path, timeout=10)) as raw, raw:
        raw.execute(
            "UPDATE apipayments SET amount = amount + 1000 WHERE checking_id ="
            " (SELECT MIN(checking_id) FROM apipayments WHERE checking_id LIKE"
            " 'internal_satm_%_in')"
        )
    async with visit(OPERATOR, size=DESKTOP, dark=False) as visitor:
        page = visitor.page
        await page.goto(BOOKS)
        await reconcile(page)
        finding = page.get_by_test_id("findings").get_by_test_id("finding")
        await expect(finding).to_contain_text("A payment in a wallet was changed")
        await finding.get_by_role("link").click()
        await page.get_by_test_id("finding-dialog").get_by_test_id("correct").click()
        await page.get_by_test_id("correction-reason").click()
        await page.get_by_role("option").first.click()
        await page.get_by_test_id("field-note").fill("somebody edited the database")
        await page.get_by_test_id("preview-look").click()
        await expect(page.get_by_test_id("changes")).to_be_visible()
        await visitor.picture(screenshots / "finding-correction.png")
        await page.get_by_test_id("preview-act").click()
        await expect(page.get_by_test_id("preview-result")).to_have_text("Corrected")
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("finding-notes")).to_contain_text("Resolved")
        await page.keyboard.press("Escape")
        await reconcile(page)
        await expect(page.get_by_test_id("verdict-mismatch")).to_contain_text("0")


async def test_a_sale_that_is_missing_here_is_paid_from_its_finding(
    visit: Visit, stage: Stage
) -> None:
    """Somebody deletes a sale before it is paid; Lamassu still has it."""
    halt = {"scope": "machine", "subject": sample_rows.MACHINE, "reason": "it is looked at"}
    halted = await stage.api.dca("POST", "halts", json=halt)
    lamassu_id = await stage.sell("missing", sample_rows.sale, fiat=170)
    await stage.api.poll()
    path = next(stage.folder.rglob("ext_satoshimachine.sqlite3"))
    with closing(sqlite3.connect(path, timeout=10)) as raw, raw:
        raw.execute(
            "DELETE FROM lamassu_transactions WHERE lamassu_transaction_id = ?", (lamassu_id,)
        )
    await stage.api.dca("POST", f"halts/{halted['id']}/lift", json={"reason": "seen"})
    async with visit(OPERATOR, size=DESKTOP) as visitor:
        page = visitor.page
        await page.goto(BOOKS)
        await reconcile(page)
        finding = page.get_by_test_id("findings").get_by_test_id("finding")
        missing = finding.filter(has_text="A sale is missing here")
        await missing.get_by_role("link").click()
        dialog = page.get_by_test_id("finding-dialog")
        await dialog.get_by_test_id("process-missing").click()
        await page.get_by_test_id("preview-look").click()
        await page.get_by_test_id("preview-act").click()
        await expect(page.get_by_test_id("preview-result")).to_be_visible()
        assert (await stage.cash_out("missing"))["status"] == "completed"
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await reconcile(page)
        await expect(missing).to_have_count(0)
        assert not visitor.errors


@pytest.mark.parametrize("dark", [True, False], ids=["dark-spanish", "light-english"])
async def test_it_reads_well_on_a_phone(
    visit: Visit, stage: Stage, screenshots: Path, dark: bool
) -> None:
    """After the tests above: a share's finding, resolved, which has sides to compare. A row of a
    wallet may belong to a correction, which has none."""
    require_axe()
    language = "es" if dark else "en"
    share = "Se cambió una parte" if dark else "A share was changed"
    async with visit(OPERATOR, size=PHONE, dark=dark, language=language) as visitor:
        page = visitor.page
        await page.goto(BOOKS)
        await expect(page.get_by_test_id("verdicts")).to_be_visible()
        await page.get_by_test_id("finding-state").click()
        await page.get_by_role("option").last.click()
        await page.get_by_test_id("findings").get_by_test_id("finding").first.wait_for()
        await visitor.fits()
        await visitor.picture(screenshots / f"reconciliation-phone-{language}.png", full_page=True)
        assert not await findings(page)
        finding = page.get_by_test_id("finding").filter(has_text=share)
        await finding.first.get_by_role("link").click()
        await expect(page.get_by_test_id("sides").get_by_test_id("link-plan")).to_be_visible()
        if dark:
            dialog = page.get_by_test_id("finding-dialog")
            await expect(dialog).to_contain_text(share)
        await visitor.fits()
        await visitor.picture(screenshots / f"finding-phone-{language}.png")
        assert not await findings(page)
        assert not visitor.errors
