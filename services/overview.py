"""The state of the whole in one read: a state word, why, since when, and the counts behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .. import books, clock, crud
from ..domain.conditions import POLL_SLACK_US
from ..domain.days import US_PER_S
from ..models import OperatorSettings
from .alert_rules import rule_of
from .gates import HALTS_MAX, RESUMING, gate_states
from .observe import META_CLOCK, META_LAST_SUCCESS
from .setup import is_armed

VERSION = str(json.loads((Path(__file__).parent.parent / "config.json").read_text())["version"])


def late_after_us(settings: OperatorSettings) -> int:
    """How long without a successful poll is late: one may fail and come again (C-SAT-f)."""
    intervals = rule_of("poll_late").threshold or 0
    return intervals * settings.poll_interval_s * US_PER_S + POLL_SLACK_US


async def read_overview(*, running: bool) -> dict[str, Any]:
    """What the page's first line and its counts need; no SSH, no wait."""
    config = await crud.get_config()
    settings = await crud.get_settings()
    last = await crud.last_poll()
    success_us = await crud.get_meta(META_LAST_SUCCESS)
    gates = {
        name: state for name, state in (await gate_states()).items() if not state.get("accepted")
    }
    failed_count, failed_sats = await books.failed_shares()
    armed = await is_armed(config)
    state, sentence, since_us = _state(
        config if armed else None, settings, last, success_us, await _stops(gates), running
    )
    next_us = None
    if config is not None and config.polling_enabled and last is not None:
        next_us = int(last["started_us"]) + settings.poll_interval_s * 1_000_000
    return {
        "version": VERSION,
        "now": clock.iso(clock.now_us()),
        "state": state,
        "state_message": sentence,
        "state_since": clock.iso(since_us),
        "configured": armed,
        "polling_enabled": bool(config and config.polling_enabled),
        "poll_interval_s": settings.poll_interval_s,
        "last_poll": last,
        "last_successful_poll": clock.iso(success_us),
        "next_poll_at": clock.iso(next_us),
        "start_at": clock.iso(settings.start_at_us),
        "clock_difference_us": await crud.get_meta(META_CLOCK),
        "gates": gates,
        "health": "bad" if state == "failing" else await _health(),
        "cash_outs": await books.counts_by_status(),
        "failed_shares": failed_count,
        "failed_sats": failed_sats,
        "pending_deposits": await books.pending_deposits(),
        "currency": settings.currency,
        "time_zone": settings.time_zone,
    }


async def _stops(gates: dict[str, Any]) -> dict[str, Any]:
    """What stops money work or intake as a whole: gates, halts, and a way back that has not ended.
    A halted machine or client stops nobody else, and is told by its alert.
    """
    found = dict(gates)
    for row in await crud.fetch_rows(
        "SELECT id, scope, reason, set_us FROM satoshimachine.halts WHERE lifted_us IS NULL"
        f" AND scope IN ('intake', 'settlement', 'everything') ORDER BY set_us LIMIT {HALTS_MAX}"
    ):
        message = f"{str(row['scope']).capitalize()} is halted: {row['reason']}"
        found[str(row["id"])] = {"message": message, "since_us": row["set_us"]}
    resuming = await crud.get_meta(RESUMING)
    if resuming is not None:
        message = "Work is being resumed step by step"
        found[RESUMING] = {"message": message, "since_us": resuming["begun_us"]}
    return found


async def _health() -> str | None:
    """The worst state of the last stored health check; None before the first."""
    row = await crud.fetch_row(
        "SELECT MIN(CASE state WHEN 'bad' THEN 1 WHEN 'warn' THEN 2 WHEN 'unknown' THEN 3"
        " ELSE 4 END) AS worst FROM satoshimachine.health_checks"
    )
    if row is None or row["worst"] is None:
        return None
    return {1: "bad", 2: "warn", 3: "unknown"}.get(int(row["worst"]), "ok")


def _state(
    config: Any, settings: Any, last: Any, success_us: Any, gates: dict[str, Any], running: bool
) -> tuple[str, str, int | None]:
    """(state, sentence, since): the worst that is true."""
    if gates:
        gate = next(iter(gates.values()))
        return ("halted", str(gate["message"]), int(gate["since_us"]))
    if config is None:
        return ("setup", "The setup is not finished yet", None)
    if not config.polling_enabled:
        return ("stopped", "Automatic work is switched off", int(config.updated_us))
    if running:
        return ("running", "A poll is running", None)
    if last is not None and last["result"] == "failed":
        return ("failing", str(last["error_message"]), success_us)
    late_us = late_after_us(settings)
    if success_us is None:
        return ("waiting", "The first poll has not come yet", None)
    if clock.now_us() - int(success_us) > late_us:
        return ("late", "The last successful poll is overdue", int(success_us))
    return ("live", "The feed is live", int(success_us))
