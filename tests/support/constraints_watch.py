"""What the database refuses in the tables of alerts that are told."""

from __future__ import annotations

from typing import Any

ROWS: dict[str, dict[str, Any]] = {
    "alert_channels": {
        "id": "c",
        "name": "n",
        "kind": "webhook",
        "min_severity": "info",
        "level": 1,
        "enabled": True,
        "created_us": 1,
        "updated_us": 1,
    },
    "alert_deliveries": {
        "id": "d",
        "event": "raised",
        "severity": "info",
        "body": "{}",
        "status": "waiting",
        "created_us": 1,
        "next_us": 1,
    },
}
DEFAULTED = {"alert_deliveries": "attempts"}
PRIMARY_KEYS = {"alert_channels": "id", "alert_deliveries": "id"}
CHECKS: tuple[tuple[str, str, str, tuple[dict[str, Any], ...]], ...] = (
    ("alert_channels", "alert_channels_kind_check", "kind IN (", ({"kind": "pager"},)),
    (
        "alert_channels",
        "alert_channels_min_severity_check",
        "min_severity IN (",
        ({"min_severity": "bad"},),
    ),
    ("alert_channels", "alert_channels_level_check", "level >= 1", ({"level": 0}, {"level": 4})),
    ("alert_deliveries", "alert_deliveries_status_check", "status IN (", ({"status": "lost"},)),
)
