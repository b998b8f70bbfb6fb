"""The runbook as it stands now: for each of the six failures what shows it, since when, with counts
and sums; and what a restore would need to know (docs/runbook.md).

Nothing is measured for it: the checks of health, the open alerts and the open findings are asked,
and each stands on the page it belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lnbits.core.db import db as core_db
from lnbits.db import SQLITE

from .. import books, clock, crud
from ..adapters import disk, marker
from ..database import SCHEMA, Row, db
from ..domain import runbook
from ..domain.runbook import BAD, BALANCE, FAILURES, OF_FINDINGS, OK, Failure
from ..errors import SatMachineError
from ..migrations import SCHEMA_VERSION
from . import audit_chain, health, incidents, runbook_people
from .alerts import open_alerts
from .funds import read_funds
from .observe import META_CLOCK, META_LAST_SUCCESS
from .reports_sections import last_splits

CODES_MAX = 100
RECONCILIATION = "reconciliation"  # the check of health that findings turn bad

Facts = list[dict[str, Any]]


async def read() -> dict[str, Any]:
    """All of it."""
    found = await health.read_health()
    alerts = await open_alerts()
    codes = await _findings()
    facts = await _facts(found)
    return {
        "at": clock.iso(clock.now_us()),
        "failures": [
            _page(failure, found, alerts, codes, facts.get(failure.name, []))
            for failure in FAILURES
        ],
        "contacts": await runbook_people.contacts(),
        "changes": await runbook_people.log("change"),
        "signoffs": await runbook_people.log("signoff"),
        "review": await runbook_people.review(),
        "backup": await _backup(),
        "open_incidents": sum(row["closed_us"] is None for row in await incidents.listed()),
    }


async def _findings() -> dict[str, list[Row]]:
    """What is open, by failure: one line a code."""
    rows = await crud.fetch_rows(
        "SELECT code, COUNT(*) AS n, COALESCE(SUM(ABS(difference_sats)), 0) AS sats,"
        " MIN(first_us) AS first_us FROM satoshimachine.findings WHERE status = 'open'"
        f" GROUP BY code ORDER BY code LIMIT {CODES_MAX}"
    )
    by: dict[str, list[Row]] = {}
    for row in rows:
        by.setdefault(runbook.failure_of_code(str(row["code"])), []).append(row)
    return by


def _page(
    failure: Failure,
    found: health.Health,
    alerts: Sequence[Row],
    codes: Mapping[str, Sequence[Row]],
    facts: Facts,
) -> dict[str, Any]:
    mine = codes.get(failure.name, ())
    signs = [_finding(row) for row in mine]
    kinds = {*failure.alerts, *(OF_FINDINGS if mine else ())}
    signs += [_alert(row) for row in alerts if row["kind"] in kinds]
    signs += [
        _check(check)
        for check in found.checks
        if check.name in failure.checks or _about_runs(failure, check)
    ]
    wrong = [sign for sign in signs if sign["state"] != OK]
    return {
        "name": failure.name,
        "severity": failure.severity,
        "state": runbook.worst(sign["state"] for sign in signs),
        "since": min((sign["since"] for sign in wrong if sign["since"]), default=None),
        "signs": signs,
        "facts": facts,
    }


def _about_runs(failure: Failure, check: health.Check) -> bool:
    """The check of reconciliations, unless it only repeats findings that stand on their pages."""
    return failure.name == BALANCE and check.name == RECONCILIATION and check.state != BAD


def _sign(source: str, name: str, state: str, since_us: int | None, **more: Any) -> dict[str, Any]:
    told = dict.fromkeys(("said", "count", "sats", "subject_id")) | {"message": "", "hint": ""}
    told |= more
    return {"source": source, "name": name, "state": state, "since": clock.iso(since_us), **told}


def _check(check: health.Check) -> dict[str, Any]:
    by_code = {"code": check.code, "facts": check.facts}
    more = {"message": check.detail, "hint": check.hint, "said": by_code}
    return _sign("check", check.name, check.state, check.since_us, **more)


def _alert(row: Row) -> dict[str, Any]:
    state = runbook.state_of_alert(str(row["severity"]))
    more = {name: row[name] for name in ("message", "hint", "subject_id")}
    more["said"] = json.loads(row["said"]) if row["said"] else None
    return _sign("alert", str(row["kind"]), state, int(row["first_us"]), **more)


def _finding(row: Row) -> dict[str, Any]:
    more = {"count": int(row["n"]), "sats": int(row["sats"])}
    return _sign("finding", str(row["code"]), BAD, int(row["first_us"]), **more)


async def _facts(found: health.Health) -> dict[str, Facts]:
    """What is worth knowing on each page, as numbers, sums and moments."""
    last = await crud.last_poll()
    failed_count, failed_sats = await books.failed_shares()
    run = found.reconciliation or {}
    head = await audit_chain.head()
    clock_us = await crud.get_meta(META_CLOCK)
    runs = [_moment("reconciled", run.get("reconciled_at")), _count("mismatches", run)]
    return {
        "duplicate": runs,
        "connection": [
            _moment("last_success", clock.iso(await crud.get_meta(META_LAST_SUCCESS))),
            _moment("last_poll", clock.iso(last["started_us"]) if last else None),
            _text("poll_code", str(last["error_code"] or "") if last else ""),
            _number("clock_ms", None if clock_us is None else int(clock_us) // 1000),
        ],
        "unpaid": [
            _number("failed_shares", failed_count),
            _sats("failed_sats", failed_sats),
            *[_number(state, n) for state, n in (await _waiting()).items()],
        ],
        "balance": [*runs, _number("audit_seq", head["seq"]), _text("audit_hash", head["hash"])],
        "commission": await _splits(),
        "wallet": await _wallets(),
    }


async def _waiting() -> dict[str, int]:
    by = await books.counts_by_status()
    return {state: int(by.get(state, 0)) for state in ("pending", "held")}


async def _splits() -> Facts:
    """The newest cash-outs beside their own rule, tolerance 0."""
    splits = await last_splits()
    off = [
        one.commission_sats - one.expected_commission_sats
        for one in splits
        if one.expected_commission_sats is not None
        and one.commission_sats != one.expected_commission_sats
    ]
    newest = max((one.moment_us for one in splits), default=None)
    return [
        _number("splits", len(splits)),
        _number("splits_off", len(off)),
        _sats("splits_sats", sum(abs(sats) for sats in off)),
        _moment("newest_sale", clock.iso(newest)),
    ]


async def _wallets() -> Facts:
    try:
        funds = await read_funds()
    except SatMachineError as exc:
        return [_text("unread", exc.message)]
    source, commission = funds["source"] or {}, funds["commission"] or {}
    return [
        _sats("source_sats", source.get("balance_sats")),
        _sats("owed_sats", source.get("owed_sats")),
        _number("runway_days", source.get("runway_days")),
        _sats("commission_sats", commission.get("balance_sats")),
    ]


def _fact(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "value": value}


def _moment(name: str, at: Any) -> dict[str, Any]:
    return _fact(name, "at", at)


def _number(name: str, value: Any) -> dict[str, Any]:
    return _fact(name, "number", value)


def _count(name: str, run: Mapping[str, Any]) -> dict[str, Any]:
    return _fact(name, "number", run.get(name))


def _sats(name: str, value: Any) -> dict[str, Any]:
    return _fact(name, "sats", value)


def _text(name: str, value: str) -> dict[str, Any]:
    return _fact(name, "text", value)


async def _backup() -> dict[str, Any]:
    """What lies where: these belong together, and are put back together or not at all."""
    restored = await crud.fetch_row(
        "SELECT at_us FROM satoshimachine.audit_log WHERE action = 'restore_opened'"
        " ORDER BY seq DESC LIMIT 1"
    )
    head = await audit_chain.head()
    try:
        size: int | None = await disk.database_bytes()
    except OSError:
        size = None
    return {
        "database": "sqlite" if db.type == SQLITE else "postgres",
        "parts": _parts(),
        "bytes": size,
        "schema_version": SCHEMA_VERSION,
        "marker": marker.path().name,
        "restored_at": clock.iso(restored["at_us"]) if restored else None,
        "audit_seq": head["seq"],
        "audit_hash": head["hash"],
    }


def _parts() -> list[str]:
    """Files or schemas that are one backup."""
    if db.type == SQLITE:
        return [Path(core_db.path).name, Path(db.path).name, marker.path().name]
    return ["public", SCHEMA, marker.path().name]
