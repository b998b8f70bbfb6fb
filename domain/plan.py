"""The plan: the frozen outcome for one cash-out, computed before anything moves (design.md 3).

`make_plan` is a pure function of its input. Its legs and sums are proven where they are made, and
its hash covers input and outcome, so that re-running it later must give the same hash.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from functools import cached_property
from typing import Any

from ..errors import ensure
from .allocation import largest_remainder
from .money import whole_from_minor
from .pool import PoolClient, cap_minor
from .receivable import withheld_sats
from .split import Split, SplitInput, split
from .states import CommissionState, FundingMode, ShareState, SplitRule

# Raised when the meaning of a plan's fields changes. A plan in which nobody owes anything is one of
# version 1, with its facts and its hash, whenever it is computed.
PLAN_VERSION = 2
WITHOUT_RECEIVABLES = 1
SINCE_RECEIVABLES = ("owed_sats", "pace_percent", "withheld_sats")

WALLET_FULL = "the payment is larger than what this wallet may receive"


@dataclass(frozen=True)
class PlanInput:
    """Everything the outcome depends on. Rates are fractions, fiat is in minor units."""

    lamassu_transaction_id: str
    rule: SplitRule
    total_sats: int
    commission_rate: Fraction | None
    discount_percent: Fraction
    ticker_price: Fraction | None
    currency: str
    fiat_minor: int  # Lamassu's, or what the operator declared it to be: the price's denominator
    draw_limit_minor: int  # what may be charged: fiat_minor, or less when less was dispensed
    funding_mode: FundingMode
    source_wallet_id: str
    commission_wallet_id: str | None
    clients: tuple[PoolClient, ...]
    settle_without_clients: bool = False
    commission_wallet_problem: str | None = None
    commission_room_sats: int | None = None


class LegKind(str, Enum):
    """What a movement of sats is for."""

    FUNDING = "funding"
    SHARE = "share"
    COMMISSION = "commission"
    CORRECTION = "correction"  # by a person, later; never part of a plan


@dataclass(frozen=True)
class Leg:
    """One movement of sats. `from_wallet_id` None: the sats arrived elsewhere (credit mode)."""

    key: str  # unique for ever: <lamassu id>:<kind>[:<client id>]
    kind: LegKind
    from_wallet_id: str | None
    to_wallet_id: str
    amount_sats: int
    client_id: str | None = None


@dataclass(frozen=True)
class Share:
    """One client's part: charged `fiat_minor`, gets `sats`."""

    client_id: str
    wallet_id: str
    mode: str
    fiat_minor: int
    sats: int
    state: ShareState
    problem: str | None = None
    withheld_sats: int = 0  # kept by the operator for what this client was paid too much

    @property
    def full_sats(self) -> int:
        """What their fiat is worth: what they get and what is withheld."""
        return self.sats + self.withheld_sats


@dataclass(frozen=True)
class Plan:
    """What will happen, to the sat."""

    given: PlanInput
    split: Split
    drawn_minor: int
    shares: tuple[Share, ...]
    commission_state: CommissionState
    commission_problem: str | None
    facts: str = field(default="", repr=False)  # canonical JSON of input and outcome
    hash: str = field(default="")  # SHA-256 of `facts`

    @cached_property
    def confirmed_sats(self) -> int:
        return sum(s.sats for s in self.shares if s.state is ShareState.CONFIRMED)

    @cached_property
    def failed_sats(self) -> int:
        return sum(s.sats for s in self.shares if s.state is ShareState.FAILED)

    @property
    def operator_remainder_sats(self) -> int:
        """Base that no client's deposit covers, and what is withheld from shares; it stays in the
        source wallet.
        """
        return self.split.base_sats - self.confirmed_sats - self.failed_sats

    @property
    def commission_moved_sats(self) -> int:
        paid = self.commission_state is CommissionState.PAID
        return self.split.commission_sats if paid else 0

    @property
    def outgoing_sats(self) -> int:
        """What leaves the source wallet now."""
        return self.confirmed_sats + self.commission_moved_sats

    @property
    def owed_sats(self) -> int:
        """What stays in the source wallet but belongs to somebody else."""
        failed = self.commission_state is CommissionState.FAILED
        return self.failed_sats + (self.split.commission_sats if failed else 0)

    def legs(self) -> tuple[Leg, ...]:
        """The movements, funding first: a wallet is never debited before it is credited."""
        given, source = self.given, self.given.source_wallet_id
        legs = []
        if given.funding_mode is FundingMode.CREDIT:
            legs.append(
                Leg(
                    leg_key(given.lamassu_transaction_id, LegKind.FUNDING),
                    LegKind.FUNDING,
                    None,
                    source,
                    self.split.total_sats,
                )
            )
        for share in self.shares:
            if share.state is ShareState.CONFIRMED:
                legs.append(share_leg(given.lamassu_transaction_id, share, source))
        if self.commission_state is CommissionState.PAID:
            legs.append(
                Leg(
                    leg_key(given.lamassu_transaction_id, LegKind.COMMISSION),
                    LegKind.COMMISSION,
                    source,
                    given.commission_wallet_id or "",
                    self.split.commission_sats,
                )
            )
        return tuple(legs)


def leg_key(lamassu_transaction_id: str, kind: LegKind, client_id: str | None = None) -> str:
    """The identity of a movement. Computed, never random: a replay meets its own key."""
    parts = [lamassu_transaction_id, kind.value] + ([client_id] if client_id else [])
    return ":".join(parts)


def share_leg(lamassu_transaction_id: str, share: Share, source_wallet_id: str) -> Leg:
    """The leg that carries a share, now or at a later retry: always the same key."""
    return Leg(
        leg_key(lamassu_transaction_id, LegKind.SHARE, share.client_id),
        LegKind.SHARE,
        source_wallet_id,
        share.wallet_id,
        share.sats,
        share.client_id,
    )


def caps_minor(given: PlanInput) -> dict[str, int]:
    """Each client's cap for this cash-out, those with nothing left out."""
    caps = {client.client_id: cap_minor(client) for client in given.clients}
    return {client_id: cap for client_id, cap in caps.items() if cap > 0}


def make_plan(given: PlanInput) -> Plan:
    """Compute the outcome and prove its sums.

    The caller has held the cash-out already when nobody has a cap and the operator did not set
    "settle without clients". Raises InvariantViolation when a sum does not hold.
    """
    outcome = split(
        given.rule,
        SplitInput(
            given.total_sats,
            given.commission_rate,
            given.discount_percent,
            whole_from_minor(given.fiat_minor, given.currency),
            given.ticker_price,
        ),
    )
    ensure(given.fiat_minor > 0, "a cash-out without fiat cannot be planned")
    room: dict[str, int | None] = {}
    shares = tuple(_deliver(share, client, room) for share, client in _divide(given, outcome))
    state, problem = _commission(given, outcome, room)
    drawn_minor = sum(share.fiat_minor for share in shares)
    plan = Plan(given, outcome, drawn_minor, shares, state, problem)
    _prove(plan)
    facts = canonical_json(plan_facts(plan))
    return replace(plan, facts=facts, hash=_sha256(facts))


def _divide(given: PlanInput, outcome: Split) -> list[tuple[Share, PoolClient]]:
    """Fiat by caps, sats by fiat, both by largest remainder; 0 sats means no share at all."""
    caps = caps_minor(given)
    limit = min(given.draw_limit_minor, given.fiat_minor)
    drawn = min(limit, sum(caps.values()))
    fiat = largest_remainder(drawn, caps)
    sats = largest_remainder(outcome.base_sats * drawn // given.fiat_minor, fiat)
    clients = {client.client_id: client for client in given.clients}
    return [
        (_share_of(clients[client_id], fiat[client_id], sats[client_id]), clients[client_id])
        for client_id in sorted(caps)
        if sats[client_id] > 0
    ]


def _share_of(client: PoolClient, fiat_minor: int, full_sats: int) -> Share:
    withheld = withheld_sats(full_sats, client.owed_sats, client.pace_percent)
    return Share(
        client.client_id,
        client.wallet_id,
        client.mode,
        fiat_minor,
        full_sats - withheld,
        ShareState.CONFIRMED,
        withheld_sats=withheld,
    )


def _deliver(share: Share, client: PoolClient, room: dict[str, int | None]) -> Share:
    """The share as it is, or failed with the reason why its wallet cannot take it."""
    problem = client.wallet_problem
    left = room.setdefault(client.wallet_id, client.room_sats)
    if problem is None and left is not None:
        if share.sats > left:
            problem = WALLET_FULL
        else:
            room[client.wallet_id] = left - share.sats
    if problem is None:
        return share
    return replace(share, state=ShareState.FAILED, problem=problem)


def _commission(
    given: PlanInput, outcome: Split, room: dict[str, int | None]
) -> tuple[CommissionState, str | None]:
    wallet = given.commission_wallet_id
    if outcome.commission_sats == 0:
        return CommissionState.NONE, None
    if wallet is None or wallet == given.source_wallet_id:
        return CommissionState.KEPT, None
    if given.commission_wallet_problem:
        return CommissionState.FAILED, given.commission_wallet_problem
    left = room.get(wallet, given.commission_room_sats)
    if left is not None and outcome.commission_sats > left:
        return CommissionState.FAILED, WALLET_FULL
    return CommissionState.PAID, None


def _prove(plan: Plan) -> None:
    caps = caps_minor(plan.given)  # its own, not what the plan was made with
    owed = {client.client_id: client.owed_sats for client in plan.given.clients}
    total = plan.split.total_sats
    parts = (
        plan.confirmed_sats
        + plan.failed_sats
        + plan.operator_remainder_sats
        + plan.split.commission_sats
    )
    ensure(parts == total, "the parts of the cash-out do not add up to its total")
    ensure(plan.operator_remainder_sats >= 0, "more was shared than there is base")
    ensure(plan.drawn_minor <= plan.given.fiat_minor, "more fiat is charged than was sold")
    for share in plan.shares:
        ensure(share.sats >= 1, "a share moves less than one sat")
        ensure(share.fiat_minor >= 1, "sats would be given for no fiat")
        ensure(share.fiat_minor <= caps[share.client_id], "a client is charged too much")
        ensure(0 <= share.withheld_sats <= owed[share.client_id], "too much is withheld")
    kept = plan.outgoing_sats + plan.owed_sats
    ensure(kept <= total, "more would leave the source wallet than came in")
    withheld = sum(share.withheld_sats for share in plan.shares)
    ensure(withheld <= plan.operator_remainder_sats, "what is withheld is not the operator's")


def plan_hash(plan: Plan) -> str:
    """The hash recomputed from the plan's own fields, for whoever checks a stored one."""
    return _sha256(canonical_json(plan_facts(plan)))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def plan_facts(plan: Plan) -> dict[str, Any]:
    """What the hash covers; the order of clients plays no part."""
    clients = sorted(plan.given.clients, key=lambda client: client.client_id)
    owing = any(client.owed_sats for client in clients)
    version = PLAN_VERSION if owing else WITHOUT_RECEIVABLES
    return {
        "version": version,
        "given": {**vars(plan.given), "clients": [_facts(client, version) for client in clients]},
        "split": vars(plan.split),
        "drawn_minor": plan.drawn_minor,
        "shares": [_facts(share, version) for share in plan.shares],
        "commission": [plan.commission_state, plan.commission_problem],
    }


def _facts(one: PoolClient | Share, version: int) -> dict[str, Any]:
    if version > WITHOUT_RECEIVABLES:
        return vars(one)
    facts = dict(vars(one))
    for name in SINCE_RECEIVABLES:
        facts.pop(name, None)
    return facts


def canonical_json(facts: Any) -> str:
    """JSON with sorted keys and no spaces; fractions as 'n/d', enums as their value."""

    def plain(value: Any) -> Any:
        if isinstance(value, Fraction):
            return f"{value.numerator}/{value.denominator}"
        raise TypeError(f"{type(value).__name__} does not belong in a plan")

    return json.dumps(facts, sort_keys=True, separators=(",", ":"), default=plain)
