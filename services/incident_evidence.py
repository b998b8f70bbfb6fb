"""How everything stands, as facts with moments and sums: what an incident keeps at each step.

It takes the place of screenshots (SAT-57, SAT-60): written by the server, stored append-only, its
digest in the audit trail.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from .. import books, clock, crud
from ..database import Row
from ..migrations import SCHEMA_VERSION
from . import audit_chain, health
from .alerts import open_alerts
from .findings import counts
from .funds import read_funds
from .gates import active_halts, gate_states
from .observe import META_LAST_SUCCESS
from .overview import VERSION

ALERTS_MAX = 50


async def collect() -> dict[str, Any]:
    """All of it as it is now; nothing of it is a secret, and no person is named."""
    found = await health.read_health()
    config, funds = await crud.get_config(), await read_funds()
    failed_count, failed_sats = await books.failed_shares()
    last = await crud.last_poll()
    gates = await gate_states()
    return {
        "at": clock.iso(clock.now_us()),
        "versions": {"satmachineadmin": VERSION, "schema": SCHEMA_VERSION},
        "health": found.state,
        "checks": {check.name: check.state for check in found.checks},
        "automatic": bool(config and config.polling_enabled),
        "gates": sorted(name for name, state in gates.items() if not state.get("accepted")),
        "halts": [f"{halt.scope} {halt.subject}".strip() for halt in await active_halts()],
        "alerts": [_alert(row) for row in (await open_alerts())[:ALERTS_MAX]],
        "findings": {**await counts(), **await finding_sums()},
        "cash_outs": await books.counts_by_status(),
        "failed_shares": {"count": failed_count, "sats": failed_sats},
        "wallets": {role: _wallet(funds[role]) for role in ("source", "commission")},
        "last_poll": None if last is None else _poll(last),
        "last_successful_poll": clock.iso(await crud.get_meta(META_LAST_SUCCESS)),
        "reconciliation": found.reconciliation,
        "audit_head": {k: v for k, v in (await audit_chain.head()).items() if k != "daily"},
    }


def digest(evidence: str) -> str:
    """Of the stored text, for the audit trail."""
    return sha256(evidence.encode()).hexdigest()


def as_text(evidence: dict[str, Any]) -> str:
    """As it is stored."""
    return json.dumps(evidence, sort_keys=True, default=str)


async def finding_sums() -> dict[str, int]:
    """The differences of what is open, added up without signs, and how many are not in sats."""
    row = await crud.fetch_row(
        "SELECT COALESCE(SUM(ABS(difference_sats)), 0) AS sats,"
        " COUNT(CASE WHEN difference_sats IS NULL THEN 1 END) AS others"
        " FROM (SELECT difference_sats FROM satoshimachine.findings WHERE status = 'open'"
        " LIMIT 10000) f"
    )
    return {"sats": int(row["sats"]), "others": int(row["others"])} if row else {}


def _alert(row: Row) -> dict[str, Any]:
    since = clock.iso(int(row["first_us"]))
    return {"kind": row["kind"], "severity": row["severity"], "since": since}


def _wallet(found: dict[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    named = ("balance_sats", "owed_sats", "free_sats", "runway_days")
    facts = {name: found[name] for name in named if name in found}
    return {**facts, "usable": not found["problem"]}


def _poll(row: Row) -> dict[str, Any]:
    return {"at": clock.iso(row["started_us"]), "result": row["result"], "code": row["error_code"]}
