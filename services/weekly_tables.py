"""The columns of the weekly audit's files, and their lines from its stored facts (SAT-58)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from ..database import Row
from .export_csv import Fiat, Line, Number, Table, local_iso
from .reports_answers import AMOUNTS

Facts = Mapping[str, Any]

CLIENT_COUNTS = ("deposits_count", "shares_count", "received_sats", "owed_sats")
CLIENTS = Table(
    "books-clients",
    (
        *("client_id", "client", "status", "currency", *AMOUNTS, "discrepancy", "ok"),
        *CLIENT_COUNTS,
    ),
    (*AMOUNTS, "discrepancy", *CLIENT_COUNTS),
    "currency",
)
PROCESSING = Table("books-processing", ("figure", "currency", "value"), (), "")
SHARES = Table(
    "books-shares", ("status", "count", "sats", "oldest_at", "newest_at"), ("count", "sats"), ""
)
LATE = Table(
    "books-deposits",
    ("deposit_id", "client_id", "client", "currency", "amount", "created_at", "hours"),
    ("amount",),
    "currency",
)
SPLIT_SATS = ("total_sats", "base_sats", "commission_sats", "expected_base_sats")
SPLIT_SUMS = (*SPLIT_SATS, "expected_commission_sats", "difference_sats")
SPLIT_COLUMNS = ("cash_out_id", "lamassu_id", "at", "rule", *SPLIT_SUMS, "ok")
BOOK_SPLITS = Table("books-splits", SPLIT_COLUMNS, SPLIT_SUMS, "")
BOOK_TABLES = (CLIENTS, PROCESSING, SHARES, LATE, BOOK_SPLITS)
TABLES = Table("tables", ("table", "rows"), ("rows",), "")
COMMISSION = Table(
    "commission",
    (
        *("ledger_seq", "time", "posting", "cash_out_id", "reference", "sats", "balance_after"),
        *("moved_sats", "to_wallet_id", "payment_hash"),
    ),
    ("sats", "moved_sats"),
    "",
)
DEPOSITS = Table(
    "deposits",
    ("deposit_id", "client_id", "currency", "amount", "created_at"),
    ("amount",),
    "currency",
)
SPLITS = Table("splits", SPLIT_COLUMNS, SPLIT_SUMS, "")
CONNECTION = Table("connection", ("step", "ok", "code", "detail", "hint"), (), "")
POLL_COUNTS = ("rows_read", "new_rows", "settled", "left_pending")
POLLS = Table(
    "polls",
    (
        *("poll_id", "started_at", "finished_at", "cause", "result", *POLL_COUNTS),
        *("error_code", "error_message", "hint"),
    ),
    POLL_COUNTS,
    "result",
)
ERRORS = Table("errors", ("error_code", "failed_polls"), ("failed_polls",), "")
ALERTS = Table(
    "errors-alerts",
    ("kind", "severity", "message", "times", "first_at", "last_at", "resolved_at"),
    ("times",),
    "severity",
)


def _yes(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def book_lines(table: Table, books: Facts) -> Iterator[Line]:
    """The lines of one of the five sections of the books."""
    return {
        CLIENTS.name: _client_lines,
        PROCESSING.name: _processing_lines,
        SHARES.name: _share_lines,
        LATE.name: _late_lines,
        BOOK_SPLITS.name: split_lines,
    }[table.name](books)


def _client_lines(books: Facts) -> Iterator[Line]:
    for one in books.get("clients", ()):
        amounts = {
            name: Fiat(one[f"{name}_minor"], one["currency"]) for name in (*AMOUNTS, "discrepancy")
        }
        same = {name: one[name] for name in ("client_id", "status", "currency", *CLIENT_COUNTS)}
        yield Line({**same, **amounts, "client": one["username"], "ok": _yes(one["ok"])})


def _processing_lines(books: Facts) -> Iterator[Line]:
    found = books.get("processing", {})
    for figure, value in found.items():
        if not isinstance(value, list | dict):
            yield Line({"figure": figure, "value": value})
    for state, count in found.get("waiting", {}).items():
        yield Line({"figure": f"waiting_{state}", "value": count})
    for one in found.get("currencies", ()):
        for figure in ("cash_outs", "dispensed", "charged"):
            value = None if one[figure] is None else Number(one[figure])
            yield Line({"figure": figure, "currency": one["currency"], "value": value})


def _share_lines(books: Facts) -> Iterator[Line]:
    for one in books.get("shares", ()):
        yield Line(one)


def _late_lines(books: Facts) -> Iterator[Line]:
    for one in books.get("deposits", ()):
        amount = Fiat(one["amount_minor"], one["currency"])
        client = {"deposit_id": one["id"], "client": one["username"]}
        yield Line({**one, **client, "amount": amount})


def split_lines(facts: Facts) -> Iterator[Line]:
    """Stored splits beside their recalculation."""
    for one in facts.get("splits", ()):
        ids = {"cash_out_id": one["id"], "lamassu_id": one["lamassu_transaction_id"]}
        yield Line({**one, **ids, "ok": _yes(one["ok"])})


def table_lines(facts: Facts) -> Iterator[Line]:
    """Each table with the rows it had."""
    for table, rows in facts.get("rows", {}).items():
        yield Line({"table": table, "rows": rows})


def commission_line(row: Row, zone: ZoneInfo) -> Line:
    """An entry of the ledger's account of commission, and what was moved for it."""
    same = ("posting", "cash_out_id", "reference", "balance_after", "moved_sats", "to_wallet_id")
    return Line(
        {
            **{name: row[name] for name in (*same, "payment_hash")},
            "ledger_seq": row["seq"],
            "time": local_iso(int(row["created_us"]), zone),
            "sats": int(row["amount"]),
        }
    )


def deposit_lines(facts: Facts) -> Iterator[Line]:
    """Deposits that nobody confirmed for a week."""
    for one in facts.get("deposits", ()):
        amount = Fiat(int(one["amount_minor"]), one["currency"])
        yield Line({**one, "deposit_id": one["id"], "amount": amount})


def step_lines(facts: Facts) -> Iterator[Line]:
    """The connection test step by step; `ok` is empty where a step was not reached."""
    for one in facts.get("steps", ()):
        yield Line({**one, "step": one["name"], "ok": _yes(one["ok"])})


def poll_line(row: Row, zone: ZoneInfo) -> Line:
    """One poll."""
    same = ("cause", "result", *POLL_COUNTS, "error_code", "error_message", "hint")
    return Line(
        {
            **{name: row[name] for name in same},
            "poll_id": row["id"],
            "started_at": local_iso(row["started_us"], zone),
            "finished_at": local_iso(row["finished_us"], zone),
        }
    )


def error_lines(facts: Facts) -> Iterator[Line]:
    """How many polls failed for which reason."""
    for code, count in facts.get("polls", {}).items():
        yield Line({"error_code": code, "failed_polls": count})


def alert_lines(facts: Facts, zone: ZoneInfo) -> Iterator[Line]:
    """The week's alerts, the newest first."""
    for one in facts.get("alerts", ()):
        moments = {
            f"{name}_at": local_iso(one.get(f"{name}_us"), zone)
            for name in ("first", "last", "resolved")
        }
        yield Line({**one, **moments})
