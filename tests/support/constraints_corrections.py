"""What the database refuses in the tables of corrections; support/constraints.py has the others."""

from __future__ import annotations

from typing import Any

ROWS: dict[str, dict[str, Any]] = {
    "corrections": {
        "id": "k",
        "kind": "adjust_balance",
        "status": "executed",
        "reason_code": "other",
        "note": "n",
        "request": "{}",
        "proposed_us": 1,
        "proposed_by": "o",
        "decided_us": 1,
    },
    "correction_legs": {
        "leg_key": "L:correction:k",
        "correction_id": "k",
        "kind": "compensate",
        "from_wallet_id": "s",
        "to_wallet_id": "w",
        "amount_sats": 50,
        "payment_hash": "h",
        "checking_id_in": "in",
        "checking_id_out": "out",
        "moved_us": 1,
    },
    "receivables": {"client_id": "c", "owed_sats": 5, "pace_percent": 10, "last_number": 1},
    "receivable_entries": {
        "client_id": "c",
        "number": 1,
        "kind": "claimed",
        "amount_sats": 5,
        "balance_before": 0,
        "balance_after": 5,
        "pace_percent": 10,
        "created_us": 1,
    },
}
NULLABLE = {"corrections": "decided_us"}
PRIMARY_KEYS = {
    "corrections": "id",
    "correction_legs": "leg_key",
    "receivables": "client_id",
    "receivable_entries": "client_id number",
}
UNIQUES = (
    ("correction_legs", "payment_hash"),
    ("correction_legs", "checking_id_in"),
    ("correction_legs", "checking_id_out"),
)
APPEND_ONLY = ("correction_legs", "receivable_entries")
CHECKS: tuple[tuple[str, str, str, tuple[dict[str, Any], ...]], ...] = (
    ("corrections", "corrections_kind_check", "kind IN (", ({"kind": "gift"},)),
    ("corrections", "corrections_status_check", "status IN (", ({"status": "maybe"},)),
    ("corrections", "corrections_account_check", "account IN (", ({"account": "sold"},)),
    ("corrections", "corrections_sats_check", "sats >= 0", ({"sats": -1},)),
    (
        "corrections",
        "corrections_check",
        "(status = 'proposed') = (decided_us IS NULL)",
        ({"status": "proposed"}, {"decided_us": None}),
    ),
    ("correction_legs", "correction_legs_kind_check", "kind IN (", ({"kind": "share"},)),
    (
        "correction_legs",
        "correction_legs_amount_sats_check",
        "amount_sats >= 1",
        ({"amount_sats": 0},),
    ),
    ("receivables", "receivables_owed_sats_check", "owed_sats >= 0", ({"owed_sats": -1},)),
    (
        "receivables",
        "receivables_pace_percent_check",
        "pace_percent BETWEEN",
        ({"pace_percent": 0}, {"pace_percent": 101}),
    ),
    ("receivable_entries", "receivable_entries_kind_check", "kind IN (", ({"kind": "gift"},)),
    (
        "receivable_entries",
        "receivable_entries_amount_sats_check",
        "amount_sats <> 0",
        ({"amount_sats": 0, "balance_after": 0},),
    ),
    (
        "receivable_entries",
        "receivable_entries_balance_before_check",
        "balance_before >= 0",
        ({"balance_before": -1, "balance_after": 4},),
    ),
    (
        "receivable_entries",
        "receivable_entries_balance_after_check",
        "balance_after >= 0",
        ({"amount_sats": -5, "balance_after": -5},),
    ),
    (
        "receivable_entries",
        "receivable_entries_check",
        "balance_after = balance_before + amount_sats",
        ({"balance_after": 6},),
    ),
)
