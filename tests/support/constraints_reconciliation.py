"""What the database refuses in the tables of reconciliations; support/constraints.py has others."""

from __future__ import annotations

from typing import Any

ROWS: dict[str, dict[str, Any]] = {
    "reconciliation_runs": {
        "id": "r",
        "cause": "manual",
        "kind": "everything",
        "scope": "{}",
        "status": "done",
        "actor": "o",
        "schema_version": 1,
        "queued_us": 1,
    },
    "reconciliation_items": {
        "id": "i",
        "run_id": "r",
        "verdict": "mismatch",
        "subject_kind": "cash_out",
        "subject_id": "t",
    },
    "findings": {
        "id": "f",
        "fingerprint": "p",
        "code": "share_differs",
        "link": "shares",
        "subject_kind": "cash_out",
        "subject_id": "t",
        "expected": "1",
        "actual": "2",
        "status": "open",
        "first_run_id": "r",
        "last_run_id": "r",
        "first_us": 1,
        "last_us": 1,
    },
    "finding_notes": {
        "id": "n",
        "finding_id": "f",
        "at_us": 1,
        "actor": "o",
        "kind": "note",
        "text": "t",
    },
}
DEFAULTED = {
    "reconciliation_runs": "phase done expected total matches mismatches errors in_flight",
    "findings": "times evidence",
}
PRIMARY_KEYS = dict.fromkeys(ROWS, "id")
UNIQUES = (("findings", "fingerprint"),)
APPEND_ONLY = ("finding_notes",)
CHECKS: tuple[tuple[str, str, str, tuple[dict[str, Any], ...]], ...] = (
    (
        "reconciliation_runs",
        "reconciliation_runs_cause_check",
        "cause IN (",
        ({"cause": "nobody"},),
    ),
    (
        "reconciliation_runs",
        "reconciliation_runs_status_check",
        "status IN (",
        ({"status": "maybe"},),
    ),
    (
        "reconciliation_items",
        "reconciliation_items_verdict_check",
        "verdict IN (",
        ({"verdict": "match"},),
    ),
    ("findings", "findings_status_check", "status IN (", ({"status": "gone"},)),
    ("finding_notes", "finding_notes_kind_check", "kind IN (", ({"kind": "gossip"},)),
)
