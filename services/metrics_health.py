"""What is stopped and what the health check said last, as metrics (docs/metrics.md).

The stored checks are read: a scrape looks at nothing itself.
"""

from __future__ import annotations

from .. import crud
from ..adapters.prometheus_text import Family, by, gauge
from ..database import BooksConnection, Row, own
from .gates import GATES, RESUMING, active_halts, gate_states
from .halts import SCOPES
from .health import META_CHECKED, META_LOOKED, NAMES
from .health_source import BAD, OK, UNKNOWN, WARN

US = 1_000_000
WEIGHT = {OK: 0.0, UNKNOWN: 1.0, WARN: 2.0, BAD: 3.0}  # the worst of several is their maximum


async def stopped() -> list[Family]:
    """Gates, halts by scope, the way back to work, and the operator's switch."""
    config = await crud.get_config()
    states = await gate_states()
    closed = {name: float(name in states and not states[name].get("accepted")) for name in GATES}
    halts: dict[str, float | None] = dict.fromkeys(SCOPES, 0.0)
    for halt in await active_halts():
        halts[halt.scope] = (halts.get(halt.scope) or 0.0) + 1
    return [
        by("satmachine_halted", "1: money work is stopped for this reason.", "reason", closed),
        by("satmachine_halts", "Halts in place, by what they stop.", "scope", halts),
        gauge(
            "satmachine_resuming",
            "1: work is being resumed step by step and nothing is paid by itself.",
            float(await crud.get_meta(RESUMING) is not None),
        ),
        gauge(
            "satmachine_automatic_work_enabled",
            "1: the operator's switch is on.",
            float(bool(config and config.polling_enabled)),
        ),
    ]


async def health() -> list[Family]:
    """Each check as it was stored last; a check that was never stored is absent."""

    async def work(conn: BooksConnection) -> list[Row]:
        return await conn.rows("SELECT name, state FROM satoshimachine.health_checks LIMIT 100")

    found = {str(row["name"]): WEIGHT.get(str(row["state"]), 1.0) for row in await own(work)}
    known: dict[str, float | None] = {name: found[name] for name in NAMES if name in found}
    checked_us, looked_us = await crud.get_meta(META_CHECKED), await crud.get_meta(META_LOOKED)
    return [
        by(
            "satmachine_health_check_state",
            "Each check of health as it was stored last: 0 ok, 1 unknown, 2 warning, 3 bad.",
            "check",
            known,
        ),
        gauge(
            "satmachine_health_state",
            "The worst of them.",
            max((value for value in known.values() if value is not None), default=None),
        ),
        gauge(
            "satmachine_health_checked_timestamp_seconds",
            "When they were stored last.",
            None if checked_us is None else int(checked_us) / US,
        ),
        gauge(
            "satmachine_health_looked_timestamp_seconds",
            "When the check last looked for real, at the ATM server and the audit trail.",
            None if looked_us is None else int(looked_us) / US,
        ),
    ]
