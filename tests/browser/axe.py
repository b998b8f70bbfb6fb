"""axe-core over our part of the page: what a screen reader, a keyboard or weak eyes would miss.

LNbits' own frame (header, drawer, footer) is not ours and is left out: only the page's root is
looked at, or what it has opened above itself.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Page

AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
PAGE, ABOVE = ".satm-page", (".q-dialog", ".q-menu")
GRAVE = ("serious", "critical")

_RUN = """
async ([page, above, grave]) => {
    const opened = above.filter(name => document.querySelector(name)).map(name => [name])
    const include = opened.length ? opened : [[page]]
    const found = await axe.run({include}, {resultTypes: ['violations']})
    return found.violations
        .filter(({impact}) => grave.includes(impact))
        .map(({id, impact, help, nodes}) => `${impact} ${id}: ${help}\\n`
            + nodes.slice(0, 4).map(node => `    ${node.html.slice(0, 220)}\\n      `
                + node.any.concat(node.all).map(check => check.message).join('; ')).join('\\n'))
}
"""


def require_axe() -> None:
    """Skip where npm did not install it; in CI that would hide what cannot be used."""
    if not AXE.exists():
        reason = "the accessibility tests need axe-core: make node_modules/.installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


async def findings(page: Page) -> list[str]:
    """The serious and critical findings of what is shown now."""
    if not await page.evaluate("() => 'axe' in window"):
        await page.add_script_tag(path=AXE)
    found: list[str] = await page.evaluate(_RUN, [PAGE, ABOVE, GRAVE])
    return found
