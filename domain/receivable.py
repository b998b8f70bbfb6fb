"""What a client was paid too much comes back out of later shares, at the pace a person chose.

A receivable is a claim, not a negative balance: the client goes on being charged for their whole
share, gets less of it in sats, and what is kept stays with the operator until the claim is zero.
"""

from __future__ import annotations

PACE_MIN, PACE_MAX = 1, 100  # percent of each share


def withheld_sats(share_sats: int, owed_sats: int, pace_percent: int) -> int:
    """What is kept of a share: never more than is owed, never the share's last sat."""
    if owed_sats <= 0 or pace_percent <= 0:
        return 0
    return max(0, min(owed_sats, share_sats * pace_percent // 100, share_sats - 1))
