"""Alerts in a real browser: a channel is added and tested, an alert is taken, a rule is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.axe import findings, require_axe
from browser.stage import DESKTOP, OPERATOR, PAGE, PHONE, Stage, Visit
from playwright.async_api import Page, Route, expect
from satmachineadmin.dev.receiver import receiver

ALERTS = f"{PAGE}?view=alerts#books"
SETUP = f"{PAGE}#setup"

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is


async def choose(page: Page, field: str, option: str) -> None:
    await page.get_by_test_id(field).click()
    await page.get_by_role("option", name=option).click()


async def test_a_channel_from_adding_to_its_last_delivery(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    async with receiver() as inbox, visit(OPERATOR) as visitor:
        page = visitor.page
        await page.goto(SETUP)
        await page.get_by_test_id("channel-add").click()
        await page.get_by_test_id("channel-name").fill("Night desk")
        await page.get_by_test_id("channel-url").fill(inbox.url)
        await page.get_by_test_id("channel-secret").fill("a shared key")
        await visitor.picture(screenshots / "channel-dialog.png")
        await page.get_by_test_id("channel-save").click()
        one = page.get_by_test_id("channel").filter(has_text="Night desk")
        await one.get_by_test_id("channel-test").click()
        await expect(one.get_by_test_id("delivery")).to_contain_text("private or local address")
        assert inbox.take() == []
        await page.get_by_test_id("allow-private").click()
        async with page.expect_response(lambda one: one.request.method == "PUT"):
            await page.get_by_test_id("hours-save").click()  # stored before the next one asks
        await one.get_by_test_id("channel-test").click()
        await expect(one.get_by_test_id("delivery")).to_contain_text("Delivered")
        (heard,) = inbox.take()
        assert heard.headers["x-satm-signature"].startswith("sha256=")
        await one.get_by_test_id("channel-edit").click()
        await expect(page.get_by_test_id("channel-secret")).to_have_value("")
        await page.keyboard.press("Escape")
        await one.get_by_test_id("channel-delete").click()
        await page.get_by_test_id("channel-delete-yes").click()
        await expect(one).to_have_count(0)
        await stage.api.dca("PUT", "alert-settings", json={"allow_private_addresses": False})


async def test_a_rule_is_changed_and_goes_back(visit: Visit, screenshots: Path) -> None:
    async with visit(OPERATOR, size=PHONE, dark=False) as visitor:
        page = visitor.page
        await page.goto(SETUP)
        await page.get_by_test_id("rule-payouts_late").click()
        await page.get_by_test_id("rule-threshold").fill("0")
        await page.get_by_test_id("rule-save").click()
        await expect(page.get_by_text("must be 1 to").first).to_be_visible()
        await visitor.picture(screenshots / "rule-dialog.png")
        await page.get_by_test_id("rule-threshold").fill("12")
        await page.get_by_test_id("rule-save").click()
        rule = page.get_by_test_id("alert-rule").filter(has_text="Payouts late")
        await expect(rule).to_contain_text("12 h · changed")
        await page.get_by_test_id("rule-payouts_late").click()
        await page.get_by_test_id("rule-default").click()
        await expect(rule).not_to_contain_text("changed")


async def test_an_alert_is_taken(visit: Visit, stage: Stage, screenshots: Path) -> None:
    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await page.goto(ALERTS)
        row = page.get_by_test_id("alert-open").first
        await row.click()
        await expect(page.get_by_test_id("alert-shown")).to_be_visible()
        await page.get_by_test_id("alert-note").fill("I call them now")
        await visitor.picture(screenshots / "alert-dialog.png")
        await page.get_by_test_id("acknowledge").click()
        await expect(page.get_by_text("Taken").first).to_be_visible()
        taken = (await stage.api.dca("GET", "alerts"))["data"]
        assert [one["note"] for one in taken if one["state"] == "acknowledged"] == [
            "I call them now"
        ]


@pytest.mark.parametrize(
    ("size", "dark", "language"),
    [(DESKTOP, False, "en"), (PHONE, True, "es")],
    ids=["desktop", "phone"],
)
async def test_it_fits_and_everybody_can_use_it(
    visit: Visit,
    stage: Stage,
    screenshots: Path,
    size: tuple[int, int],
    dark: bool,
    language: str,
) -> None:
    require_axe()
    body = {"name": "Pager", "kind": "ntfy", "url": "https://ntfy.example.com/x", "level": 2}
    one = await stage.api.dca("POST", "channels", json=body)
    async with visit(OPERATOR, size=size, dark=dark, language=language) as visitor:
        page = visitor.page
        for name, address, seen in (
            ("alerts", ALERTS, "alert"),
            ("channels", SETUP, "channel"),
        ):
            await page.goto(address)
            await expect(page.get_by_test_id(seen).first).to_be_visible()
            await visitor.fits()
            picture = f"{name}-{size[0]}-{'dark' if dark else 'light'}.png"
            if seen == "channel":
                await page.get_by_test_id("channels").scroll_into_view_if_needed()
            await visitor.picture(screenshots / picture, full_page=size == DESKTOP)
            assert await findings(page) == []
        if language == "es":
            await page.goto(ALERTS)
            held = page.get_by_test_id("alert").filter(has_text="le espera")
            await expect(held.first).to_be_visible()
            await page.goto(SETUP)
            await expect(page.get_by_test_id("channels")).to_contain_text("Canales de alerta")
    await stage.api.dca("DELETE", f"channels/{one['id']}")


async def test_clients_are_told_what_is_on_the_screen(
    visit: Visit, stage: Stage, screenshots: Path
) -> None:
    """No payout of the stage is a day late, so the list is given; what is sent goes to the API."""
    client = (await stage.api.every("clients"))[0]
    late = {"why": "late", "sats": 12_249, "since": None, "told_at": None}
    row = {"client_id": client["id"], "username": client["username"], **late, "ways": ["email"]}
    mute = {**row, "client_id": "other", "username": "nobody", "ways": []}

    async def listed(route: Route) -> None:
        if route.request.method == "GET":
            await route.fulfill(json={"data": [row, mute], "total": 2})
        else:
            await route.continue_()

    async with visit(OPERATOR) as visitor:
        page = visitor.page
        await page.route("**/client-notices", listed)
        await page.goto(ALERTS)
        await expect(page.get_by_test_id("notice-client")).to_have_count(2)
        await page.get_by_test_id("notice-write").click()
        await page.get_by_test_id("notice-message").fill("It comes tomorrow.")
        await visitor.picture(screenshots / "notice-dialog.png")
        async with page.expect_response("**/client-notices") as sent:
            await page.get_by_test_id("notice-send").click()
        answer = await sent.value
        assert answer.request.post_data_json == {
            "client_ids": [client["id"]],
            "message": "It comes tomorrow.",
        }
        assert await answer.json() == {"queued": 0, "not_reached": [client["id"]]}
