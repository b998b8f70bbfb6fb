"""The page at the sizes and in the colours people have it; nothing sticks out, nothing fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.stage import DESKTOP, OPERATOR, PAGE, PHONE, Visit
from playwright.async_api import expect

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is

ROOM_MS = 60  # a tab's own parts come in
TABS = ("overview", "cash-outs", "clients", "deposits", "books", "setup")
OTHER_WIDTHS = (360, 600, 1024, 1600)  # Quasar's breakpoints lie between them


@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_the_page_fits(
    visit: Visit, screenshots: Path, size: tuple[int, int], dark: bool
) -> None:
    look = f"{'desktop' if size == DESKTOP else 'phone'}-{'dark' if dark else 'light'}"
    async with visit(OPERATOR, size=size, dark=dark, plain=False) as visitor:
        page = visitor.page
        await page.goto(PAGE)
        await expect(page.get_by_test_id("state")).to_be_visible()
        await expect(page.get_by_test_id("tile-paidAfter")).to_be_visible()
        await page.wait_for_load_state("networkidle")
        await visitor.picture(screenshots / f"page-{look}.png", full_page=True)
        # What fits does not depend on the colours, nor on the size it began with.
        others = OTHER_WIDTHS if size == DESKTOP and not dark else ()
        for width in (size[0], *others):
            await visitor.resize(width, size[1])
            for tab in TABS:
                await page.get_by_test_id(f"tab-{tab}").click()
                await page.wait_for_timeout(ROOM_MS)
                await visitor.fits()
