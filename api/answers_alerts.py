"""How alerts, rules, channels and deliveries are answered; never with an address or a secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .. import clock
from ..domain.alert_rules import BY_KIND, CHANGEABLE, Rule
from ..models_watch import WatchSettings
from . import answers


def alert(row: Mapping[str, Any]) -> dict[str, Any]:
    """One alert, open or not."""
    state = "resolved" if row["resolved_us"] else "open"
    if state == "open" and row["acknowledged_us"]:
        state = "acknowledged"
    return {
        **answers.alert(row),
        "state": state,
        "acknowledged_at": clock.iso(row["acknowledged_us"]),
        "acknowledged_by": row["acknowledged_by"],
        "note": row["acknowledge_note"],
        "told_at": clock.iso(row["told_us"]),
        "escalations": row["escalations"],
        "escalated_at": clock.iso(row["escalated_us"]),
        "resolved_at": clock.iso(row["resolved_us"]),
    }


def settings(found: WatchSettings, rules: Mapping[str, Rule]) -> dict[str, Any]:
    """All of it, each rule beside its default."""
    return {**found.dict(exclude={"rules"}), "rules": [_rule(rule) for rule in rules.values()]}


def _rule(rule: Rule) -> dict[str, Any]:
    table = BY_KIND[rule.kind]
    unit = rule.unit
    return {
        "kind": rule.kind,
        "meaning": rule.meaning,
        "unit": unit.name if unit else None,
        "highest": unit.highest if unit else None,
        **{name: getattr(rule, name) for name in CHANGEABLE},
        "default": {name: getattr(table, name) for name in CHANGEABLE},
        "changed": rule != table,
    }


def channel(row: Mapping[str, Any]) -> dict[str, Any]:
    """A channel with its last delivery."""
    names = ("id", "name", "kind", "host", "min_severity", "level")
    last = row["last"]
    return {
        **{name: row[name] for name in names},
        "enabled": bool(row["enabled"]),
        "has_url": bool(row["url_sealed"]),
        "has_secret": bool(row["secret_sealed"]),
        "created_at": clock.iso(row["created_us"]),
        "last": None if last is None else _attempts(last),
    }


def _attempts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "event": row["event"],
        "status": row["status"],
        "attempts": row["attempts"],
        "created_at": clock.iso(row["created_us"]),
        "last_at": clock.iso(row["last_us"]),
        "last_result": row["last_result"],
    }


def delivery(row: Mapping[str, Any]) -> dict[str, Any]:
    """A message with its attempts."""
    waits = row["status"] == "waiting"
    return {
        "id": row["id"],
        "channel_id": row["channel_id"],
        "client_id": row["client_id"],
        "alert_id": row["alert_id"],
        "severity": row["severity"],
        "message": json.loads(row["body"]).get("message"),
        **_attempts(row),
        "next_at": clock.iso(row["next_us"]) if waits else None,
    }
