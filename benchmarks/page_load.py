"""The first load of the page in a real browser: nothing kept from before, all numbers shown."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import uvicorn
from playwright.async_api import Browser, BrowserContext, async_playwright
from support.lnbits_app import PASSWORD, SUPERUSER

from .stopwatch import median
from .world import World

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ("--no-sandbox", "--disable-gpu")
PAGE = "/satmachineadmin/"
BARE_PAGE = "/account"
OWN = ("/satmachineadmin/static/", "/satmachineadmin/parts/")
VISITS = 5


async def first_load(world: World, repeat: int) -> dict[str, Any] | None:
    """Bytes of our own files and seconds until the numbers stand there; None without Chromium."""
    if not CHROMIUM.exists():
        return None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = world.operator.http._transport.app  # type: ignore[attr-defined]
    config = uvicorn.Config(app, port=port, lifespan="off", log_level="warning")
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.05)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=str(CHROMIUM), args=list(ARGUMENTS)
            )
            visits = [await _visit(browser, port) for _ in range(max(VISITS, repeat))]
            bare = [await _bare_visit(browser, port) for _ in visits]
            await browser.close()
    finally:
        server.should_exit = True
        await serving
    return {
        "own_bytes": visits[0]["own_bytes"],
        "own_files": visits[0]["own_files"],
        "lnbits_own_page_s": round(median(bare), 3),
        **{name: round(median([one[name] for one in visits]), 3) for name in ("state_s", "all_s")},
    }


async def _bare_visit(browser: Browser, port: int) -> float:
    """Seconds until a page of LNbits' own stands there: what none of its pages can be below."""
    context = await _context(browser, port)
    page = await context.new_page()
    started = time.perf_counter()
    await page.goto(BARE_PAGE, wait_until="commit")
    await page.locator("header").wait_for()
    await page.locator(".q-page .q-card").first.wait_for()
    took_s = time.perf_counter() - started
    await context.close()
    return took_s


async def _context(browser: Browser, port: int) -> BrowserContext:
    context = await browser.new_context(base_url=f"http://127.0.0.1:{port}")
    account = {"username": SUPERUSER, "password": PASSWORD}
    answer = await context.request.post("/api/v1/auth", data=account)
    assert answer.ok, await answer.text()
    for name, value in {"disclaimerShown": 1, "gradientBg": 0, "cardGradient": 0}.items():
        await context.add_init_script(f"localStorage.setItem('lnbits.{name}', '__q_bool|{value}')")
    return context


async def _visit(browser: Browser, port: int) -> dict[str, float]:
    context = await _context(browser, port)
    page = await context.new_page()
    sizes: list[int] = []

    async def count(response: Any) -> None:
        if any(own in response.url for own in OWN) and response.status == 200:
            sizes.append(len(await response.body()))

    page.on("response", count)
    started = time.perf_counter()
    await page.goto(PAGE, wait_until="commit")
    await page.locator("[data-test=state]").wait_for()
    state_s = time.perf_counter() - started
    await page.locator("[data-test=tile-paidAfter]").wait_for()
    await page.locator("[data-test=chart-clients] canvas").wait_for()
    all_s = time.perf_counter() - started
    await page.wait_for_load_state("networkidle")
    await context.close()
    return {"own_bytes": sum(sizes), "own_files": len(sizes), "state_s": state_s, "all_s": all_s}
