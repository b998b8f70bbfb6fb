"""Cash-outs, clients, deposits and files in a real browser, as somebody who was told nothing."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from browser.stage import CLIENT, OPERATOR, PAGE, PHONE, Stage, Visit
from playwright.async_api import Page, expect

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is

SMALL = (360, 740)


async def opened(page: Page, address: str) -> None:
    await page.goto(PAGE + address)
    await expect(page.get_by_test_id("state")).to_be_visible()


def asked(page: Page) -> dict[str, str]:
    """The filters in the address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


async def test_filters_are_chips_and_survive_a_reload(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    listed = await stage.api.dca("GET", "transactions", params={"limit": 100})
    states = [row["status"] for row in listed["data"]]
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        rows = page.get_by_test_id("cash-outs").locator("tbody tr")
        await opened(page, "?status=held,watching#cash-outs")
        await expect(rows).to_have_count(states.count("held") + states.count("watching"))
        await expect(page.get_by_test_id("chip-status:held")).to_be_visible()
        await page.get_by_label("Remove: Held").click()
        await expect(rows).to_have_count(states.count("watching"))
        assert asked(page) == {"status": "watching"}
        assert page.url.endswith("#cash-outs")

        await page.get_by_test_id("filter").click()
        await page.get_by_test_id("filter-states").click()
        await page.get_by_test_id("filter-completed").click()
        await page.keyboard.press("Escape")
        await page.get_by_test_id("filter-coin").click()
        await page.get_by_role("option", name="BTC").click()
        await page.get_by_test_id("days-week").click()
        await expect(rows).to_have_count(1)
        await expect(page.get_by_text("midnight in America/Guatemala")).to_be_visible()
        await visitor.picture(screenshots / "lists-filters.png", full_page=True)
        before = page.url
        assert set(asked(page)) == {"status", "coin", "from", "to"}
        await page.reload()
        await expect(rows).to_have_count(1)
        assert page.url == before
        for chip in ("chip-coin", "chip-days", "chip-status:completed"):
            await expect(page.get_by_test_id(chip)).to_be_visible()
        await page.get_by_test_id("clear-all").click()
        await expect(rows).to_have_count(min(10, len(states)))
        assert asked(page) == {}

        search = page.get_by_test_id("search")
        await search.fill(stage.sale_ids["published"])
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text("512,400 sats")
        await search.fill("no such id")
        await expect(page.get_by_text("No cash-out fits these filters.")).to_be_visible()
        await visitor.picture(screenshots / "lists-empty.png")
        await opened(page, "?status=nonsense#cash-outs")
        await expect(page.get_by_text("'nonsense' is no state of this list")).to_be_visible()


async def test_a_stranger_finds_out_why_a_client_got_that_many_sats(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    cash_out = await stage.cash_out("published")
    path = f"transactions/{cash_out['id']}"
    shares = (await stage.api.dca("GET", f"{path}/distributions"))["data"]
    share = next(one for one in shares if one["username"] == CLIENT)
    told = await stage.api.dca("GET", f"{path}/explanation")
    part = next(one for one in told["parts"] if one["username"] == CLIENT)
    async with visit(OPERATOR, dark=False) as visitor:
        page = visitor.page
        await opened(page, "#clients")
        row = page.get_by_role("row").filter(has_text=CLIENT)
        await visitor.picture(screenshots / "lists-clients.png", full_page=True)
        await row.click()
        sheet = page.get_by_test_id("client-page")
        await expect(sheet.get_by_test_id("sheet-GTQ")).to_contain_text("Opening balance")
        assert asked(page)["client_page"] == share["client_id"]
        await visitor.picture(screenshots / "lists-client.png")
        line = sheet.get_by_test_id("client-shares").get_by_role("row")
        await line.filter(has_text=f"{share['amount_sats']:,}").first.click()

        drill_down = page.get_by_test_id("drill-down")
        how = drill_down.get_by_test_id("how")
        cap = f"{float(part['took_part_with']):,.2f} GTQ"
        await expect(how.get_by_role("listitem").filter(has_text=CLIENT)).to_contain_text(
            re.compile(rf"had {re.escape(cap)} of .* {share['amount_sats']:,} sats")
        )
        await expect(drill_down).to_contain_text(f"= {cash_out['base_sats']:,} sats, rounded down")
        await expect(drill_down).to_contain_text(re.compile(r"Markup: base = 512,400 ÷"))
        link = drill_down.get_by_test_id("payment-link").first
        assert await link.get_attribute("href") == "/payments"
        await visitor.picture(screenshots / "lists-drill-down.png")
        await how.scroll_into_view_if_needed()
        await visitor.picture(screenshots / "lists-how.png")


async def test_a_clients_page_is_linkable_and_printed_alone(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    clients = (await stage.api.dca("GET", "clients", params={"search": CLIENT}))["data"]
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page, f"?client_page={clients[0]['id']}#clients")
        sheet = page.get_by_test_id("client-page")
        await expect(sheet.get_by_test_id("client-shares").get_by_role("row")).not_to_have_count(0)
        await page.emulate_media(media="print")
        await expect(page.get_by_test_id("clients")).to_be_hidden()
        await expect(sheet.get_by_test_id("print")).to_be_hidden()
        look = "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
        assert await sheet.evaluate(look) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
        await visitor.picture(screenshots / "lists-print.png", full_page=True)
        await page.emulate_media(media="screen")
        await page.get_by_label("Close").last.click()
        await expect(sheet).to_have_count(0)
        assert asked(page) == {}


async def test_a_client_is_added_by_picking_and_paused(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    from satmachineadmin.dev.lnbits_api import LnbitsApi

    api: LnbitsApi = stage.api
    await api.account("gabriela", "only-for-tests")
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page, "#clients")
        await page.get_by_test_id("add-client").click()
        await page.get_by_test_id("client-user").fill("gabri")
        await page.get_by_role("option", name="gabriela").click()
        await expect(page.get_by_test_id("client-username")).to_have_value("gabriela")
        await visitor.picture(screenshots / "lists-add-client.png")
        save = page.get_by_test_id("save-client")
        await save.click()
        await expect(save).to_have_count(0)  # nobody types behind an open dialog
        await page.get_by_test_id("client-search").fill("gabriela")
        row = page.get_by_test_id("clients").locator("tbody tr")
        await expect(row).to_have_count(1)
        await row.click()
        await page.get_by_test_id("edit-client").click()
        await page.get_by_role("radio", name="Fixed").click()
        await page.get_by_test_id("client-fixed_mode_daily_limit").fill("150")
        await page.get_by_test_id("save-client").click()
        sheet = page.get_by_test_id("client-page")
        await expect(sheet).to_contain_text("Fixed, 150 a day")
        await page.get_by_test_id("pause-client").click()
        await expect(sheet).to_contain_text("Inactive")
    found = (await api.dca("GET", "clients", params={"search": "gabriela"}))["data"][0]
    assert (found["status"], found["dca_mode"]) == ("inactive", "fixed")


async def test_a_deposit_from_cash_to_credit(visit: Visit, stage: Stage, screenshots: Path) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page, "#deposits")
        await page.get_by_test_id("add-deposit").click()
        await page.get_by_test_id("deposit-client_id").fill("elen")
        await page.get_by_role("option", name="elena").click()
        await page.get_by_test_id("deposit-amount").fill("500.00")
        await page.get_by_test_id("save-deposit").click()
        deposit = page.get_by_test_id("deposits").get_by_role("row").filter(has_text="elena")
        await visitor.picture(screenshots / "lists-deposits.png", full_page=True)
        await deposit.get_by_test_id("confirm-deposit").click()
        await expect(page.get_by_test_id("decision-text")).to_have_text(
            "elena will be credited 500.00 GTQ, effective from now."
        )
        await expect(page.get_by_text(re.compile("elena has .* GTQ left now"))).to_be_visible()
        await visitor.picture(screenshots / "lists-decision.png")
        await page.get_by_test_id("decide").click()
        await expect(deposit).to_have_count(0)
        await page.get_by_test_id("deposit-state").click()
        await page.get_by_role("option", name="Confirmed").click()
        await expect(deposit.filter(has_text="500.00 GTQ")).to_contain_text("Confirmed")
    found = await stage.api.dca("GET", "deposits", params={"status": "confirmed", "limit": 1})
    assert found["data"][0]["amount_decimal"] == "500.00"


async def test_a_file_is_read_back(visit: Visit, stage: Stage, tmp_path: Path) -> None:
    """What the button brings is what the table shows, as filtered."""
    listed = await stage.api.dca("GET", "transactions", params={"status": "completed"})
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await opened(page, "?status=completed#cash-outs")
        for name in ("cash-outs", "report"):
            await page.get_by_test_id("export").click()
            async with page.expect_download() as download:
                await page.get_by_test_id(f"export-{name}").click()
            file = tmp_path / (await download.value).suggested_filename
            assert file.name.startswith(f"satmachineadmin-{name}-")
            await (await download.value).save_as(file)
            lines = list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"))))
            rows = [line for line in lines if line["row"].isdigit()]
            assert {row["cash_out_id"] for row in rows} == {x["id"] for x in listed["data"]}
            assert lines[-1]["row"] == "END"
            sold = sum(row["total_sats"] for row in listed["data"])
            assert int(lines[-1]["total_sats"]) == sold


@pytest.mark.parametrize("language", ["en", "es"])
async def test_the_lists_fit_a_phone(
    visit: Visit, stage: Stage, screenshots: Path, language: str
) -> None:
    cash_out = await stage.cash_out("published")
    client = (await stage.api.dca("GET", "clients", params={"search": CLIENT}))["data"][0]["id"]
    dark = language == "en"
    async with visit(OPERATOR, size=PHONE, dark=dark, language=language) as visitor:
        page = visitor.page

        async def looks(name: str) -> None:
            await visitor.fits()
            await visitor.picture(screenshots / f"lists-phone-{name}-{language}.png")
            await visitor.resize(*SMALL)
            await visitor.fits()
            await visitor.resize(*PHONE)

        await opened(page, "?status=completed&from=2026-01-01#cash-outs")
        await page.get_by_test_id("filter").click()
        if language == "es":
            await expect(page.get_by_test_id("filter")).to_contain_text("Filtrar")
            await expect(page.get_by_test_id("clear-all")).to_be_visible()
        await looks("cash-outs")
        await opened(page, f"?cash_out={cash_out['id']}#cash-outs")
        how = page.get_by_test_id("how")
        await how.scroll_into_view_if_needed()
        await looks("drill-down")
        await opened(page, "#clients")
        await expect(page.get_by_role("button", name=CLIENT).first).to_be_visible()
        await looks("clients")
        await opened(page, f"?client_page={client}#clients")
        await expect(page.get_by_test_id("sheet-GTQ")).to_be_visible()
        await looks("client")
        await opened(page, "#deposits")
        await looks("deposits")
