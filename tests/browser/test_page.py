"""The operator's page in a real browser: what its buttons do, and who may see it at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser.stage import CLIENT, OPERATOR, PAGE, PHONE, Stage, Visit
from playwright.async_api import Page, expect

STEPS = 9

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is


async def opened(page: Page, address: str = PAGE) -> None:
    await page.goto(address)
    await expect(page.get_by_test_id("state")).to_be_visible()


async def test_the_superuser_sees_the_page(visit: Visit) -> None:
    async with visit(OPERATOR) as visitor:
        await opened(visitor.page)
        await expect(visitor.page.get_by_test_id("state")).to_contain_text("Live")
        await expect(visitor.page.get_by_role("heading", level=1)).to_have_text(
            "Satoshi Machine Admin"
        )


async def test_it_is_loaded_from_another_page_of_lnbits(visit: Visit) -> None:
    """LNbits looks for an extension's dynamic routes first. Ours are an empty file, which it takes
    as none; where there is no file it renders its whole error page, 650 kB, at every load.
    """
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        async with page.expect_response("**/static/routes.json") as asked:
            await opened(page)
        answer = await asked.value
        assert (answer.status, await answer.body()) == (200, b"")
        await page.goto("/account")
        await page.locator(".q-page .q-card").first.wait_for()
        await page.evaluate(f"window.router.push('{PAGE}')")
        await expect(page.get_by_test_id("state")).to_be_visible()


@pytest.mark.parametrize("who", [None, CLIENT], ids=["anonymous", "another_user"])
async def test_nobody_else_does(
    visit: Visit, stage: Stage, screenshots: Path, who: str | None
) -> None:
    async with visit(who) as visitor:
        if who is not None:
            enabled = await visitor.context.request.put("/api/v1/extension/satmachineadmin/enable")
            assert enabled.ok
        answer = await visitor.page.goto(PAGE)
        assert answer is not None
        assert answer.status == (401 if who is None else 403)
        body = await visitor.page.content()
        assert "satm-page" not in body
        await visitor.page.wait_for_load_state("networkidle")
        await visitor.picture(screenshots / f"refused-{who or 'anonymous'}.png")
        visitor.errors.clear()  # LNbits' own page tells the refusal to the console


@pytest.mark.parametrize("what", ["tab", "dialog"])
async def test_a_part_that_does_not_come_says_so(visit: Visit, what: str) -> None:
    """Each part of the page is loaded when it is first opened; without LNbits it can be retried."""
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        await page.route("**/parts/lists.js*", lambda route: route.abort())
        if what == "tab":
            await page.get_by_test_id("tab-clients").click()
            there = page.get_by_test_id("add-client")
        else:
            await page.get_by_label("More actions").click()
            await page.get_by_test_id("menu-settings").click()
            there = page.get_by_test_id("save-settings")
        problem = page.get_by_role("alert").filter(has_text="could not be loaded")
        await expect(problem).to_be_visible()
        await page.unroute("**/parts/lists.js*")
        await problem.get_by_text("Try again", exact=True).click()
        await expect(there).to_be_visible()
        await expect(problem).not_to_be_visible()
        visitor.errors.clear()  # the browser tells the console of the script that did not come


async def test_the_connection_test_shows_its_steps(visit: Visit, screenshots: Path) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_test_id("test-connection").click()
        steps = page.get_by_test_id("step")
        await expect(steps).to_have_count(STEPS, timeout=20_000)
        await expect(steps.first).to_contain_text("SSH server reached")
        await expect(page.get_by_text("Every step succeeded")).to_be_visible()
        await visitor.picture(screenshots / "connection-test.png", full_page=True)


async def test_another_server_means_another_host_key(visit: Visit, screenshots: Path) -> None:
    """Saved through the form with its secrets kept; its key is looked at and accepted anew."""
    async with visit(OPERATOR, dark=False) as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_label("More actions").click()
        await page.get_by_test_id("menu-connection").click()
        field = page.get_by_test_id("field-ssh_host")
        await field.fill("not a host")
        await page.get_by_test_id("save-connection").click()
        await expect(page.get_by_text("must be a host name").first).to_be_visible()
        await visitor.picture(screenshots / "connection-form.png")
        await field.fill("localhost")
        await page.get_by_test_id("save-connection").click()

        await page.get_by_test_id("look-at-host-key").click(timeout=20_000)
        await expect(page.get_by_text("SHA256:").last).to_be_visible()
        await visitor.picture(screenshots / "host-key.png")
        await page.get_by_test_id("accept-host-key").click()
        await expect(page.get_by_text("Every step succeeded")).to_be_visible(timeout=20_000)


async def test_poll_now_brings_cash_outs_with_shares(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    from satmachineadmin.dev import sample_rows as sample

    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page, f"{PAGE}#cash-outs")
        await stage.sell("fresh", sample.sale, fiat=321)
        await page.get_by_test_id("poll-now").click()
        await page.get_by_test_id("preview-act").click()
        await expect(page.get_by_test_id("preview-result")).to_contain_text("Paid")
        await page.get_by_role("dialog").get_by_text("Close", exact=True).click()
        row = page.get_by_role("row").filter(has_text="321.00 GTQ")
        await expect(row).to_contain_text("Completed", timeout=20_000)
        await row.click()
        drill_down = page.get_by_test_id("drill-down")
        await expect(drill_down.get_by_test_id("shares")).to_contain_text(CLIENT)
        cash_out = await stage.cash_out("fresh")
        for name in ("total_sats", "base_sats", "commission_sats", "operator_remainder_sats"):
            await expect(drill_down).to_contain_text(f"{cash_out[name]:,} sats")
        assert cash_out["id"] in page.url
        bar = drill_down.locator(".satm-bar > div")
        widths = [float(w) for w in await bar.evaluate_all("all => all.map(e => e.offsetWidth)")]
        whole = await drill_down.locator(".satm-bar").evaluate("bar => bar.offsetWidth")
        gaps = 2 * (len(widths) - 1)
        assert abs(sum(widths) + gaps - whole) <= len(widths)
        await visitor.picture(screenshots / "drill-down.png")


async def test_a_held_sale_is_processed_with_a_reason(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    """The server says what is missing, the form asks for it, and then it is settled."""
    async with visit(OPERATOR, size=PHONE) as visitor:
        page = visitor.page
        held = await stage.cash_out("without_commission")
        await opened(page, f"{PAGE}?cash_out={held['id']}")
        await page.get_by_test_id("action-process").click()
        look = page.get_by_test_id("preview-look")
        await look.click()
        await expect(page.get_by_text("does not settle by the rules alone")).to_be_visible()
        await page.get_by_test_id("process-reason").fill("the receipt says 5.5 %")
        await look.click()
        rate = page.get_by_test_id("process-commission_percentage")
        await expect(rate).to_be_visible()
        await visitor.picture(screenshots / "process-missing.png")
        await rate.fill("0.055")
        await look.click()
        act = page.get_by_test_id("preview-act")
        await expect(act).to_have_text(re.compile(r"Pay [\d,]+ sats to \d clients"))
        await visitor.picture(screenshots / "process-shown.png")
        await act.click()
        paid = page.get_by_text(re.compile(r"Paid [\d,]+ sats to \d clients"))
        await expect(paid).to_be_visible()
        await visitor.picture(screenshots / "process-done.png")
    settled = await stage.cash_out("without_commission")
    assert settled["status"] == "completed"
    assert settled["operator_reason"] == "the receipt says 5.5 %"


async def test_a_held_sale_is_skipped_with_a_reason(visit: Visit, stage: Stage) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        held = await stage.cash_out("by_test_customer")
        await opened(page, f"{PAGE}?cash_out={held['id']}")
        await page.get_by_test_id("action-skip").click()
        await page.get_by_test_id("reason").fill("my own trial")
        await page.get_by_test_id("preview-look").click()
        act = page.get_by_test_id("preview-act")
        await expect(act).to_have_text(f"Skip {held['crypto_amount']:,} sats")
        await act.click()
        await expect(page.get_by_test_id("drill-down")).to_contain_text("Skipped")
    assert (await stage.cash_out("by_test_customer"))["status"] == "skipped"


async def test_the_stop_switch(visit: Visit, stage: Stage) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        state = page.get_by_test_id("state")
        for word, enabled in (("Stopped", False), ("Live", True)):
            await page.get_by_test_id("automatic").click()
            await page.get_by_test_id("automatic-confirm").click()
            await expect(state).to_contain_text(word)
            assert (await stage.api.dca("GET", "status"))["polling_enabled"] is enabled


async def test_a_simulation_moves_nothing(visit: Visit, stage: Stage) -> None:
    before = await stage.api.dca("GET", "status")
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_test_id("simulate-sale").click()
        await page.get_by_test_id("simulate-crypto_atoms").fill("103")
        await page.get_by_test_id("simulate").click()
        simulation = page.get_by_test_id("simulation")
        await expect(simulation).to_contain_text("100 sats")
        await expect(simulation).to_contain_text("3 sats")
    after = await stage.api.dca("GET", "status")
    assert after["cash_outs"] == before["cash_outs"]


async def test_processing_needs_an_id(visit: Visit) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_test_id("process-by-id").click()
        await expect(page.get_by_test_id("preview-look")).to_be_disabled()
        await page.get_by_test_id("process-id").fill("00000000-0000-4000-8000-000000000000")
        await page.get_by_test_id("preview-look").click()
        await expect(page.get_by_text("Lamassu knows no transaction")).to_be_visible()


async def test_an_error_is_said_in_spanish_with_the_apis_words_below(
    visit: Visit, screenshots: Path
) -> None:
    async with visit(OPERATOR, language="es", size=PHONE) as visitor:
        page = visitor.page
        await opened(page)
        await page.get_by_test_id("process-by-id").click()
        await page.get_by_test_id("process-id").fill("00000000-0000-4000-8000-000000000000")
        await page.get_by_test_id("preview-look").click()
        problem = page.get_by_role("alert").filter(has_text="Eso no está aquí")
        await expect(problem).to_contain_text("Lamassu knows no transaction")
        await visitor.picture(screenshots / "error-spanish.png")


async def test_a_request_that_got_no_answer_keeps_its_key(visit: Visit) -> None:
    """The network breaks after the click; the second click must not be a second payment."""
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page)
        keys = await page.evaluate("""async () => {
                const seen = []
                const request = LNbits.api.request
                LNbits.api.request = (method, url, key, body, options) => {
                    seen.push(options.headers['Idempotency-Key'])
                    return seen.length === 1
                        ? Promise.reject(new Error('gone'))
                        : Promise.resolve({data: {}})
                }
                await satmApi.once('POST', 'manual-poll').catch(() => null)
                await satmApi.once('POST', 'manual-poll')
                await satmApi.once('POST', 'manual-poll')
                LNbits.api.request = request
                return seen
            }""")
        assert keys[0] == keys[1]
        assert keys[1] != keys[2]


async def test_the_page_speaks_spanish(visit: Visit, screenshots: Path) -> None:
    async with visit(OPERATOR, language="es") as visitor:
        page = visitor.page
        await opened(page)
        await expect(page.get_by_test_id("state")).to_contain_text("En vivo")
        await expect(page.get_by_test_id("poll-now")).to_contain_text("Consultar ahora")
        await visitor.fits()
        await visitor.picture(screenshots / "page-spanish.png", full_page=True)
