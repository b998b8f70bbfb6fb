"""What a paid client sees in LNbits' own wallet page, and what they can prove with it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from browser.stage import CLIENT, DESKTOP, PHONE, Stage, Visit
from playwright.async_api import APIRequestContext, expect

MSAT = 1000

pytestmark = pytest.mark.sqlite_only  # the stage's LNbits always is


async def _wallet(request: APIRequestContext) -> dict[str, Any]:
    user = await (await request.get("/api/v1/auth")).json()
    wallet: dict[str, Any] = user["wallets"][0]
    return wallet


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_the_wallet_page_shows_the_payment(
    visit: Visit, screenshots: Path, size: tuple[int, int]
) -> None:
    look = "desktop" if size == DESKTOP else "phone"
    async with visit(CLIENT, size=size) as visitor:
        page, request = visitor.page, visitor.context.request
        wallet = await _wallet(request)
        answer = await request.get(
            "/api/v1/payments?limit=1", headers={"X-Api-Key": wallet["inkey"]}
        )
        newest = (await answer.json())[0]
        await page.goto(f"/wallet/{wallet['id']}")
        row = page.get_by_role("row").filter(has_text=newest["memo"]).first  # the newest is on top
        await expect(row).to_contain_text(f"{newest['amount'] // MSAT:,}")
        await page.wait_for_load_state("networkidle")
        await visitor.picture(screenshots / f"wallet-{look}.png", full_page=True)
        await row.locator("i").first.click()
        await expect(page.get_by_text("Payment Received").first).to_be_visible()
        await visitor.picture(screenshots / f"wallet-payment-{look}.png")


async def test_the_payment_hash_is_a_real_one(visit: Visit, stage: Stage) -> None:
    path = f"transactions/{stage.sale_ids['published']}/distributions"
    shares = (await stage.api.dca("GET", path))["data"]
    share = next(s for s in shares if s["username"] == CLIENT)
    async with visit(CLIENT) as visitor:
        request = visitor.context.request
        wallet = await _wallet(request)
        answer = await request.get(
            f"/api/v1/payments/{share['payment_hash']}", headers={"X-Api-Key": wallet["inkey"]}
        )
        payment = await answer.json()
    assert payment["paid"] is True
    assert payment["details"]["amount"] == share["amount_sats"] * MSAT
    preimage = bytes.fromhex(payment["preimage"])
    assert hashlib.sha256(preimage).hexdigest() == share["payment_hash"]
