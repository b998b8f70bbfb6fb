"""What kinds of corrections there are, and the reasons a person can give."""

from __future__ import annotations

from enum import Enum


class CorrectionKind(str, Enum):
    """What a correction does. Each is a new entry; nothing that was written is changed."""

    ADJUST_BALANCE = "adjust_balance"  # a client's fiat balance, up or down
    PAY_MISSING = "pay_missing"  # a share that a client should have had
    RECOVER_OVERPAYMENT = "recover_overpayment"  # claimed, kept of later shares
    CANCEL_SHARE = "cancel_share"  # a failed share given up: fiat back, sats to the operator
    WRITE_OFF = "write_off"  # a claim given up
    SETTLE_TO_WALLET = "settle_to_wallet"  # a failed share to another wallet
    COMPENSATE = "compensate"  # sats to one or many clients, charged nothing
    RESTORE_WALLET_ROW = "restore_wallet_row"  # a movement's rows in LNbits as they were


KINDS = frozenset(kind.value for kind in CorrectionKind)


class ReasonCode(str, Enum):
    """Why; the note says it in words."""

    COUNTED_WRONG = "counted_wrong"  # cash was counted wrong
    WRONG_COMMISSION = "wrong_commission"  # a rule or rate took too much or too little
    PAID_TWICE = "paid_twice"
    NOT_PAID = "not_paid"
    WRONG_CLIENT = "wrong_client"
    WALLET_LOST = "wallet_lost"
    CLIENT_LEFT = "client_left"
    DAMAGED_BOOKS = "damaged_books"  # somebody changed a database
    GOODWILL = "goodwill"
    OTHER = "other"


class SatsOf(str, Enum):
    """Whose sats a client is given."""

    OPERATOR = "operator"  # base that no deposit covered, and what was withheld
    COMMISSION = "commission"


# Clients in one batch: locked for about a second, and one page to look at.
COMPENSATED_MAX = 200


def correction_leg_key(about: str, correction_id: str) -> str:
    """The identity of a correction's movement; `about`: Lamassu's id, or the client's."""
    return f"{about}:correction:{correction_id}"
