"""What needs a person, worst first, each with the one place or act that helps.

The stored alerts are one source. Of some kinds there may be hundreds (every held cash-out has its
own): what is worked through in a table becomes one line with its number. What no alert knows (an
overdue poll, an old deposit) comes from the state itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import clock
from ..database import BooksConnection, Row, own
from ..models import Check
from . import readiness
from .alerts import open_alerts
from .gates import GATES
from .summary import failed_shares, held, pending_deposits

RANK = {"critical": 0, "warning": 1, "info": 2}
CASH_OUT_HELD, SHARE_FAILED = "cash_out_held", "share_failed"
POLL_FAILED, POLL_LATE = "poll_failed", "poll_late"
AUDIT_CHAIN, RUNBOOK_REVIEW = "audit_chain", "runbook_review"
DEPOSITS = ("deposit_waits", "deposit_overdue")  # counted by the books themselves


@dataclass(frozen=True)
class Need:
    """One line. `kind` names its sentence on the page, `act` is what its button does.

    `message` and `hint` are the server's own words, for a kind the page has no sentence for.
    """

    kind: str
    severity: str
    act: str  # a tab, or one of: cash-out, failed-shares, poll, test, start, resume
    message: str = ""
    hint: str = ""
    said: dict[str, Any] | None = None  # of an alert: the same by its code and facts
    n: int = 1
    sats: int | None = None
    subject_id: str | None = None
    since: str | None = None


async def read_needs(overview: dict[str, Any]) -> list[Need]:
    """All of them; `overview` is what services/overview.py found."""
    alerts = await open_alerts()
    found = [_gate(name, state) for name, state in overview["gates"].items()]
    found += _feed(overview)
    found += _readiness(readiness.last_lines())
    found += await own(lambda conn: _counted(conn, alerts))
    told = {CASH_OUT_HELD, SHARE_FAILED, *GATES, *DEPOSITS}
    if overview["state"] == "failing":
        told |= {POLL_FAILED, POLL_LATE}  # the same trouble, said by the state
    if overview["state"] == "late":
        told.add(POLL_LATE)
    found += [_alert(alert) for alert in alerts if alert["kind"] not in told]
    return sorted(found, key=lambda need: RANK[need.severity])


def _gate(name: str, state: dict[str, Any]) -> Need:
    since = clock.iso(int(state["since_us"]))
    return Need(f"gate_{name}", "critical", "resume", state["message"], state["hint"], since=since)


def _feed(overview: dict[str, Any]) -> list[Need]:
    state, since = overview["state"], overview["state_since"]
    if state == "failing":
        hint = str(overview["last_poll"]["hint"] or "")
        return [Need(state, "critical", "test", overview["state_message"], hint, since=since)]
    acts = {
        "late": ("warning", "poll"),
        "stopped": ("warning", "start"),
        "setup": ("info", "setup"),
    }
    if state not in acts:
        return []
    severity, act = acts[state]
    return [Need(state, severity, act, overview["state_message"], since=since)]


def _readiness(lines: Sequence[Check]) -> list[Need]:
    return [
        Need("readiness", "critical", "setup", line.detail, line.hint, subject_id=line.name)
        for line in lines
        if not line.ok
    ]


async def _counted(conn: BooksConnection, alerts: Sequence[Row]) -> list[Need]:
    """Failed shares, held cash-outs and old deposits, one line each, by the books themselves."""
    found = []
    failed, waiting = await failed_shares(conn), await held(conn)
    if failed["count"]:
        of_kind = [alert for alert in alerts if alert["kind"] == SHARE_FAILED]
        found.append(_line("failed_shares", "critical", "failed-shares", failed, of_kind))
    if waiting["count"]:
        of_kind = [alert for alert in alerts if alert["kind"] == CASH_OUT_HELD]
        act = "cash-out" if waiting["count"] == len(of_kind) == 1 else "cash-outs"
        found.append(_line("held", "warning", act, waiting, of_kind))
    deposits = await pending_deposits(conn, clock.now_us())
    if deposits["late"]:
        found.append(Need("deposits_late", "warning", "deposits", n=deposits["late"]))
    proposed = await conn.row(
        "SELECT COUNT(*) AS n FROM satoshimachine.corrections WHERE status = 'proposed'"
    )
    if proposed and proposed["n"]:
        found.append(Need("corrections_proposed", "warning", "audit", n=int(proposed["n"])))
    return found


def _line(
    kind: str, severity: str, act: str, counted: dict[str, int], alerts: Sequence[Row]
) -> Need:
    """One line for many alerts; a single one lends its own words."""
    only = alerts[0] if len(alerts) == 1 else None
    return Need(
        kind,
        severity,
        act,
        str(only["message"]) if only else "",
        str(only["hint"]) if only else "",
        _said(only),
        counted["count"],
        counted["sats"],
        only["subject_id"] if only else None,
        clock.iso(min((int(alert["first_us"]) for alert in alerts), default=None)),
    )


def _said(alert: Row | None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(alert["said"]) if alert and alert["said"] else None
    return found


def _alert(alert: Row) -> Need:
    """An alert as it was raised. About a cash-out, that is opened; anything else is set up."""
    kind = str(alert["kind"])
    about_cash_out = kind in ("commission_failed", "source_changed") and alert["subject_id"]
    elsewhere = "books" if kind.startswith("reconciliation_") else "setup"
    elsewhere = {AUDIT_CHAIN: "audit", RUNBOOK_REVIEW: "runbook"}.get(kind, elsewhere)
    return Need(
        kind,
        str(alert["severity"]),
        "cash-out" if about_cash_out else elsewhere,
        str(alert["message"]),
        str(alert["hint"]),
        _said(alert),
        subject_id=alert["subject_id"],
        since=clock.iso(int(alert["first_us"])),
    )
