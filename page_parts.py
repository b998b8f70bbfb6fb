"""What the page consists of, and which of it a browser loads when.

The page's scripts and templates are files of one job each; a browser would spend its first second
on asking for a hundred of them. They are therefore served as a few parts, put together here: `page`
for the frame and the overview, every other one when something of it is opened (`satm-later`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = HERE / "static" / "js"
TEMPLATES = HERE / "templates" / "satmachineadmin" / "components"

FRAME = "page"


@dataclass(frozen=True)
class Part:
    """Files by their names: texts of each language, scripts without a template, components."""

    components: str
    texts: str = ""
    scripts: str = ""
    needs: str = ""


PARTS: dict[str, Part] = {
    FRAME: Part(
        texts="overview books alert-said errors",
        scripts="text format words api address query live index component parts connection-test "
        "alert-said",
        components="problem moment chip copy facts block dialog reason-dialog later page header "
        "tabs live progress gates overview needs tiles charts chart books",
    ),
    "forms": Part(scripts="fields", components="secret-field wallet-field client-field"),
    "money": Part(
        needs="forms",
        texts="money corrections",
        scripts="correction",
        components="effect preview-dialog process-dialog simulate-dialog split correction-dialog",
    ),
    "lists": Part(
        needs="money",
        texts="lists",
        components="list export filter-chips payment how cash-out-filters cash-outs "
        "cash-out-dialog shares history source-row clients client-dialog client-page "
        "client-days deposits deposit-dialog decision-dialog report-table",
    ),
    "setup": Part(
        needs="lists",
        texts="setup",
        scripts="setup-step",
        components="connection test-steps host-key-dialog connection-dialog settings-dialog "
        "readiness ssh-fields database-fields wallet-fields funding-fields rule-field "
        "terms-fields start-field host-key setup setup-actions setup-ssh setup-database "
        "setup-wallets setup-split setup-terms setup-start setup-clients setup-arm",
    ),
    "reconciliation": Part(
        needs="lists",
        texts="reconciliation",
        components="reconciliation run run-dialog run-items values findings finding-dialog sides",
    ),
    "reports": Part(
        needs="lists",
        texts="reports",
        scripts="report-sections",
        components="reports report-wallets report-commission report-sheet",
    ),
    "audit": Part(
        needs="lists",
        texts="audit",
        components="audit audit-entry corrections approval-dialog",
    ),
    "watch": Part(
        needs="lists",
        texts="health health-said alerts",
        scripts="health-said",
        components="health halts halt-dialog resuming schedules alerts alert-dialog delivery "
        "client-notices channels channel-dialog alert-rules alert-rule-dialog",
    ),
    "runbook": Part(
        needs="watch reconciliation",
        texts="runbook",
        scripts="runbook",
        components="runbook failure incidents incident-start incident-dialog runbook-people "
        "contact-dialog sign-dialog runbook-sheet",
    ),
}


@lru_cache(maxsize=len(PARTS))
def part_source(name: str) -> str:
    """One part as one script: texts, scripts, templates, then the components that use them.

    Raises KeyError for a part there is none of.
    """
    part = PARTS[name]
    texts = ["en", "es"] if name == FRAME else []
    texts += [f"{language}-{text}" for text in part.texts.split() for language in ("en", "es")]
    components = part.components.split()
    files = [f"i18n/{text}" for text in texts] + part.scripts.split()
    before = [_script(file) for file in files]
    templates = {f"satm-{one}": (TEMPLATES / f"{one}.html").read_text() for one in components}
    filled = [
        *([f"satmParts.list = {json.dumps(_others())}"] if name == FRAME else []),
        f"Object.assign(satmTemplates, {json.dumps(templates, ensure_ascii=False)})",
    ]
    return "\n".join([*before, *filled, *(_script(f"components/{one}") for one in components)])


def part_url(name: str) -> str:
    """Its address, which names its content: what a browser has kept of another one is not used."""
    digest = hashlib.sha256(part_source(name).encode()).hexdigest()[:16]
    return f"/satmachineadmin/parts/{name}.js?v={digest}"


def _others() -> dict[str, dict[str, object]]:
    return {
        name: {
            "url": part_url(name),
            "needs": part.needs.split(),
            "components": part.components.split(),
        }
        for name, part in PARTS.items()
        if name != FRAME
    }


def _script(name: str) -> str:
    return f"// {name}.js\n{(SCRIPTS / f'{name}.js').read_text()}"
