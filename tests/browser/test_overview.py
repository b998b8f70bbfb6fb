"""The frame of the page and its overview in a real browser."""

from __future__ import annotations

import pytest
from browser.stage import OPERATOR, PAGE, Stage, Visit
from playwright.async_api import expect

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
