"""What can be done about a finding: the one table from its code to the corrections that fit.

Every code has a way. Where this product cannot mend it (Lamassu's row, an edited trail) the way is
to acknowledge it with a note, and `says` tells what to do outside.
"""

from __future__ import annotations

from dataclasses import dataclass

ACKNOWLEDGE = "acknowledge"


@dataclass(frozen=True)
class Mend:
    """`actions`: previews of corrections, the fitting one first; `says`: what to do."""

    actions: tuple[str, ...]
    says: str


_BY_HAND = (
    "It was changed by somebody with access to the database. Put the old value back from a backup"
    " and find out who it was; then reconcile again."
)
_SHARE = (
    "If the sats never arrived, pay the missing share. If too much arrived, recover it. Then find"
    " out who changed the row."
)

MENDS: dict[str, Mend] = {
    "source_changed": Mend(
        ("adjust_balance", "compensate", ACKNOWLEDGE),
        "Lamassu's row is another one now. What was paid stays paid: compare with the machine, mend"
        " a client's balance if it is wrong, or acknowledge it with a note.",
    ),
    "source_vanished": Mend(
        (ACKNOWLEDGE,),
        "Lamassu no longer has this sale. What was paid stays paid: ask who runs that server.",
    ),
    "source_unknown": Mend(
        ("process", ACKNOWLEDGE),
        "Lamassu has this sale and it is missing here. Process it by its id: it is paid once.",
    ),
    "snapshot_differs": Mend((ACKNOWLEDGE,), _BY_HAND),
    "plan_missing": Mend((ACKNOWLEDGE,), _BY_HAND),
    "plan_hash": Mend((ACKNOWLEDGE,), _BY_HAND),
    "plan_rerun": Mend((ACKNOWLEDGE,), _BY_HAND),
    "plan_input": Mend((ACKNOWLEDGE,), _BY_HAND),
    "plan_outcome": Mend((ACKNOWLEDGE,), _BY_HAND),
    "share_missing": Mend(("pay_missing", ACKNOWLEDGE), _SHARE),
    "share_doubled": Mend(("recover_overpayment", "write_off", ACKNOWLEDGE), _SHARE),
    "share_unknown": Mend(("recover_overpayment", "write_off", ACKNOWLEDGE), _SHARE),
    "share_differs": Mend(
        ("pay_missing", "recover_overpayment", "adjust_balance", ACKNOWLEDGE), _SHARE
    ),
    "unreadable": Mend((ACKNOWLEDGE,), _BY_HAND),
    "totals_differ": Mend((ACKNOWLEDGE,), _BY_HAND),
    "ledger_differs": Mend(("adjust_balance", ACKNOWLEDGE), _BY_HAND),
    "leg_missing": Mend(("pay_missing", ACKNOWLEDGE), _SHARE),
    "leg_unknown": Mend(("recover_overpayment", ACKNOWLEDGE), _SHARE),
    "leg_differs": Mend((ACKNOWLEDGE,), _BY_HAND),
    "wallet_row_missing": Mend(
        ("restore_wallet_row", ACKNOWLEDGE),
        "LNbits' payment row is gone, and with it sats of this wallet. Put it back as it was.",
    ),
    "wallet_row_differs": Mend(
        ("restore_wallet_row", ACKNOWLEDGE),
        "LNbits' payment row was changed. Put it back as it was.",
    ),
    "wallet_row_doubled": Mend(
        ("recover_overpayment", "write_off", ACKNOWLEDGE),
        "The payment row stands in a second wallet, too: those sats came from nowhere. Take the"
        " extra row away in LNbits, or recover the sats from the client.",
    ),
    "wallet_row_unknown": Mend(
        ("recover_overpayment", "write_off", ACKNOWLEDGE),
        "A wallet holds a payment that only this product may write, and the ledger does not know"
        " it: an old backup of the ledger, or somebody wrote it by SQL.",
    ),
    "duplicate_hash": Mend(
        (ACKNOWLEDGE,),
        "Another payment carries the hash of one of ours. A client knows the preimage and can make"
        " such a one; look whether it is theirs.",
    ),
    "audit_differs": Mend((ACKNOWLEDGE,), _BY_HAND),
    "audit_chain": Mend((ACKNOWLEDGE,), _BY_HAND),
    "share_nowhere": Mend(("recover_overpayment", ACKNOWLEDGE), _BY_HAND),
    "leg_nowhere": Mend((ACKNOWLEDGE,), _BY_HAND),
    "entries_nowhere": Mend((ACKNOWLEDGE,), _BY_HAND),
    "chain_broken": Mend(("adjust_balance", ACKNOWLEDGE), _BY_HAND),
    "ledger_gap": Mend(("adjust_balance", ACKNOWLEDGE), _BY_HAND),
    "balance_differs": Mend(("adjust_balance", ACKNOWLEDGE), _BY_HAND),
    "correction_differs": Mend((ACKNOWLEDGE,), _BY_HAND),
    "claim_differs": Mend(("recover_overpayment", "write_off", ACKNOWLEDGE), _BY_HAND),
    "deposit_differs": Mend(("adjust_balance", ACKNOWLEDGE), _BY_HAND),
}


def mend_of(code: str) -> Mend:
    """What fits this finding; an unknown code can always be acknowledged."""
    return MENDS.get(code, Mend((ACKNOWLEDGE,), _BY_HAND))
