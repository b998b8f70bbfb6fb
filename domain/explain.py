"""Why every client got what they got, read back from the stored plan (design.md 3.3, 3.4).

Nothing is decided here: the plan holds what each client had at that moment, and these are the
numbers between that and the share, so that a person can follow them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .pool import PoolClient, cap_minor
from .states import DcaMode

_FIELDS = {one.name for one in fields(PoolClient)}


@dataclass(frozen=True)
class Part:
    """One client's way into (or past) the pool; fiat in minor units."""

    client_id: str
    mode: str
    balance_minor: int  # what was left to be charged at that moment
    later_minor: int  # of that: deposits that count only after this sale
    limit_minor: int | None  # of a fixed client, a day
    used_minor: int  # of that limit, on the same day before
    cap_minor: int  # what they took part with
    fiat_minor: int  # charged
    sats: int
    withheld_sats: int  # kept for what they were paid too much
    why_not: str | None  # why they got nothing


@dataclass(frozen=True)
class Explanation:
    """The pool of one cash-out and everybody's part in it."""

    together_minor: int  # all caps
    drawn_minor: int  # of the sale's fiat, what the caps cover
    fiat_minor: int  # the sale's
    base_sats: int
    pool_sats: int  # base x drawn / fiat, rounded down: what is shared out
    parts: tuple[Part, ...]


def explain(plan: Mapping[str, Any]) -> Explanation:
    """The numbers between a plan's input and its shares. `plan`: the facts its hash covers."""
    given = plan["given"]
    pool = [
        PoolClient(**{name: value for name, value in client.items() if name in _FIELDS})
        for client in given["clients"]
    ]
    shares = {share["client_id"]: share for share in plan["shares"]}
    together = sum(cap_minor(client) for client in pool)
    drawn = min(int(given["draw_limit_minor"]), int(given["fiat_minor"]), together)
    base = int(plan["split"]["base_sats"])
    return Explanation(
        together_minor=together,
        drawn_minor=drawn,
        fiat_minor=int(given["fiat_minor"]),
        base_sats=base,
        pool_sats=base * drawn // int(given["fiat_minor"]),
        parts=tuple(_part(client, shares.get(client.client_id)) for client in pool),
    )


def _part(client: PoolClient, share: Mapping[str, Any] | None) -> Part:
    return Part(
        client_id=client.client_id,
        mode=client.mode,
        balance_minor=client.remaining_minor,
        later_minor=max(0, client.later_credits_minor),
        limit_minor=client.daily_limit_minor,
        used_minor=client.charged_same_day_minor,
        cap_minor=cap_minor(client),
        fiat_minor=int(share["fiat_minor"]) if share else 0,
        sats=int(share["sats"]) if share else 0,
        withheld_sats=int(share.get("withheld_sats", 0)) if share else 0,
        why_not=None if share else _why_not(client),
    )


def _why_not(client: PoolClient) -> str:
    if cap_minor(client) > 0:
        return "below_a_sat"
    if client.mode not in (DcaMode.FLOW.value, DcaMode.FIXED.value):
        return "paused"
    if client.remaining_minor <= max(0, client.later_credits_minor):
        return "later"
    return "no_limit" if client.daily_limit_minor is None else "limit_used"
