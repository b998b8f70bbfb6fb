"""What can be done about a finding: the one table from its code to the corrections that fit.

Every code has a way. Where this product cannot mend it (Lamassu's row, an edited trail) the way is
to acknowledge it with a note, and `says` tells what to do outside.
"""

from __future__ import annotations

from dataclasses import dataclass

ACKNOWLEDGE = "acknowledge"


@dataclass(frozen=True)
class Mend:
    """`actions`: previews of corrections, the fitting one first; `advice`: a name in ADVICE."""

    actions: tuple[str, ...]
    advice: str

    @property
    def says(self) -> str:
        """What to do, in words."""
        return ADVICE[self.advice]


# What to do, by name: the page has the same names in its own languages.
ADVICE = {
    "by_hand": "It was changed by somebody with access to the database. Put the old value back from"
    " a backup and find out who it was; then reconcile again.",
    "share": "If the sats never arrived, pay the missing share. If too much arrived, recover it."
    " Then find out who changed the row.",
    "source_changed": "Lamassu's row is another one now. What was paid stays paid: compare with the"
    " machine, mend a client's balance if it is wrong, or acknowledge it with a note.",
    "source_vanished": "Lamassu no longer has this sale. What was paid stays paid: ask who runs"
    " that server.",
    "source_unknown": "Lamassu has this sale and it is missing here. Process it by its id: it is"
    " paid once.",
    "row_missing": "LNbits' payment row is gone, and with it sats of this wallet. Put it back as it"
    " was.",
    "row_differs": "LNbits' payment row was changed. Put it back as it was.",
    "row_doubled": "The payment row stands in a second wallet, too: those sats came from nowhere."
    " Take the extra row away in LNbits, or recover the sats from the client.",
    "row_unknown": "A wallet holds a payment that only this product may write, and the ledger does"
    " not know it: an old backup of the ledger, or somebody wrote it by SQL.",
    "duplicate_hash": "Another payment carries the hash of one of ours. A client knows the preimage"
    " and can make such a one; look whether it is theirs.",
}
BY_HAND = (ACKNOWLEDGE,), "by_hand"

MENDS: dict[str, Mend] = {
    "source_changed": Mend(
        ("adjust_balance", "compensate", ACKNOWLEDGE),
        "source_changed",
    ),
    "source_vanished": Mend(
        (ACKNOWLEDGE,),
        "source_vanished",
    ),
    "source_unknown": Mend(
        ("process", ACKNOWLEDGE),
        "source_unknown",
    ),
    "snapshot_differs": Mend(*BY_HAND),
    "plan_missing": Mend(*BY_HAND),
    "plan_hash": Mend(*BY_HAND),
    "plan_rerun": Mend(*BY_HAND),
    "plan_input": Mend(*BY_HAND),
    "plan_outcome": Mend(*BY_HAND),
    "share_missing": Mend(("pay_missing", ACKNOWLEDGE), "share"),
    "share_doubled": Mend(("recover_overpayment", "write_off", ACKNOWLEDGE), "share"),
    "share_unknown": Mend(("recover_overpayment", "write_off", ACKNOWLEDGE), "share"),
    "share_differs": Mend(
        ("pay_missing", "recover_overpayment", "adjust_balance", ACKNOWLEDGE), "share"
    ),
    "unreadable": Mend(*BY_HAND),
    "totals_differ": Mend(*BY_HAND),
    "ledger_differs": Mend(("adjust_balance", ACKNOWLEDGE), "by_hand"),
    "leg_missing": Mend(("pay_missing", ACKNOWLEDGE), "share"),
    "leg_unknown": Mend(("recover_overpayment", ACKNOWLEDGE), "share"),
    "leg_differs": Mend(*BY_HAND),
    "wallet_row_missing": Mend(
        ("restore_wallet_row", ACKNOWLEDGE),
        "row_missing",
    ),
    "wallet_row_differs": Mend(
        ("restore_wallet_row", ACKNOWLEDGE),
        "row_differs",
    ),
    "wallet_row_doubled": Mend(
        ("recover_overpayment", "write_off", ACKNOWLEDGE),
        "row_doubled",
    ),
    "wallet_row_unknown": Mend(
        ("recover_overpayment", "write_off", ACKNOWLEDGE),
        "row_unknown",
    ),
    "duplicate_hash": Mend(
        (ACKNOWLEDGE,),
        "duplicate_hash",
    ),
    "audit_differs": Mend(*BY_HAND),
    "audit_chain": Mend(*BY_HAND),
    "share_nowhere": Mend(("recover_overpayment", ACKNOWLEDGE), "by_hand"),
    "leg_nowhere": Mend(*BY_HAND),
    "entries_nowhere": Mend(*BY_HAND),
    "chain_broken": Mend(("adjust_balance", ACKNOWLEDGE), "by_hand"),
    "ledger_gap": Mend(("adjust_balance", ACKNOWLEDGE), "by_hand"),
    "balance_differs": Mend(("adjust_balance", ACKNOWLEDGE), "by_hand"),
    "correction_differs": Mend(*BY_HAND),
    "claim_differs": Mend(("recover_overpayment", "write_off", ACKNOWLEDGE), "by_hand"),
    "deposit_differs": Mend(("adjust_balance", ACKNOWLEDGE), "by_hand"),
}


def mend_of(code: str) -> Mend:
    """What fits this finding; an unknown code can always be acknowledged."""
    return MENDS.get(code, Mend(*BY_HAND))
