"""Corrections and the audit trail in a real browser: shown, done once, found again, verified."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser.axe import findings, require_axe
from browser.stage import DESKTOP, OPERATOR, PAGE, PHONE, Stage, Visit
from playwright.async_api import Page, expect

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is

AUDIT = f"{PAGE}?view=audit#books"


async def client_named(stage: Stage, name: str) -> str:
    found = await stage.api.dca("GET", f"clients?user_id={stage.user_ids[name]}")
    return str(found["data"][0]["id"])


async def choose(page: Page, field: str, option: str) -> None:
    await page.get_by_test_id(field).click()
    await page.get_by_role("option", name=option, exact=True).click()


@pytest.mark.parametrize(
    ("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop-light", "phone-dark"]
)
async def test_a_balance_is_adjusted_from_the_clients_page(
    visit: Visit, stage: Stage, screenshots: Path, size: tuple[int, int], dark: bool
) -> None:
    look = "phone" if size == PHONE else "desktop"
    client = await client_named(stage, "ana" if size == PHONE else "elena")
    before = (await stage.api.dca("GET", f"clients/{client}/balance"))["balances"][0]
    async with visit(OPERATOR, size=size, dark=dark) as visitor:
        page = visitor.page
        await page.goto(f"{PAGE}?client_page={client}")
        await page.get_by_test_id("correct-client").click()
        await page.get_by_test_id("field-amount").fill("12.50")
        await choose(page, "correction-reason", "Cash was counted wrong")
        await page.get_by_test_id("field-note").fill("One note more lay in the box")
        await visitor.fits()
        await visitor.picture(screenshots / f"correction-form-{look}.png")
        await page.get_by_test_id("preview-look").click()
        await expect(page.get_by_test_id("changes")).to_contain_text("Fiat balance of")
        act = page.get_by_test_id("preview-act")
        await expect(act).to_have_text("Correct +12.50 GTQ")
        await visitor.fits()
        await visitor.picture(screenshots / f"correction-shown-{look}.png")
        await act.click()
        await expect(page.get_by_test_id("preview-result")).to_have_text("Corrected")
        await visitor.picture(screenshots / f"correction-done-{look}.png")
    after = (await stage.api.dca("GET", f"clients/{client}/balance"))["balances"][0]
    assert after["remaining_minor"] == before["remaining_minor"] + 1250
    assert after["adjusted"] == "12.50"


@pytest.mark.parametrize(
    ("size", "dark"), [(DESKTOP, True), (PHONE, False)], ids=["desktop-dark", "phone-light"]
)
async def test_the_audit_trail_is_searched_and_verified(
    visit: Visit, stage: Stage, screenshots: Path, size: tuple[int, int], dark: bool
) -> None:
    look = "phone" if size == PHONE else "desktop"
    async with visit(OPERATOR, size=size, dark=dark) as visitor:
        page = visitor.page
        await page.goto(AUDIT)
        await expect(page.get_by_test_id("audit-entry").first).to_be_visible()
        await page.get_by_test_id("verify").click()
        verified = page.get_by_test_id("verified")
        await expect(verified).to_have_text(re.compile(r"All [\d,]+ entries are as they were"))
        await visitor.fits()
        await visitor.picture(screenshots / f"audit-{look}.png", full_page=True)
        require_axe()
        assert await findings(page) == []
        kept = (await stage.api.dca("GET", "audit/head"))["hash"]
        await page.get_by_test_id("known-hash").fill("0" * 64)
        await page.get_by_test_id("verify").click()
        await expect(verified).to_contain_text("No entry has the head that you kept")
        await page.get_by_test_id("known-hash").fill(kept)
        async with page.expect_response("**/audit/verify") as walk:
            await page.get_by_test_id("verify").click()
        answer = await walk.value
        assert answer.request.post_data_json == {"known_hash": kept}
        assert (await answer.json())["ok"], await answer.text()
        await expect(verified).to_contain_text("as they were")
        await page.get_by_test_id("audit-search").fill(stage.sale_ids["lightning"])
        entries = page.get_by_test_id("audit-entry")
        await expect(entries).to_have_count(2)
        await expect(page.get_by_test_id("audit-list")).to_contain_text("Settled")


async def test_the_second_person_agrees(visit: Visit, stage: Stage, screenshots: Path) -> None:
    client = await client_named(stage, "elena")
    async with visit(OPERATOR, size=DESKTOP) as visitor:
        page = visitor.page
        await page.goto(AUDIT)
        await page.get_by_test_id("second-person").click()
        await page.get_by_test_id("approval-above").fill("5")
        await page.get_by_test_id("approval-new").fill("seven grey horses")
        await visitor.picture(screenshots / "approval.png")
        await page.get_by_test_id("approval-save").click()
        await expect(page.get_by_test_id("approval-save")).to_be_hidden()
        body = {"client_id": client, "sats": 6, "reason_code": "goodwill", "note": "a late start"}
        body |= {"action": "compensate", "account": "commission"}
        looked = await stage.api.dca("POST", "previews", json=body)
        path = f"previews/{looked['preview_id']}/execute"
        assert (await stage.api.dca("POST", path, json={}))["proposed"]
        await page.goto(AUDIT)
        await page.get_by_test_id("approve").click()
        await page.get_by_test_id("passphrase").fill("seven grey horses")
        await visitor.fits()
        await visitor.picture(screenshots / "approve.png")
        await page.get_by_test_id("preview-act").click()
        await expect(page.get_by_test_id("preview-result")).to_have_text("Corrected")
    off = {"above_sats": None, "passphrase": "seven grey horses"}
    await stage.api.dca("PUT", "approval", json=off)


async def test_it_speaks_spanish(visit: Visit, stage: Stage, screenshots: Path) -> None:
    async with visit(OPERATOR, size=PHONE, language="es") as visitor:
        page = visitor.page
        await page.goto(AUDIT)
        await expect(page.get_by_test_id("verify")).to_have_text(re.compile("Verificar"))
        await page.get_by_test_id("correct").click()
        await choose(page, "correction-kind", "Recuperar un pago de más")
        await visitor.fits()
        await visitor.picture(screenshots / "correction-spanish.png")
