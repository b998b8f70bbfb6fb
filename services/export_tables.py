"""The columns of the files an accountant takes away, and what stands in them.

Sats are integers, fiat is decimal text, instants carry the operator's offset; docs/export.md says
what each column means.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from ..database import Row
from ..domain.money import parse_decimal
from ..domain.states import DepositState, ShareState
from ..listing import stored_us
from .client_figures import InCurrency
from .export_csv import Cells, Fiat, Line, Number, Table, local_iso

PERCENT_DIGITS = 6

CASH_OUTS = Table(
    "cash-outs",
    (
        *("cash_out_id", "lamassu_id", "time", "status", "hold_code", "machine", "device_id"),
        *("coin", "currency", "fiat", "asked_sats", "total_sats", "base_sats", "commission_sats"),
        *("clients_sats", "owed_sats", "operator_remainder_sats", "clients", "charged_fiat"),
        *("commission_percent", "discount_percent", "effective_commission_percent"),
        *("commission_status", "split_rule", "funding", "found_at", "settled_at", "reason"),
        *("origin", "plan_hash"),
    ),
    (
        *("fiat", "asked_sats", "total_sats", "base_sats", "commission_sats", "clients_sats"),
        *("owed_sats", "operator_remainder_sats", "clients", "charged_fiat"),
    ),
    "currency",
)
SHARES = Table(
    "shares",
    (
        *("share_id", "cash_out_id", "lamassu_id", "time", "client_id", "client", "wallet_id"),
        *("currency", "charged_fiat", "sats", "received_sats", "withheld_sats", "status"),
        *("payment_hash", "attempts", "problem"),
    ),
    ("charged_fiat", "sats", "received_sats", "withheld_sats"),
    "currency",
)
REPORT = Table(
    "report",
    (
        *("cash_out_id", "lamassu_id", "time", "status", "total_sats", "currency", "fiat"),
        *("commission_percent", "discount_percent", "distributable_sats", "commission_sats"),
        *("client_id", "client", "client_fiat", "client_sats", "client_received_sats"),
        *("payment_status", "payment_hash"),
    ),
    (
        *("total_sats", "fiat", "distributable_sats", "commission_sats"),
        *("client_fiat", "client_sats", "client_received_sats"),
    ),
    "currency",
    frozenset(("total_sats", "fiat", "distributable_sats", "commission_sats")),
)
DEPOSITS = Table(
    "deposits",
    (
        *("deposit_id", "written_down_at", "client_id", "client", "currency", "amount"),
        *("confirmed_amount", "status", "confirmed_at", "counts_from", "notes"),
    ),
    ("amount", "confirmed_amount"),
    "currency",
)
CLIENTS = Table(
    "clients",
    (
        *("client_id", "client", "user_id", "wallet_id", "status", "mode", "daily_limit"),
        *("added_at", "currency", "deposited", "charged", "remaining", "shares"),
        *("received_sats", "owed_sats", "average_cost_per_bitcoin", "last_share_at"),
    ),
    ("deposited", "charged", "remaining", "shares", "received_sats", "owed_sats"),
    "currency",
)


def _moment(row: Row) -> int | None:
    found = row["confirmed_at_us"] or row["created_us"] or row["observed_us"]
    return None if found is None else int(found)


def _fiat(minor: Any, currency: Any) -> Fiat | None:
    return None if minor is None else Fiat(int(minor), str(currency))


def _percent(rate: Fraction | None) -> str | None:
    """A rate in percent, to six digits, as decimal text."""
    if rate is None:
        return None
    scaled = round(rate * 10**PERCENT_DIGITS)
    sign, digits = "-" if scaled < 0 else "", str(abs(scaled)).rjust(PERCENT_DIGITS + 1, "0")
    whole, rest = digits[:-PERCENT_DIGITS], digits[-PERCENT_DIGITS:].rstrip("0")
    return f"{sign}{whole}.{rest}" if rest else f"{sign}{whole}"


def _rates(row: Row) -> dict[str, Any]:
    commission, discount = parse_decimal(row["commission_percentage"]), row["discount"]
    return {
        "commission_percent": _number(_percent(None if commission is None else commission * 100)),
        "discount_percent": _number(_percent(parse_decimal(discount))),
    }


def _number(text: str | None) -> Number | None:
    return None if text is None else Number(text)


def cash_out_line(row: Row, zone: ZoneInfo) -> Line:
    """A line of cash-outs.csv."""
    currency, effective = row["fiat_code"], row["effective_commission"]
    effective_percent = _percent(Fraction(effective) * 100 if effective else None)
    return Line(
        {
            **_rates(row),
            "cash_out_id": row["id"],
            "lamassu_id": row["lamassu_transaction_id"],
            "time": local_iso(_moment(row), zone),
            "status": row["status"],
            "hold_code": row["hold_code"],
            "machine": row["machine_name"],
            "device_id": row["device_id"],
            "coin": row["crypto_code"],
            "currency": currency,
            "fiat": _fiat(row["fiat_minor"], currency),
            "asked_sats": row["crypto_atoms"],
            "total_sats": row["total_sats"],
            "base_sats": row["base_sats"],
            "commission_sats": row["commission_sats"],
            "clients_sats": row["confirmed_sats"],
            "owed_sats": row["failed_sats"],
            "operator_remainder_sats": row["operator_remainder_sats"],
            "clients": row["clients_count"],
            "charged_fiat": _fiat(row["drawn_minor"], currency),
            "effective_commission_percent": _number(effective_percent),
            "commission_status": row["commission_status"],
            "split_rule": row["split_rule"],
            "funding": row["funding_mode"],
            "found_at": local_iso(row["observed_us"], zone),
            "settled_at": local_iso(row["processed_us"], zone),
            "reason": row["operator_reason"],
            "origin": row["origin"],
            "plan_hash": row["plan_hash"],
        }
    )


def share_line(row: Row, zone: ZoneInfo) -> Line:
    """A line of shares.csv."""
    return Line(
        {
            "share_id": row["share_id"],
            "cash_out_id": row["share_cash_out_id"],
            "lamassu_id": row["share_lamassu_id"],
            "time": local_iso(row["cash_out_us"], zone),
            "client_id": row["client_id"],
            "client": row["username"],
            "wallet_id": row["wallet_id"],
            "currency": row["share_currency"],
            "charged_fiat": _fiat(row["share_minor"], row["share_currency"]),
            "sats": row["amount_sats"],
            "received_sats": _received(row),
            "withheld_sats": row["share_withheld"] or 0,
            "status": row["share_status"],
            "payment_hash": row["payment_hash"],
            "attempts": row["share_attempts"],
            "problem": row["share_error"],
        }
    )


def _received(row: Row) -> int:
    confirmed = row["share_status"] == ShareState.CONFIRMED.value
    return int(row["amount_sats"]) if confirmed else 0


def report_line(row: Row, zone: ZoneInfo, *, first: bool) -> Line:
    """A line of report.csv (SAT-38); `first` of its cash-out."""
    share: Cells = {}
    if row["share_id"]:
        share = {
            "client_id": row["client_id"],
            "client": row["username"],
            "client_fiat": _fiat(row["share_minor"], row["share_currency"]),
            "client_sats": row["amount_sats"],
            "client_received_sats": _received(row),
            "payment_status": row["share_status"],
            "payment_hash": row["payment_hash"],
        }
    return Line(
        {
            **_rates(row),
            "cash_out_id": row["id"],
            "lamassu_id": row["lamassu_transaction_id"],
            "time": local_iso(_moment(row), zone),
            "status": row["status"],
            "total_sats": row["total_sats"],
            "currency": row["fiat_code"],
            "fiat": _fiat(row["fiat_minor"], row["fiat_code"]),
            "distributable_sats": row["base_sats"],
            "commission_sats": row["commission_sats"],
            **share,
        },
        once=first,
    )


def deposit_line(row: Row, zone: ZoneInfo) -> Line:
    """A line of deposits.csv."""
    amount = _fiat(row["amount_minor"], row["currency"])
    confirmed = row["status"] == DepositState.CONFIRMED.value
    return Line(
        {
            "deposit_id": row["id"],
            "written_down_at": local_iso(stored_us(row["created_at"]), zone),
            "client_id": row["client_id"],
            "client": row["username"],
            "currency": row["currency"],
            "amount": amount,
            "confirmed_amount": amount if confirmed else None,
            "status": row["status"],
            "confirmed_at": local_iso(stored_us(row["confirmed_at"]), zone),
            "counts_from": local_iso(row["effective_us"], zone),
            "notes": row["notes"],
        }
    )


def client_lines(
    row: Row, balances: list[dict[str, Any]], sums: dict[str, InCurrency], zone: ZoneInfo
) -> list[Line]:
    """Lines of clients.csv: one a currency, or one without when there is none yet."""
    client: Cells = {
        "client_id": row["id"],
        "client": row["username"],
        "user_id": row["user_id"],
        "wallet_id": row["wallet_id"],
        "status": row["status"],
        "mode": row["dca_mode"],
        "daily_limit": _limit(row["fixed_mode_daily_limit"]),
        "added_at": local_iso(stored_us(row["created_at"]), zone),
    }
    of_currency = {balance["currency"]: balance for balance in balances}
    lines = []
    for currency in sorted({*of_currency, *sums}):
        balance, one = of_currency.get(currency), sums.get(currency, InCurrency())
        cost = one.average_cost(currency)
        lines.append(
            Line(
                {
                    **client,
                    "currency": currency,
                    "deposited": balance and Fiat(balance["total_deposits_minor"], currency),
                    "charged": balance and Fiat(balance["total_payments_minor"], currency),
                    "remaining": balance and Fiat(balance["remaining_minor"], currency),
                    "shares": one.shares.get(ShareState.CONFIRMED.value, 0),
                    "received_sats": one.sats.get(ShareState.CONFIRMED.value, 0),
                    "owed_sats": one.sats.get(ShareState.FAILED.value, 0),
                    "average_cost_per_bitcoin": _number(cost),
                    "last_share_at": local_iso(one.last_us, zone),
                }
            )
        )
    return lines or [Line(client)]


def _limit(value: Any) -> Number | None:
    """The companion may write any double; one that is no amount is left out."""
    number = parse_decimal(str(value)) if value is not None else None
    return _number(_percent(number))
