"""Who may take part in a cash-out and with how much (design.md 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

from .states import DcaMode


@dataclass(frozen=True)
class PoolClient:
    """One active client as the books show them at settlement, in the cash-out's currency.

    All fiat is in minor units. `room_sats` is the most their wallet may still receive in one
    payment (None = no limit); `wallet_problem` says why it can receive nothing at all.
    """

    client_id: str
    wallet_id: str
    mode: str
    daily_limit_minor: int | None
    remaining_minor: int
    later_credits_minor: int  # deposits and corrections effective only after the cash-out
    charged_same_day_minor: int  # failed shares count, cancelled ones do not
    wallet_problem: str | None = None
    room_sats: int | None = None
    owed_sats: int = 0  # what they were paid too much and still have to give back
    pace_percent: int = 0  # how much of each share is kept for that


def cap_minor(client: PoolClient) -> int:
    """The most this client may be charged for this cash-out, in minor units; 0 = takes no part.

    `remaining - later credits` is the same as "deposits effective by then - all charged so far";
    a later credit below zero (a correction) must not make room, hence the max.
    """
    cap = client.remaining_minor - max(0, client.later_credits_minor)
    if client.mode == DcaMode.FIXED.value:
        limit = client.daily_limit_minor
        cap = 0 if limit is None else min(cap, limit - client.charged_same_day_minor)
    elif client.mode != DcaMode.FLOW.value:
        cap = 0  # the companion may write any word: unknown means paused (design.md 6)
    return max(0, cap)
