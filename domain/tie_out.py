"""The tie-out of one cash-out: each side held against the one beside it (LSP-1, LSP-4, LIQ-5).

Lamassu's row = what was stored of it = the plan = the shares = the ledger = the movements = the
wallet rows on both ends. Tolerance is 0. Every comparison returns what differs, never raises on a
bad item (LIQ-6); the first difference in the order of `Link` is the one an item is named by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .eligibility import Sale, SourceRow, Stated
from .replay import stored_sale
from .tie_books import compare_books
from .tie_moves import compare_ledger, compare_legs, compare_wallets
from .verdicts import FACTS, UNREADABLE, Difference, Link, Row, is_settled, sats_between, shown


@dataclass(frozen=True)
class Sides:
    """All that is known of one cash-out. `source` None: it could not be looked at."""

    cash_out: Row
    source: SourceRow | None
    shares: Sequence[Row]
    entries: Sequence[Row]
    legs: Sequence[Row]
    wallet_rows: Sequence[Row]
    settled_events: int  # entries of the audit trail that say it was settled
    skipped_events: int
    stated: Stated | None = None


def differences(sides: Sides) -> list[Difference]:
    """Everything that differs, in the order of the links."""
    cash_out, shares, legs = sides.cash_out, sides.shares, sides.legs
    events = sides.settled_events, sides.skipped_events
    parts: tuple[tuple[Link, Callable[[], list[Difference]]], ...] = (
        (Link.SOURCE, lambda: compare_source(cash_out, sides.source)),
        (Link.SNAPSHOT, lambda: compare_snapshot(cash_out)),
        (Link.PLAN, lambda: compare_books(cash_out, shares, sides.stated)),
        (Link.LEDGER, lambda: compare_ledger(cash_out, shares, sides.entries)),
        (Link.LEGS, lambda: compare_legs(cash_out, shares, legs)),
        (Link.WALLETS, lambda: compare_wallets(legs, sides.wallet_rows)),
        (Link.AUDIT, lambda: compare_audit(cash_out, *events)),
    )
    found: list[Difference] = []
    for link, compare in parts:
        try:
            found += compare()
        except UNREADABLE as exc:
            what = f"{type(exc).__name__}: {exc}"
            found.append(Difference(link, "unreadable", "values", "readable", shown(what)))
    return found


def compare_source(cash_out: Row, source: SourceRow | None) -> list[Difference]:
    """Lamassu's row as it is now, and the row whose amounts were taken. None: nobody could look."""
    stored = _parsed(cash_out["source_row"])
    if stored is None or source is None:
        return []  # the snapshot's own comparison names it
    before = stored[0]
    if source.get("vanished"):
        if before.get("vanished"):
            return []
        return [Difference(Link.SOURCE, "source_vanished", "row", "there", "not there any more")]
    names = [name for name in FACTS if before.get(name) != source.get(name)]
    if before.get("vanished"):
        return [Difference(Link.SOURCE, "source_changed", "row", "not there", "there again")]
    return [
        Difference(
            Link.SOURCE,
            "source_changed",
            name,
            shown(before.get(name)),
            shown(source.get(name)),
            sats_between(before.get(name), source.get(name)) if name == "crypto_atoms" else None,
        )
        for name in names
    ]


def _parsed(text: Any) -> tuple[SourceRow, Sale] | None:
    try:
        return stored_sale(text)
    except UNREADABLE:
        return None


def compare_snapshot(cash_out: Row) -> list[Difference]:
    """The stored row of Lamassu and the columns that were read from it."""
    stored = _parsed(cash_out["source_row"])
    if stored is None:
        return [_snapshot("source_row", "a row of Lamassu", "something unreadable")]
    row, sale = stored
    wanted = {
        "lamassu_transaction_id": row.get("id"),
        "device_id": row.get("device_id"),
        "crypto_code": sale.crypto_code,
        "fiat_code": sale.fiat_code,
        "crypto_atoms": sale.crypto_atoms,
        "received_crypto_atoms": sale.received_crypto_atoms,
        "fiat_minor": sale.fiat_minor,
        "commission_percentage": row.get("commission_percentage"),
        "discount": row.get("discount"),
        "raw_ticker_price": row.get("raw_ticker_price"),
        "created_us": sale.created_us,
        "confirmed_at_us": sale.confirmed_at_us,
    }
    return [
        _snapshot(
            name,
            shown(value),
            shown(cash_out[name]),
            sats_between(value, cash_out[name]) if name == "crypto_atoms" else None,
        )
        for name, value in wanted.items()
        if value != cash_out[name]
    ]


def _snapshot(what: str, expected: str, actual: str, sats: int | None = None) -> Difference:
    return Difference(Link.SNAPSHOT, "snapshot_differs", what, expected, actual, sats)


def compare_audit(cash_out: Row, settled_events: int, skipped_events: int) -> list[Difference]:
    """The audit trail says once that it was settled, and that it was skipped if it is."""
    wanted = 1 if is_settled(cash_out) else 0
    found = []
    if settled_events != wanted:
        found.append(
            Difference(
                Link.AUDIT,
                "audit_differs",
                "cash_out_settled",
                f"{wanted} times",
                f"{settled_events} times",
            )
        )
    if skipped_events and cash_out["status"] != "skipped":
        status = shown(cash_out["status"])
        found.append(Difference(Link.AUDIT, "audit_differs", "status", "skipped", status))
    return found
