"""What the database refuses in the tables of the runbook and of incidents."""

from __future__ import annotations

from typing import Any

ROWS: dict[str, dict[str, Any]] = {
    "incidents": {
        "id": "i",
        "failure": "connection",
        "severity": "medium",
        "note": "n",
        "opened_us": 1,
        "opened_by": "o",
    },
    "incident_entries": {
        "id": "i:phase-1",
        "incident_id": "i",
        "kind": "phase",
        "phase": 1,
        "done": "[]",
        "note": "",
        "at_us": 1,
        "actor": "o",
        "evidence": "{}",
    },
    "runbook_contacts": {
        "role": "owner",
        "name": "n",
        "email": "",
        "phone": "",
        "available": "",
        "updated_us": 1,
    },
    "runbook_log": {
        "id": "l",
        "kind": "signoff",
        "role": "owner",
        "name": "n",
        "note": "",
        "at_us": 1,
        "actor": "o",
    },
}
NULLABLE = {"incident_entries": "phase", "runbook_log": "role"}
PRIMARY_KEYS = {
    "incidents": "id",
    "incident_entries": "id",
    "runbook_contacts": "role",
    "runbook_log": "id",
}
APPEND_ONLY = ("incidents", "incident_entries", "runbook_log")
_END = {"kind": "closed", "phase": None}
CHECKS: tuple[tuple[str, str, str, tuple[dict[str, Any], ...]], ...] = (
    ("incidents", "incidents_severity_check", "severity IN (", ({"severity": "loud"},)),
    (
        "incident_entries",
        "incident_entries_kind_check",
        "kind IN (",
        ({"kind": "song", "phase": None},),
    ),
    (
        "incident_entries",
        "incident_entries_phase_check",
        "phase >= 1",
        ({"phase": 0}, {"phase": 6}),
    ),
    (
        "incident_entries",
        "incident_entries_outcome_check",
        "outcome IN (",
        ({**_END, "outcome": "fine"},),
    ),
    ("incident_entries", "incident_entries_sats_check", "sats >= 0", ({"sats": -1},)),
    ("incident_entries", "incident_entries_clients_check", "clients >= 0", ({"clients": -1},)),
    (
        "incident_entries",
        "incident_entries_cash_outs_check",
        "cash_outs >= 0",
        ({"cash_outs": -1},),
    ),
    (
        "incident_entries",
        "incident_entries_check",
        "(kind = 'phase') = (phase IS NOT NULL)",
        ({"phase": None}, {"kind": "note"}),
    ),
    (
        "incident_entries",
        "incident_entries_check1",
        "(kind = 'closed') = (outcome IS NOT NULL)",
        (_END, {"outcome": "mended"}),
    ),
    ("runbook_log", "runbook_log_kind_check", "kind IN (", ({"kind": "song", "role": None},)),
    (
        "runbook_log",
        "runbook_log_check",
        "(kind = 'signoff') = (role IS NOT NULL)",
        ({"role": None}, {"kind": "change"}),
    ),
)
