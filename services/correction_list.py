"""Corrections as a list, and what a client's own page says of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .. import clock
from ..crud import fetch_rows
from ..database import Row
from ..domain.money import CURRENCY_EXPONENT, decimal_text

SHOWN_MAX = 50  # of a claim's entries, newest first


def shown(row: Row) -> dict[str, Any]:
    """A correction as the API answers it."""
    minor, currency = row["amount_minor"], row["currency"]
    known = minor is not None and currency in CURRENCY_EXPONENT
    names = ("id", "batch_id", "kind", "status", "client_id", "cash_out_id", "share_id", "account")
    more = ("currency", "sats", "pace_percent", "reason_code", "note", "finding_id")
    return {
        **{name: row[name] for name in (*names, *more, "proposed_by", "decided_by")},
        "amount": decimal_text(int(minor), str(currency)) if known else None,
        "username": row["username"],
        "before": _facts(row["before_json"]),
        "after": _facts(row["after_json"]),
        "effective_at": clock.iso(row["effective_us"]),
        "proposed_at": clock.iso(row["proposed_us"]),
        "decided_at": clock.iso(row["decided_us"]),
        "approved_at": clock.iso(row["approved_us"]),
    }


def _facts(text: str | None) -> Mapping[str, Any] | None:
    facts: Mapping[str, Any] | None = json.loads(text) if text else None
    return facts


async def claim_of(client_id: str) -> dict[str, Any]:
    """What a client still owes, at which pace, and how that came about."""
    entries = await fetch_rows(
        "SELECT * FROM satoshimachine.receivable_entries WHERE client_id = :client"
        f" ORDER BY number DESC LIMIT {SHOWN_MAX}",
        {"client": client_id},
    )
    last = entries[0] if entries else None
    return {
        "claimed_back_sats": int(last["balance_after"]) if last else 0,
        "pace_percent": int(last["pace_percent"]) if last else None,
        "claim_entries": [
            {
                "at": clock.iso(row["created_us"]),
                "kind": row["kind"],
                "sats": int(row["amount_sats"]),
                "before_sats": int(row["balance_before"]),
                "after_sats": int(row["balance_after"]),
                "share_key": row["share_key"],
                "correction_id": row["correction_id"],
            }
            for row in entries
        ],
    }


async def given_to(client_id: str) -> int:
    """Sats that corrections paid to a client, beside their shares."""
    rows = await fetch_rows(
        "SELECT COALESCE(SUM(sats), 0) AS sats FROM satoshimachine.corrections"
        " WHERE client_id = :client AND status = 'executed' AND account IS NOT NULL",
        {"client": client_id},
    )
    return int(rows[0]["sats"])
