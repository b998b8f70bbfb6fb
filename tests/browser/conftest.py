"""A real LNbits with this extension, a real Lamassu behind it, and Debian's chromium in front.

One stage for all browser tests: six clients with deposits, one of them without a wallet, and sales
of the kinds an operator meets, polled once. `SATM_SCREENSHOTS=folder` keeps the screenshots.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from browser.stage import (
    ARGUMENTS,
    CHROMIUM,
    CLIENT,
    DESKTOP,
    OPERATOR,
    PASSWORD,
    Stage,
    Visit,
    Visitor,
    staged,
)
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

PATIENCE_MS = 45_000  # a machine that runs four lanes is slow at times; nothing waits without need
STILL = """
document.addEventListener('DOMContentLoaded', () => {
    const style = document.createElement('style')
    style.textContent = '*,*::before,*::after{transition:none!important;animation:none!important}'
    document.head.append(style)
})
"""
NO_SERVICE_WORKER = "navigator.serviceWorker.register = () => new Promise(() => {})"


@pytest.fixture(scope="session")
def needs_chromium() -> None:
    """Skip on machines without it; in CI that would hide a page that does not work."""
    if not CHROMIUM.exists():
        reason = f"the browser tests need {CHROMIUM}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
async def stage(
    needs_chromium: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """LNbits in a process of its own, set up over HTTP, with sales polled once."""
    async with staged(tmp_path_factory.mktemp("browser")) as stage:
        yield stage


@pytest.fixture(scope="session")
async def chromium(stage: Stage) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        playwright.selectors.set_test_id_attribute("data-test")
        expect.set_options(timeout=PATIENCE_MS)
        browser = await playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=list(ARGUMENTS)
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures for people go."""
    named = os.environ.get("SATM_SCREENSHOTS")
    folder = Path(named).resolve() if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
async def contexts(
    chromium: Browser, stage: Stage
) -> AsyncIterator[dict[str | None, BrowserContext]]:
    """A browser of everybody who visits, kept from test to test: logging in is slow on purpose, and
    most of a first visit is LNbits' own scripts being fetched and read.
    """
    found: dict[str | None, BrowserContext] = {}
    for who in (OPERATOR, CLIENT, None):
        context = found[who] = await chromium.new_context(base_url=stage.url)
        # LNbits' service worker would answer what a test wants to answer itself.
        await context.add_init_script(NO_SERVICE_WORKER)
        if who is not None:
            account = {"username": who, "password": PASSWORD}
            answer = await context.request.post("/api/v1/auth", data=account)
            assert answer.ok, await answer.text()
    yield found
    for context in found.values():
        await context.close()


@pytest.fixture
def visit(chromium: Browser, stage: Stage, contexts: dict[str | None, BrowserContext]) -> Visit:
    """`async with visit(OPERATOR) as visitor`: logged in, at a window size, light or dark.

    `plain`: without LNbits' gradients and without movement, which take seconds to draw where there
    is no GPU.
    """

    @asynccontextmanager
    async def visiting(
        who: str | None,
        *,
        size: tuple[int, int] = DESKTOP,
        dark: bool = True,
        plain: bool = True,
        language: str = "en",
    ) -> AsyncIterator[Visitor]:
        context = contexts[who]
        others = list(context.pages)
        page = await context.new_page()
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        # LNbits' own choices, as its page stores them.
        choices = {
            "disclaimerShown": "__q_bool|1",
            "darkMode": f"__q_bool|{int(dark)}",
            "lang": f"__q_strn|{language}",
        }
        if plain:
            choices.update({"gradientBg": "__q_bool|0", "cardGradient": "__q_bool|0"})
        if plain:
            await page.add_init_script(STILL)
        for name, value in choices.items():
            await page.add_init_script(f"localStorage.setItem('lnbits.{name}', '{value}')")
        visitor = Visitor(page, context)
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", visitor.failed)
        page.on("console", visitor.said)
        try:
            yield visitor
            if page.url.startswith("http"):
                await page.evaluate("localStorage.clear()")  # the next one is a first visit
        finally:
            for opened in context.pages:
                if opened not in others:
                    await opened.close()
        assert not visitor.errors

    return visiting
