"""Where a cash-out, a share and a deposit can be, and which moves exist (design.md 2)."""

from __future__ import annotations

from enum import Enum


class CashOutState(str, Enum):
    """Where one Lamassu sale stands."""

    PENDING = "pending"  # stored and eligible, not settled; the next tick moves it
    WATCHING = "watching"  # a sale still running; the next poll or the grace time moves it
    HELD = "held"  # needs a person: process or skip; or the source, if the reason goes away
    PROCESSING = "processing"  # only inside the settlement transaction; nobody else sees it
    COMPLETED = "completed"  # committed; terminal
    FAILED = "failed"  # an invariant refused it; a person, after the halt
    SKIPPED = "skipped"  # the operator said no, with a reason; terminal


class ShareState(str, Enum):
    """Where one client's part of one cash-out stands."""

    CONFIRMED = "confirmed"  # the sats are in the client's wallet
    FAILED = "failed"  # charged, but this wallet cannot take it: owed, retried
    CANCELLED = "cancelled"  # given up by the operator; the client's fiat was restored


class DepositState(str, Enum):
    """Where one client's cash deposit stands."""

    PENDING = "pending"
    CONFIRMED = "confirmed"  # counts; never edited again, only corrected by an entry
    CANCELLED = "cancelled"


class CommissionState(str, Enum):
    """Where the operator's commission of one cash-out lies."""

    PAID = "paid"  # in the commission wallet
    KEPT = "kept"  # no commission wallet is set: it stays in the source wallet, recorded
    FAILED = "failed"  # the commission wallet cannot take it: still in the source wallet, retried
    NONE = "none"  # there is no commission


class FundingMode(str, Enum):
    """How the sats of a cash-out come into the source wallet (design.md 3.6)."""

    CREDIT = "credit"  # they arrived elsewhere; the total is credited first
    PREFUNDED = "prefunded"  # they are already in this wallet; nothing is credited


class SplitRule(str, Enum):
    """How base follows from total (lamassu.md 0)."""

    MARKUP = "markup"  # floor(total / (1 + c_eff))
    MARGIN = "margin"  # floor(total x (1 - c_eff))
    TICKER = "ticker"  # floor(fiat x 1e8 / raw_ticker_price)


class DcaMode(str, Enum):
    """How much of a cash-out a client takes. Any other word in the database means paused."""

    FLOW = "flow"  # up to the whole balance
    FIXED = "fixed"  # up to a daily limit in whole currency units


CASH_OUT_MOVES: dict[CashOutState, frozenset[CashOutState]] = {
    CashOutState.WATCHING: frozenset(
        {CashOutState.PENDING, CashOutState.HELD, CashOutState.SKIPPED}
    ),
    CashOutState.HELD: frozenset(
        {CashOutState.PENDING, CashOutState.WATCHING, CashOutState.SKIPPED}
    ),
    CashOutState.PENDING: frozenset(
        {
            CashOutState.PROCESSING,
            CashOutState.FAILED,
            CashOutState.HELD,
            CashOutState.WATCHING,
            CashOutState.SKIPPED,
        }
    ),
    CashOutState.PROCESSING: frozenset({CashOutState.COMPLETED, CashOutState.HELD}),
    CashOutState.FAILED: frozenset({CashOutState.PENDING, CashOutState.SKIPPED}),
    CashOutState.COMPLETED: frozenset(),
    CashOutState.SKIPPED: frozenset(),
}

OPEN_STATES = (CashOutState.PENDING, CashOutState.WATCHING, CashOutState.HELD)


def states_before(state: str) -> str:
    """The states from which a cash-out may move to `state`, as an SQL list for a guarded UPDATE."""
    before = (old.value for old, new in CASH_OUT_MOVES.items() if CashOutState(state) in new)
    return ", ".join(f"'{value}'" for value in sorted(before))


class HoldCode(str, Enum):
    """Why a cash-out waits, for a person or for its own next moment (design.md 3.1)."""

    NOT_DISPENSED = "not_dispensed"
    DISPENSE_UNCONFIRMED = "dispense_unconfirmed"
    AUTHORIZED_ONLY = "authorized_only"
    WATCHED_TOO_LONG = "watched_too_long"
    STATUS_INSTANT = "status_instant"
    STATUS_UNEXPECTED = "status_unexpected"
    SOURCE_ERROR = "source_error"
    NUMBER_UNUSABLE = "number_unusable"
    AMOUNT_ZERO = "amount_zero"
    FIAT_ZERO = "fiat_zero"
    FIAT_FRACTION = "fiat_fraction"
    CURRENCY_UNKNOWN = "currency_unknown"
    COMMISSION_MISSING = "commission_missing"
    COMMISSION_NEGATIVE = "commission_negative"
    COMMISSION_OVER_100 = "commission_over_100"
    DISCOUNT_OUT_OF_RANGE = "discount_out_of_range"
    TICKER_MISSING = "ticker_missing"
    RECEIVED_SHORT = "received_short"
    TEST_CUSTOMER = "test_customer"
    DEVICE_UNKNOWN = "device_unknown"
    SOURCE_CHANGED = "source_changed"
    NO_CLIENT_BALANCE = "no_client_balance"


HOLD_REASONS: dict[HoldCode, str] = {
    HoldCode.NOT_DISPENSED: "paid, and the machine has not given the cash yet",
    HoldCode.DISPENSE_UNCONFIRMED: (
        "the machine began to give the cash and has not confirmed that all of it came out"
    ),
    HoldCode.AUTHORIZED_ONLY: (
        "the cash was given on an unconfirmed payment that is not confirmed yet"
    ),
    HoldCode.WATCHED_TOO_LONG: "the sale did not finish within the time it is watched",
    HoldCode.STATUS_INSTANT: "Lamassu calls it 'instant', which no wallet of its own does",
    HoldCode.STATUS_UNEXPECTED: "it was confirmed once and carries another status now",
    HoldCode.SOURCE_ERROR: "Lamassu recorded an error on this sale",
    HoldCode.NUMBER_UNUSABLE: "a number in it is missing, no number, or too large to count",
    HoldCode.AMOUNT_ZERO: "it has no sats",
    HoldCode.FIAT_ZERO: "it has no fiat amount, so no client can be charged",
    HoldCode.FIAT_FRACTION: "its fiat amount is finer than the currency's smallest unit",
    HoldCode.CURRENCY_UNKNOWN: "its currency is not a known currency",
    HoldCode.COMMISSION_MISSING: "it carries no commission percentage",
    HoldCode.COMMISSION_NEGATIVE: "its commission is negative",
    HoldCode.COMMISSION_OVER_100: "its commission is above 100 %",
    HoldCode.DISCOUNT_OUT_OF_RANGE: "its discount is not between 0 and 100 %",
    HoldCode.TICKER_MISSING: "it carries no bitcoin price, which the chosen split rule needs",
    HoldCode.RECEIVED_SHORT: "the wallet received less than the customer was asked to pay",
    HoldCode.TEST_CUSTOMER: "Lamassu marks its customer as a test customer",
    HoldCode.DEVICE_UNKNOWN: "its machine is neither paired nor was it ever unpaired",
    HoldCode.SOURCE_CHANGED: "an amount in it changed after it was stored",
    HoldCode.NO_CLIENT_BALANCE: "no client had a balance in its currency at that time",
}
