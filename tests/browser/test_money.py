"""What moves money, in a real browser: shown first, done once, told in place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser.stage import DESKTOP, OPERATOR, PAGE, PHONE, Stage, Visit
from playwright.async_api import Page, expect

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is

PAY = re.compile(r"Pay [\d,]+ sats to \d clients")


async def opened(page: Page, address: str = PAGE) -> None:
    await page.goto(address)
    await expect(page.get_by_test_id("state")).to_be_visible()


async def wallets(stage: Stage) -> dict[str, int]:
    """What every wallet of the operation holds."""
    return {
        name: (await stage.api.wallets(user_id))[0].balance_msat // 1000
        for name, user_id in stage.user_ids.items()
        if name != "francisco"
    }


@pytest.mark.parametrize(
    ("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop-light", "phone-dark"]
)
async def test_poll_now_shows_then_pays(
    visit: Visit, stage: Stage, screenshots: Path, size: tuple[int, int], dark: bool
) -> None:
    from satmachineadmin.dev import sample_rows as sample

    look = "phone" if size == PHONE else "desktop"
    async with visit(OPERATOR, size=size, dark=dark) as visitor:
        page = visitor.page
        await opened(page)
        await stage.sell(f"one-{look}", sample.sale, fiat=140)
        await stage.sell(f"two-{look}", sample.sale, fiat=60)
        await stage.sell(f"zero-{look}", sample.fiat_zero)
        before = await wallets(stage)
        await page.get_by_test_id("poll-now").click()
        act = page.get_by_test_id("preview-act")
        await expect(act).to_have_text(PAY)
        assert await wallets(stage) == before
        await page.get_by_test_id("planned").first.click()
        await page.get_by_test_id("movements").click()
        await expect(page.get_by_test_id("planned").last).to_contain_text("Held")
        await visitor.fits()
        await visitor.picture(screenshots / f"poll-shown-{look}.png")
        promised = (await act.text_content() or "").strip()
        await act.click()
        result = page.get_by_test_id("preview-result")
        await expect(result).to_have_text(promised.replace("Pay", "Paid"))
        await visitor.fits()
        await visitor.picture(screenshots / f"poll-paid-{look}.png")
        await page.get_by_test_id("preview-open").first.click()
        await expect(page.get_by_test_id("drill-down")).to_contain_text("140.00 GTQ")
    paid = sum((await wallets(stage)).values()) - sum(before.values())
    assert paid <= int(re.sub(r"\D", "", promised.split(" sats")[0]))
    assert paid > 0


async def test_poll_now_with_nothing_new(visit: Visit, stage: Stage, screenshots: Path) -> None:
    await stage.api.poll()
    async with visit(OPERATOR, size=(360, 740)) as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_test_id("poll-now").click()
        result = page.get_by_test_id("preview-result")
        await expect(result).to_have_text("Nothing new at Lamassu, and nothing waits to be paid.")
        await visitor.fits()
        await visitor.picture(screenshots / "poll-nothing.png")


async def test_a_large_sum_is_typed(visit: Visit, stage: Stage, screenshots: Path) -> None:
    from satmachineadmin.dev import sample_rows as sample

    await stage.api.dca("PUT", "settings", json={"typed_amount_above_sats": 1000})
    await stage.sell("large", sample.sale, fiat=80)
    try:
        async with visit(OPERATOR) as visitor:
            page = visitor.page
            await opened(page)
            await page.get_by_test_id("poll-now").click()
            act = page.get_by_test_id("preview-act")
            await expect(act).to_have_text(PAY)
            await expect(act).to_be_disabled()
            amount = re.sub(r"\D", "", (await act.text_content() or "").split(" sats")[0])
            typed = page.get_by_test_id("typed-amount")
            await typed.fill(f"{int(amount) - 1}")
            await expect(act).to_be_disabled()
            await typed.fill(amount)
            await visitor.picture(screenshots / "poll-typed.png")
            await act.click()
            await expect(page.get_by_test_id("preview-result")).to_contain_text("Paid")
    finally:
        await stage.api.dca("PUT", "settings", json={"typed_amount_above_sats": 1_000_000})
    assert (await stage.cash_out("large"))["status"] == "completed"


async def test_what_changed_meanwhile_is_told_and_looked_at_again(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    from satmachineadmin.dev import sample_rows as sample

    lamassu_id = await stage.sell("changing", sample.sale, fiat=70)
    clients = (await stage.api.dca("GET", "clients"))["data"]
    elena = next(client for client in clients if client["username"] == "elena")
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_test_id("process-by-id").click()
        await page.get_by_test_id("process-id").fill(lamassu_id)
        await page.get_by_test_id("preview-look").click()
        act = page.get_by_test_id("preview-act")
        await expect(act).to_have_text(PAY)
        deposit = await stage.api.dca(
            "POST", "deposits", json={"client_id": elena["id"], "amount": "5"}
        )
        back = {"status": "confirmed", "effective_at": (stage.now).isoformat()}
        await stage.api.dca("PUT", f"deposits/{deposit['id']}/status", json=back)
        await act.click()
        await expect(page.get_by_text("This would do something else now")).to_be_visible()
        await visitor.picture(screenshots / "process-outdated.png")
        await page.get_by_test_id("preview-again").click()
        await act.click()
        await expect(page.get_by_test_id("preview-result")).to_contain_text("Paid")
    assert (await stage.cash_out("changing"))["status"] == "completed"


async def test_a_failed_share_is_tried_again_and_given_up(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    """Its wallet is gone: nothing to pay; given up, the client has the balance back."""
    cash_out = await stage.cash_out("lightning")
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page, f"{PAGE}?cash_out={cash_out['id']}")
        shares = page.get_by_test_id("shares")
        await shares.get_by_role("button", name=re.compile("Retry")).click()
        await expect(page.get_by_test_id("preview-act")).to_have_text("Nothing to pay")
        await expect(page.get_by_test_id("preview-act")).to_be_disabled()
        await expect(page.get_by_test_id("remark")).to_contain_text("the wallet was deleted")
        await visitor.picture(screenshots / "retry-nothing.png")
        await page.get_by_role("dialog").get_by_text("Cancel", exact=True).click()
        await shares.get_by_role("button", name=re.compile("Give up")).click()
        await page.get_by_test_id("reason").fill("paid in cash")
        await page.get_by_test_id("preview-look").click()
        await expect(page.get_by_test_id("effect")).to_contain_text("gets")
        await visitor.picture(screenshots / "give-up-shown.png")
        await page.get_by_test_id("preview-act").click()
        await expect(page.get_by_test_id("preview-result")).to_contain_text("Gave up")
        await page.get_by_role("dialog").get_by_text("Close", exact=True).click()
        await expect(shares).to_contain_text("Cancelled")


async def test_in_spanish(visit: Visit, stage: Stage, screenshots: Path) -> None:
    from satmachineadmin.dev import sample_rows as sample

    await stage.sell("spanish", sample.sale, fiat=50)
    async with visit(OPERATOR, size=PHONE, dark=False, language="es") as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_test_id("poll-now").click()
        act = page.get_by_test_id("preview-act")
        await expect(act).to_have_text(re.compile(r"Pagar [\d,.\s]+ sats a \d clientes"))
        await visitor.fits()
        await visitor.picture(screenshots / "poll-shown-spanish.png")
        await act.click()
        await expect(page.get_by_test_id("preview-result")).to_contain_text("Se pagaron")
