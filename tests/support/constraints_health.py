"""What the database refuses in the tables of health, halts and weekly reports."""

from __future__ import annotations

from typing import Any

ROWS: dict[str, dict[str, Any]] = {
    "health_checks": {
        "name": "disk",
        "state": "ok",
        "since_us": 1,
        "checked_us": 1,
        "detail": "d",
        "hint": "",
    },
    "halts": {
        "id": "h",
        "scope": "machine",
        "subject": "m",
        "reason": "r",
        "set_by": "o",
        "set_us": 1,
    },
    "weekly_reports": {
        "id": "w",
        "cause": "timer",
        "actor": "system",
        "from_us": 1,
        "until_us": 2,
        "made_us": 3,
        "state": "ok",
        "report": "{}",
    },
}
DEFAULTED = {"halts": "cause"}
PRIMARY_KEYS = {"health_checks": "name", "halts": "id", "weekly_reports": "id"}
APPEND_ONLY = ("weekly_reports",)
CHECKS: tuple[tuple[str, str, str, tuple[dict[str, Any], ...]], ...] = (
    ("health_checks", "health_checks_state_check", "state IN (", ({"state": "fine"},)),
    ("halts", "halts_scope_check", "scope IN (", ({"scope": "world", "subject": ""},)),
    (
        "halts",
        "halts_check",
        "(scope IN ('machine', 'client')) = (subject <> '')",
        ({"subject": ""}, {"scope": "everything"}),
    ),
    (
        "halts",
        "halts_check1",
        "(lifted_us IS NULL) = (lifted_by IS NULL)",
        ({"lifted_us": 2}, {"lifted_by": "o"}),
    ),
    ("weekly_reports", "weekly_reports_cause_check", "cause IN (", ({"cause": "nobody"},)),
    ("weekly_reports", "weekly_reports_state_check", "state IN (", ({"state": "fine"},)),
)
