"""What a paid client sees in LNbits' own wallet page, and what they can prove with it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from browser.stage import CLIENT, DESKTOP, PHONE, Stage, Visit
from playwright.async_api import APIRequestContext, expect


async def _wallet(request: APIRequestContext) -> dict[str, Any]:
    user = await (await request.get("/api/v1/auth")).json()
    wallet: dict[str, Any] = user["wallets"][0]
    return wallet


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_the_wallet_shows_the_payment(
    visit: Visit, stage: Stage, screenshots: Path, size: tuple[int, int]
) -> None:
    share = await _share(stage, "published")
    look = "desktop" if size == DESKTOP else "phone"
    async with visit(CLIENT, size=size) as visitor:
        page = visitor.page
        wallet = await _wallet(visitor.context.request)
        await page.goto(f"/wallet/{wallet['id']}")
        paid = page.get_by_text(f"{share['amount_sats']:,}").first
        await expect(paid).to_be_visible()
        await page.wait_for_load_state("networkidle")
        await page.screenshot(path=screenshots / f"wallet-{look}.png", full_page=True)
        await paid.click()
        await expect(page.get_by_text(share["payment_hash"][:8]).first).to_be_visible()
        await page.wait_for_timeout(400)  # the dialog fades in
        await page.screenshot(path=screenshots / f"wallet-payment-{look}.png")


async def test_the_payment_hash_is_a_real_one(visit: Visit, stage: Stage) -> None:
    share = await _share(stage, "published")
    async with visit(CLIENT) as visitor:
        request = visitor.context.request
        wallet = await _wallet(request)
        answer = await request.get(
            f"/api/v1/payments/{share['payment_hash']}", headers={"X-Api-Key": wallet["inkey"]}
        )
        payment = await answer.json()
        assert payment["paid"] is True
        preimage = bytes.fromhex(payment["preimage"])
        assert hashlib.sha256(preimage).hexdigest() == share["payment_hash"]
        assert payment["details"]["amount"] == share["amount_sats"] * 1000


async def _share(stage: Stage, kind: str) -> dict[str, Any]:
    path = f"transactions/{stage.sale_ids[kind]}/distributions"
    shares = (await stage.api.dca("GET", path))["data"]
    share: dict[str, Any] = next(s for s in shares if s["username"] == CLIENT)
    return share
