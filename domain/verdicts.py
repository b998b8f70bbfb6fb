"""The words of a reconciliation: verdicts, the links between two sides, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Row = Mapping[str, Any]


class Verdict(str, Enum):
    """What became of one item."""

    MATCH = "match"
    MISMATCH = "mismatch"  # two sides differ: somebody must look
    ERROR = "error"  # a side could not be looked at: neither a match nor a mismatch
    IN_FLIGHT = "in_flight"  # not settled yet, and nothing moved


class Link(str, Enum):
    """Which two sides differ, in the order in which money flows."""

    SOURCE = "source"  # Lamassu's row and what was stored of it
    SNAPSHOT = "snapshot"  # what was stored of it and the columns read from that
    PLAN = "plan"  # the plan's input, its re-run, its hash, and what the cash-out says
    SHARES = "shares"  # the plan and the clients' shares
    LEDGER = "ledger"  # shares and totals, and the ledger's entries
    LEGS = "legs"  # shares and totals, and the movements of sats
    WALLETS = "wallets"  # movements and LNbits' payment rows, on both ends
    AUDIT = "audit"  # the audit trail
    DEPOSITS = "deposits"  # a deposit and its ledger entry
    BALANCES = "balances"  # entries and the balances made of them


LINKS = tuple(Link)

# Columns of Lamassu's row whose change means something; a machine's new name does not.
FACTS = (
    *("crypto_code", "crypto_atoms", "received_crypto_atoms", "fiat", "fiat_code", "status"),
    *("dispense", "dispense_confirmed", "error", "error_code", "commission_percentage"),
    *("discount", "raw_ticker_price", "created", "confirmed_at"),
)
# What a stored value that is not what it should be makes of a comparison; never the end of a run.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
TEXT_MAX = 300  # of a value that is shown


@dataclass(frozen=True)
class Difference:
    """Two sides that say different things, with both values."""

    link: Link
    code: str
    what: str  # the thing that differs: a column, a share, an account, a wallet row
    expected: str  # what the earlier side says
    actual: str  # what the later side says
    sats: int | None = None  # actual minus expected, where it is an amount of sats
    client_id: str | None = None
    wallet_id: str | None = None
    leg_key: str | None = None  # of the movement that a wallet row belongs to


def shown(value: Any) -> str:
    """A value as text for a person, cut where it is long."""
    return "nothing" if value is None else str(value)[:TEXT_MAX]


def sats_between(before: Any, after: Any) -> int | None:
    """After minus before, or None where one of them is no number."""
    try:
        return int(after) - int(before)
    except (TypeError, ValueError):
        return None


def is_settled(cash_out: Row) -> bool:
    """Everything that follows from a plan is there, or should be."""
    return bool(cash_out["status"] == "completed")
