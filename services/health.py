"""Is everything right? Each check with its state, since when, and the next step (SAT-46, SAT-48).

`read_health` asks the checks now and changes nothing. `check_health` stores what they say, so that
"since" survives a restart, and tells one alert; with `look` it first looks for real: SSH, the
start-up checks, the audit trail. The checks are in health_checks.py and health_source.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from loguru import logger

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.connection_test import test_connection_steps
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row, own
from ..domain.alert_said import Words
from ..errors import SatMachineError, StateConflict
from . import audit_chain, readiness
from .alerts import open_alerts, raise_alert, resolve_alerts
from .findings import counts
from .health_checks import CHECKS, META_CHAIN, ask
from .health_said import Facts, Found
from .health_source import BAD, META_LOOK, OK, UNKNOWN, WARN, Seen, of_error, see
from .reconcile_run import mismatches_total
from .reconcile_view import last_run
from .source import source_settings

META_CHECKED = "health_checked_us"
META_LOOKED = "health_looked_us"  # the last real look
ALERT_KEY = "health"
WORST = (BAD, WARN, UNKNOWN, OK)
STORED = ("name", "state", "since_us", "detail", "hint")
# These raise alerts of their own where they happen; the others are told by one alert (SAT-46).
TOLD_ELSEWHERE = {
    *("heartbeat", "ssh", "database", "host_key", "held", "unsettled"),
    *("source_wallet", "commission_wallet", "reconciliation", "halts"),
}


@dataclass(frozen=True)
class Check:
    """One check as it is now. `since_us`: when it took this state; None: not stored yet."""

    name: str
    state: str
    since_us: int | None
    detail: str
    hint: str
    code: str  # what `detail` says, for a page in another language (health_said.py)
    facts: Facts


@dataclass(frozen=True)
class Health:
    """All of them, the worst of their states, and what the books say."""

    state: str
    at_us: int
    checked_us: int | None  # when it was last stored
    checks: tuple[Check, ...]
    status: str  # of the books alone: ok, attention, unknown
    reconciliation: dict[str, Any] | None
    findings: dict[str, int] | None
    alerts: int | None

    def named(self, name: str) -> Check:
        """The check of this name."""
        return next(check for check in self.checks if check.name == name)


async def read_health() -> Health:
    """How everything is now. What cannot be read says so: the answer itself never fails for it."""
    last, found, alerts = await _books()
    wrong = bool(found and found["open"]) or any(
        alert["severity"] == "critical" for alert in alerts or ()
    )
    checks, checked_us = await _checks()
    return Health(
        state=worst(check.state for check in checks),
        at_us=clock.now_us(),
        checked_us=checked_us,
        checks=checks,
        status="unknown" if found is None else "attention" if wrong else "ok",
        reconciliation=None if last is None else summary(last),
        findings=found,
        alerts=None if alerts is None else len(alerts),
    )


async def _books() -> tuple[Row | None, dict[str, int] | None, list[Row] | None]:
    try:
        return await last_run(), await counts(), list(await open_alerts())
    except SatMachineError as exc:
        logger.error(f"event=health_unread code={exc.code} message={exc.message}")
        return None, None, None


async def _checks() -> tuple[tuple[Check, ...], int | None]:
    try:
        seen = await see()
        rows = await crud.fetch_rows("SELECT * FROM satoshimachine.health_checks LIMIT 100")
        checked_us = await crud.get_meta(META_CHECKED)
    except SatMachineError as exc:
        found = of_error(UNKNOWN, exc.code, exc.message, exc.hint)
        told = _as_check("database_reading", None, found)
        return (told,), None
    stored = {str(row["name"]): row for row in rows}
    return tuple([await _check(name, seen, stored.get(name)) for name in NAMES]), checked_us


NAMES = tuple(name for name, _ in CHECKS)
FUNCTIONS = dict(CHECKS)


async def _check(name: str, seen: Seen, stored: Row | None) -> Check:
    found = await ask(FUNCTIONS[name], seen)
    same = stored is not None and stored["state"] == found.state
    since_us = int(stored["since_us"]) if stored is not None and same else None
    return _as_check(name, since_us, found)


def _as_check(name: str, since_us: int | None, found: Found) -> Check:
    return Check(name, found.state, since_us, found.detail, found.hint, found.code, found.facts)


def worst(states: Any) -> str:
    """The one that counts for all; not known is worse than well."""
    return min(states, key=WORST.index, default=UNKNOWN)


async def check_health(*, look: bool = False, actor: str | None = None) -> Health:
    """Ask every check and store what it says; `look`: look for real first. Raises DatabaseBusy.

    `actor`: the person who asked for it, for the audit trail; the timer's looks are no news.
    """
    if look:
        await look_for_real()
    found = await read_health()
    now_us = clock.now_us()
    checks = [
        replace(one, since_us=now_us) if one.since_us is None else one for one in found.checks
    ]

    async def work(conn: BooksConnection) -> None:
        await conn.insert_rows(
            "satoshimachine.health_checks",
            [
                {name: getattr(check, name) for name in STORED} | {"checked_us": now_us}
                for check in checks
            ],
            on_conflict="ON CONFLICT (name) DO UPDATE SET state = excluded.state,"
            " since_us = excluded.since_us, checked_us = excluded.checked_us,"
            " detail = excluded.detail, hint = excluded.hint",
        )
        await crud.set_meta(META_CHECKED, now_us, conn)
        if look:
            await crud.set_meta(META_LOOKED, now_us, conn)
        await _tell(conn, checks, now_us)

    await own(work)
    for old, new in zip(found.checks, checks, strict=True):
        if old.since_us is None:
            (logger.info if new.state == OK else logger.warning)(
                f"event=health check={new.name} state={new.state} detail={new.detail!r}"
            )
    if actor is not None:
        bad = [check.name for check in checks if check.state == BAD]
        await settlement(partial(_note_asked, actor=actor, bad=bad))
    return replace(found, checks=tuple(checks), checked_us=now_us)


async def preflight() -> None:
    """Before a tick, and when the watch has news: say what is not well (SAT-44). It stops nothing:
    what stops a settlement is read by its own transaction, and a stuck share must not stop others.
    """
    try:
        found = await check_health()
    except SatMachineError as exc:
        logger.warning(f"event=preflight_left code={exc.code} message={exc.message}")
        return
    bad = [check.name for check in found.checks if check.state == BAD]
    if bad:
        logger.warning(f"event=preflight bad={','.join(bad)}")


async def _note_asked(conn: BooksConnection, *, actor: str, bad: list[str]) -> None:
    now_us = clock.now_us()
    await record(conn, "health_checked", "health", {"bad": bad}, actor=actor, now_us=now_us)


async def _tell(conn: BooksConnection, checks: Sequence[Check], now_us: int) -> None:
    """One alert for all that is bad and that nobody else tells; gone when nothing is."""
    bad = [one for one in checks if one.state == BAD and one.name not in TOLD_ELSEWHERE]
    if not bad:
        await resolve_alerts(conn, ALERT_KEY, now_us)
        return
    names = ", ".join(one.name for one in bad)
    message = f"The health check found: {names}. {bad[0].detail}"
    await raise_alert(conn, ALERT_KEY, "health", "critical", Words(message, bad[0].hint))


async def look_for_real() -> None:
    """SSH and Lamassu's database, the start-up checks, the audit trail from its first entry."""
    await readiness.check_all()
    config = await crud.get_config()
    try:
        steps = await test_connection_steps(source_settings(config))
        said = [asdict(step) for step in steps]
    except SatMachineError as exc:
        said = [
            {"name": "ssh_reached", "ok": False, "detail": exc.message, "hint": exc.hint}
            | {"code": exc.code}
        ]
    if config is not None:
        kept = [
            {key: step[key] for key in ("name", "ok", "detail", "hint", "code")} for step in said
        ]
        await crud.set_meta(META_LOOK, {"at_us": clock.now_us(), "steps": kept})
    await walk_audit_trail()


async def walk_audit_trail() -> None:
    """Prove the audit trail and remember how it ended."""
    try:
        report = await audit_chain.verify()
    except StateConflict:
        return  # somebody walks it now and sees the result
    await crud.set_meta(META_CHAIN, {"at_us": clock.now_us(), **asdict(report)})


def summary(run: Row) -> dict[str, Any]:
    """The last run in a few fields."""
    results = json.loads(run["results"]) if run["results"] else {}
    return {
        "id": run["id"],
        "status": run["status"],
        "kind": run["kind"],
        "reconciled_at": clock.iso(run["reconciled_at_us"]),
        "total": run["total"],
        "matches": run["matches"],
        "mismatches": run["mismatches"],
        "errors": run["errors"],
        "in_flight": run["in_flight"],
        "mismatches_by_link": results.get("mismatches_by_link", {}),
    }


def mismatches_seen() -> int:
    """Mismatches that runs of this process saw."""
    return sum(mismatches_total.values())
