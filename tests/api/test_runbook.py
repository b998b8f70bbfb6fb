"""The runbook names buttons, routes, commands and metrics as they are in the product.

Whoever reads it at night must not look for a button that was renamed.
"""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from satmachineadmin.cli.arguments import read
from support.environment import CHECKOUT
from support.operator import BASE

DOCS = CHECKOUT / "docs"
RUNBOOK = (DOCS / "runbook.md").read_text()
# What a list item begins with, and what is said with emphasis.
NO_LABELS = {"See.", "Do.", "Done when", "Not this.", "bold", "Restore.", "before"}
NO_LABELS |= {"Backup, SQLite.", "Backup, PostgreSQL."}
NO_LABELS |= {"never put one of them back without the other, and never from two moments."}


def labels() -> set[str]:
    """Every text of the page in English."""
    found: set[str] = set()
    for path in (CHECKOUT / "static" / "js" / "i18n").glob("en*.js"):
        texts = re.findall(r"""'[\w.\-]+':\s*(?:'((?:[^'\\]|\\.)*)'|"([^"]*)")""", path.read_text())
        found |= {one.replace("\\'", "'") for pair in texts for one in pair if one}
    return found


def test_every_button_is_on_the_page() -> None:
    named = {" ".join(one.split()) for one in re.findall(r"\*\*(.+?)\*\*", RUNBOOK, re.S)}
    assert len(named) > 40
    assert named - NO_LABELS - labels() == set()


def test_every_route_is_served(lnbits_app: FastAPI) -> None:
    paths = lnbits_app.openapi()["paths"]
    named = re.findall(r"`(GET|PUT|POST) ([a-z/-]+)", RUNBOOK)
    assert len(named) > 8
    for method, path in named:
        assert method.lower() in paths.get(f"{BASE}/{path}", {}), f"{method} {path}"


def test_every_command_is_one() -> None:
    named = {" ".join(one.split()) for one in re.findall(r"`tools\.py ([^`…]+)`", RUNBOOK)}
    assert {"stop --by NAME", "balances", "unpaid"} <= named
    for one in named:
        assert read(one.split(), CHECKOUT).command, one


@pytest.mark.parametrize("name", ["runbook.md", "known-omissions.md", "metrics.md"])
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (DOCS / name).read_text()):
        assert (DOCS / target).exists(), target


def test_the_metrics_it_names_are_documented() -> None:
    there = set(re.findall(r"satmachine_\w+", (DOCS / "metrics.md").read_text()))
    assert set(re.findall(r"satmachine_\w+", RUNBOOK)) <= there


def test_every_rule_points_at_a_section() -> None:
    rules = (CHECKOUT / "monitoring" / "alert-rules.yml").read_text()
    for number in re.findall(r"runbook\.md, section (\d)", rules):
        assert f"\n## {number}. " in RUNBOOK
    assert "## Incident checklist" in RUNBOOK
    assert "### Phase 1" in RUNBOOK
