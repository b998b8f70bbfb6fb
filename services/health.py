"""Is everything right? The last reconciliation, what it found, and what needs a person (LIQ-10)."""

from __future__ import annotations

import json
from typing import Any

from loguru import logger

from .. import clock
from ..database import Row
from ..errors import SatMachineError
from .alerts import open_alerts
from .findings import counts
from .reconcile_run import mismatches_total
from .reconcile_view import last_run


async def read_health() -> dict[str, Any]:
    """Each part is null when it cannot be read: the answer itself never fails for that."""
    try:
        last = await last_run()
        found: dict[str, int] | None = await counts()
        alerts: list[Row] | None = list(await open_alerts())
    except SatMachineError as exc:
        logger.error(f"event=health_unread code={exc.code} message={exc.message}")
        last, found, alerts = None, None, None
    wrong = bool(found and found["open"]) or any(
        alert["severity"] == "critical" for alert in alerts or ()
    )
    return {
        "status": "unknown" if found is None else "attention" if wrong else "ok",
        "at": clock.iso(clock.now_us()),
        "reconciliation": None if last is None else summary(last),
        "reconciliation_mismatches_total": sum(mismatches_total.values()),
        "findings": found,
        "alerts": None if alerts is None else len(alerts),
    }


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
