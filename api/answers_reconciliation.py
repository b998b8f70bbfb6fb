"""Runs, items, findings and sides as the API answers them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .. import clock
from ..database import Row
from ..domain.tie_out import Sides
from ..domain.verdicts import LINKS, Difference
from ..errors import SatMachineError
from ..listing import stored_us
from ..services.mends import mend_of


def run(row: Row) -> dict[str, Any]:
    """One run: what it compared, how far it is, what came of it."""
    results = json.loads(row["results"]) if row["results"] else {}
    return {
        "id": row["id"],
        "kind": row["kind"],
        "cause": row["cause"],
        "scope": json.loads(row["scope"]),
        "status": row["status"],
        "actor": row["actor"],
        "queued_at": clock.iso(row["queued_us"]),
        "started_at": clock.iso(row["started_us"]),
        "reconciled_at": clock.iso(row["reconciled_at_us"]),
        "phase": row["phase"],
        "done": row["done"],
        "expected": row["expected"],
        "total": row["total"],
        "matches": row["matches"],
        "mismatches": row["mismatches"],
        "errors": row["errors"],
        "in_flight": row["in_flight"],
        "mismatches_by_link": results.get("mismatches_by_link", {}),
        "looked_at": results.get("looked_at", {}),
        "error_code": row["error_code"],
        "error_message": row["error_message"],
        "hint": row["hint"],
    }


def item(row: Row) -> dict[str, Any]:
    """Something that is not a match."""
    names = ("verdict", "subject_kind", "subject_id", "cash_out_id", "link", "code", "expected")
    more = ("actual", "difference_sats", "finding_id")
    return {name: row[name] for name in (*names, *more)}


def finding(row: Row, names: Mapping[str, str | None]) -> dict[str, Any]:
    """One finding and what can be done about it."""
    mend = mend_of(str(row["code"]))
    plain = ("id", "code", "link", "subject_kind", "subject_id", "cash_out_id", "client_id")
    more = ("wallet_id", "unit", "expected", "actual", "difference_sats", "status", "times")
    evidence = json.loads(row["evidence"])
    end = ("resolved_by", "resolution", "correction_id", "first_run_id", "last_run_id")
    return {
        **{name: row[name] for name in (*plain, *more, *end)},
        "leg_key": evidence[0].get("leg_key") if evidence else None,
        "client_name": names.get(str(row["client_id"])),
        "first_at": clock.iso(row["first_us"]),
        "last_at": clock.iso(row["last_us"]),
        "resolved_at": clock.iso(row["resolved_us"]),
        "mend": list(mend.actions),
        "advice": mend.advice,
        "what_to_do": mend.says,
    }


def finding_detail(
    row: Row, names: Mapping[str, str | None], notes: Sequence[Row]
) -> dict[str, Any]:
    """With its evidence and its life."""
    return {
        **finding(row, names),
        "evidence": json.loads(row["evidence"]),
        "notes": [
            {
                "at": clock.iso(note["at_us"]),
                "actor": note["actor"],
                "kind": note["kind"],
                "text": note["text"],
            }
            for note in notes
        ],
    }


def sides(
    found: Sides,
    differing: Sequence[Difference],
    problem: SatMachineError | None,
    forged: Sequence[Row],
) -> dict[str, Any]:
    """The sides next to each other; `links` says of each step whether both ends agree."""
    cash_out = found.cash_out
    differ = {one.link for one in differing}
    unread = {link for link in LINKS[:1] if found.source is None}
    return {
        "cash_out_id": cash_out["id"],
        "lamassu_transaction_id": cash_out["lamassu_transaction_id"],
        "status": cash_out["status"],
        "verdict": _verdict(cash_out, differing, found.source is None),
        "first_difference": asdict(differing[0]) if differing else None,
        "differences": [asdict(one) for one in differing],
        "links": [
            {
                "link": link.value,
                "verdict": (
                    "mismatch" if link in differ else "error" if link in unread else "match"
                ),
            }
            for link in LINKS[:8]
        ],
        "source_problem": problem.answer() if problem else None,
        "lamassu": found.source,
        "stored": json.loads(cash_out["source_row"]),
        "plan": {
            "hash": cash_out["plan_hash"],
            **{
                name: cash_out[name]
                for name in (
                    *("total_sats", "base_sats", "commission_sats", "confirmed_sats"),
                    *("failed_sats", "operator_remainder_sats", "drawn_minor", "fiat_code"),
                    *("split_rule", "commission_status"),
                )
            },
        },
        "shares": [_share(row) for row in found.shares],
        "ledger": [_entry(row) for row in found.entries],
        "movements": [_leg(row) for row in found.legs],
        "wallet_rows": [wallet_row(row) for row in found.wallet_rows],
        "information": [wallet_row(row) for row in forged],
    }


def _verdict(cash_out: Row, differing: Sequence[Difference], unread: bool) -> str:
    if differing:
        return "mismatch"
    if unread:
        return "error"
    return "match" if cash_out["status"] in ("completed", "skipped") else "in_flight"


def _share(row: Row) -> dict[str, Any]:
    names = ("client_id", "amount_sats", "fiat_minor", "currency", "status", "wallet_id")
    return {name: row[name] for name in (*names, "leg_key", "payment_hash")}


def _entry(row: Row) -> dict[str, Any]:
    names = ("seq", "posting", "account", "unit", "amount", "balance_before", "balance_after")
    return {name: row[name] for name in (*names, "client_id", "reference")}


def _leg(row: Row) -> dict[str, Any]:
    names = ("leg_key", "kind", "from_wallet_id", "to_wallet_id", "amount_sats", "payment_hash")
    return {**{name: row[name] for name in names}, "moved_at": clock.iso(row["moved_us"])}


def wallet_row(row: Row) -> dict[str, Any]:
    """A payment of LNbits in the shape of LSP-5."""
    incoming = row["amount"] > 0
    settled = row["status"] == "success"
    return {
        "id": row["checking_id"],
        "typename": "IncomingPayment" if incoming else "OutgoingPayment",
        "status": str(row["status"]).upper(),
        "created_at": clock.iso(stored_us(row["created_at"])),
        "updated_at": clock.iso(stored_us(row["updated_at"])),
        "resolved_at": clock.iso(stored_us(row["updated_at"])) if settled else None,
        "amount": {"original_value": row["amount"], "original_unit": "MILLISATOSHI"},
        "fee_msat": row["fee"],
        "transaction_hash": row["payment_hash"],
        "wallet_id": row["wallet_id"],
        "memo": row["memo"],
        "external_id": row["external_id"],
    }
