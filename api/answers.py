"""Rows as the API answers them: instants in ISO, sats as integers, fiat as decimal text.

The field names of the earlier extension are kept beside ours, so that scripts go on working.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime, timezone
from fractions import Fraction
from typing import Any

from .. import clock
from ..database import Row
from ..domain.explain import Explanation
from ..domain.money import CURRENCY_EXPONENT, decimal_text
from ..domain.plan import Plan
from ..domain.states import HOLD_REASONS, HoldCode
from ..services import deposits

PERCENT_DIGITS = 4


def fiat(minor: Any, currency: str) -> str | None:
    """Minor units as decimal text; None when there is no amount or the currency is unknown."""
    if minor is None or currency not in CURRENCY_EXPONENT:
        return None
    return decimal_text(int(minor), currency)


def percent(fraction: Fraction | None) -> float | None:
    """A rate as percent for people; never used in a computation."""
    return (
        None
        if fraction is None
        else round(100 * fraction.numerator / fraction.denominator, PERCENT_DIGITS)
    )


def instant(value: Any) -> str | None:
    """A TIMESTAMP column of either database as ISO 8601 in UTC."""
    if value is None:
        return None
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=timezone.utc)
    else:
        moment = datetime.fromtimestamp(float(value), timezone.utc)
    return moment.isoformat()


def whole(minor: Any, currency: str) -> float | None:
    """Whole currency units as a number, for the fields that scripts of old read."""
    text = fiat(minor, currency)
    return None if text is None else float(text)


def cash_out(row: Row) -> dict[str, Any]:
    """A cash-out with the earlier extension's names beside ours."""
    currency = str(row["fiat_code"])
    c_eff = Fraction(row["effective_commission"]) if row["effective_commission"] else None
    code = row["hold_code"]
    base, minor = row["base_sats"], row["fiat_minor"]
    return {
        "id": row["id"],
        "lamassu_transaction_id": row["lamassu_transaction_id"],
        "status": row["status"],
        "hold_code": code,
        "reason": HOLD_REASONS[HoldCode(code)] if code else None,
        "error_message": row["error_message"],
        "origin": row["origin"],
        "device_id": row["device_id"],
        "machine_name": row["machine_name"],
        "crypto_code": row["crypto_code"],
        "fiat_code": currency,
        "fiat_amount": whole(minor, currency),
        "fiat": fiat(minor, currency),
        "fiat_minor": minor,
        "crypto_amount": row["crypto_atoms"],
        "received_sats": row["received_crypto_atoms"],
        "commission_percentage": _number(row["commission_percentage"]),
        "discount": _number(row["discount"]) or 0.0,
        "effective_commission": None if c_eff is None else c_eff.numerator / c_eff.denominator,
        "effective_commission_percent": percent(c_eff),
        "raw_ticker_price": row["raw_ticker_price"],
        "exchange_rate": base / float(fiat(minor, currency) or 1) if base and minor else None,
        "transaction_time": clock.iso(row["confirmed_at_us"] or row["created_us"]),
        "created_at": clock.iso(row["created_us"]),
        "confirmed_at": clock.iso(row["confirmed_at_us"]),
        "observed_at": clock.iso(row["observed_us"]),
        "processed_at": clock.iso(row["processed_us"]),
        "changed_at": clock.iso(row["changed_us"]),
        "attempts": row["attempts"],
        "operator_reason": row["operator_reason"],
        "split_rule": row["split_rule"],
        "funding_mode": row["funding_mode"],
        "total_sats": row["total_sats"],
        "base_sats": base,
        "base_amount_sats": base,
        "commission_sats": row["commission_sats"],
        "commission_amount_sats": row["commission_sats"],
        "commission_status": row["commission_status"],
        "commission_message": row["commission_message"],
        "drawn": fiat(row["drawn_minor"], currency),
        "drawn_minor": row["drawn_minor"],
        "confirmed_sats": row["confirmed_sats"],
        "distributions_total_sats": row["confirmed_sats"],
        "failed_sats": row["failed_sats"],
        "operator_remainder_sats": row["operator_remainder_sats"],
        "clients_count": row["clients_count"],
        "plan_hash": row["plan_hash"],
    }


def cash_out_detail(row: Row, events: list[Row]) -> dict[str, Any]:
    """A cash-out with its source row, what changed since, the plan and its history."""
    return {
        **cash_out(row),
        "source_row": json.loads(row["source_row"]),
        "changed_row": json.loads(row["changed_row"]) if row["changed_row"] else None,
        "operator_facts": json.loads(row["operator_facts"]) if row["operator_facts"] else None,
        "plan": json.loads(row["plan_json"]) if row["plan_json"] else None,
        "events": [event(e) for e in events],
    }


def _number(value: Any) -> float | None:
    """A finite number, or None: JSON has no NaN and no infinity, PostgreSQL's numeric has both."""
    try:
        number = None if value is None else float(value)
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def event(row: Row) -> dict[str, Any]:
    """One line of a history."""
    return {
        "at": clock.iso(row["at_us"]),
        "actor": row["actor"],
        "action": row["action"],
        "detail": json.loads(row["detail"]),
    }


def share(row: Row) -> dict[str, Any]:
    """A client's share of one cash-out."""
    currency = str(row["currency"])
    return {
        "id": row["id"],
        "client_id": row["client_id"],
        "username": row.get("username"),
        "wallet_id": row["wallet_id"],
        "amount_sats": row["amount_sats"],
        "amount_fiat": whole(row["fiat_minor"], currency),
        "fiat": fiat(row["fiat_minor"], currency),
        "fiat_minor": row["fiat_minor"],
        "currency": currency,
        "exchange_rate": row["exchange_rate"],
        "transaction_type": row["transaction_type"],
        "lamassu_transaction_id": row["lamassu_transaction_id"],
        "cash_out_id": row["cash_out_id"],
        "payment_hash": row["payment_hash"],
        "status": row["status"],
        "error_message": row["error_message"],
        "withheld_sats": row["withheld_sats"] or 0,
        "attempts": row["attempts"],
        "created_at": instant(row["created_at"]),
        "transaction_time": instant(row["transaction_time"]),
    }


def deposit(row: Row) -> dict[str, Any]:
    """A client's deposit."""
    currency = str(row["currency"])
    return {
        "id": row["id"],
        "client_id": row["client_id"],
        "amount": whole(row["amount_minor"], currency),
        "amount_decimal": fiat(row["amount_minor"], currency),
        "amount_minor": row["amount_minor"],
        "currency": currency,
        "username": row.get("username"),
        "status": row["status"],
        "overdue": deposits.is_overdue(row),
        "notes": row["notes"],
        "created_at": instant(row["created_at"]),
        "confirmed_at": instant(row["confirmed_at"]),
        "effective_at": clock.iso(row["effective_us"]),
    }


def client(row: Row, balances: list[Row]) -> dict[str, Any]:
    """A client with what remains per currency."""
    return {
        "id": row["id"],
        "user_id": row["user_id"],
        "wallet_id": row["wallet_id"],
        "username": row["username"],
        "dca_mode": row["dca_mode"],
        "fixed_mode_daily_limit": _number(row["fixed_mode_daily_limit"]),
        "status": row["status"],
        "created_at": instant(row["created_at"]),
        "updated_at": instant(row["updated_at"]),
        "balances": [
            {
                "currency": b["unit"],
                "remaining_minor": int(b["balance"]),
                "remaining_balance": fiat(b["balance"], str(b["unit"])),
            }
            for b in balances
        ],
    }


def explanation(
    found: Explanation, currency: str, names: Mapping[str, str | None]
) -> dict[str, Any]:
    """How the shares of a cash-out came about."""
    return {
        "currency": currency,
        "together": fiat(found.together_minor, currency),
        "drawn": fiat(found.drawn_minor, currency),
        "fiat": fiat(found.fiat_minor, currency),
        "base_sats": found.base_sats,
        "pool_sats": found.pool_sats,
        "parts": [
            {
                "client_id": part.client_id,
                "username": names.get(part.client_id),
                "mode": part.mode,
                "balance": fiat(part.balance_minor, currency),
                "later": fiat(part.later_minor or None, currency),
                "limit": fiat(part.limit_minor, currency),
                "used": fiat(part.used_minor, currency),
                "took_part_with": fiat(part.cap_minor, currency),
                "charged": fiat(part.fiat_minor, currency),
                "sats": part.sats,
                "withheld_sats": part.withheld_sats,
                "why_not": part.why_not,
            }
            for part in found.parts
        ],
    }


def plan(given: Plan) -> dict[str, Any]:
    """What a plan would pay to whom."""
    currency = given.given.currency
    return {
        "drawn": decimal_text(given.drawn_minor, currency),
        "operator_remainder_sats": given.operator_remainder_sats,
        "confirmed_sats": given.confirmed_sats,
        "failed_sats": given.failed_sats,
        "shares": [
            {
                "client_id": one.client_id,
                "amount_sats": one.sats,
                "fiat": decimal_text(one.fiat_minor, currency),
                "status": one.state.value,
                "problem": one.problem,
            }
            for one in given.shares
        ],
    }


def poll(row: Row | None) -> dict[str, Any] | None:
    """One poll."""
    if row is None:
        return None
    return {
        "id": row["id"],
        "cause": row["cause"],
        "started_at": clock.iso(row["started_us"]),
        "finished_at": clock.iso(row["finished_us"]),
        "result": row["result"],
        "full_comparison": bool(row["full_comparison"]),
        "rows_read": row["rows_read"],
        "new_rows": row["new_rows"],
        "settled": row["settled"],
        "left_pending": row["left_pending"],
        "error_code": row["error_code"],
        "error_message": row["error_message"],
        "hint": row["hint"],
    }


def alert(row: Row) -> dict[str, Any]:
    """One open alert."""
    return {
        "id": row["id"],
        "kind": row["kind"],
        "severity": row["severity"],
        "message": row["message"],
        "hint": row["hint"],
        "said": json.loads(row["said"]) if row["said"] else None,
        "subject_id": row["subject_id"],
        "first_at": clock.iso(row["first_us"]),
        "last_at": clock.iso(row["last_us"]),
        "times": row["times"],
    }
