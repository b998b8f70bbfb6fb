"""What an action would do, as a person is shown it: cash-outs, legs and sums, with a hash over it.

Made inside the transaction that does it (services/rehearsal.py), whether that is committed or not.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import clock
from ..database import BooksConnection, Row
from ..domain.money import CURRENCY_EXPONENT, decimal_text
from ..domain.plan import Leg, LegKind, Plan, Share, canonical_json
from ..domain.states import HOLD_REASONS, CashOutState, HoldCode, ShareState

SETTLED = "settled"
HELD = "held"
WAITING = "waiting"
OTHER = "other"


@dataclass
class Effect:
    """One action's effect. `done`: whether executing it would do anything at all."""

    cash_outs: list[dict[str, Any]] = field(default_factory=list)
    legs: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)  # before and after
    done: bool = False
    unplanned: int = 0  # payable sales that were not even taken in for this
    more: Counter[str] = field(default_factory=Counter)  # outcome -> cash-outs counted, not shown

    def change(
        self,
        code: str,
        before: int | str | None,
        after: int | str | None,
        *,
        unit: str = "sat",
        client_id: str | None = None,
        of: str | None = None,
    ) -> None:
        """Something that is another afterwards; fiat as decimal text, sats as numbers."""
        known = {"code": code, "before": before, "after": after, "unit": unit}
        self.changes.append({**known, "client_id": client_id, "of": of})

    def remark(self, code: str, text: str, **facts: Any) -> None:
        """Something a person should know; the code is for the page's own words."""
        self.remarks.append({"code": code, "text": text, **facts})

    def hash(self) -> str:
        """Over all that decides the effect; our ids of sales that are not stored yet are random."""
        facts = {
            "cash_outs": [{**one, "id": None} for one in self.cash_outs],
            "legs": self.legs,
            "changes": self.changes,
            "done": self.done,
        }
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()


def amount_sats(effect: Effect, given_up_sats: int = 0) -> int:
    """The sum the button names: what clients get, else what leaves the source wallet at all."""
    to_clients = _sum(leg for leg in effect.legs if leg["kind"] == LegKind.SHARE.value)
    moved = _sum(leg for leg in effect.legs if leg["kind"] != LegKind.FUNDING.value)
    return to_clients or moved or given_up_sats


def _sum(legs: Iterable[Mapping[str, Any]]) -> int:
    return sum(int(leg["sats"]) for leg in legs)


def totals(effect: Effect) -> dict[str, int]:
    """Counts of all, sums over what would be settled."""
    outcomes = [one["outcome"] for one in effect.cash_outs]
    settled = [one for one in effect.cash_outs if one["outcome"] == SETTLED]
    shares = [leg for leg in effect.legs if leg["kind"] == LegKind.SHARE.value]
    sources = {
        leg["to_wallet_id"] if leg["from_wallet_id"] is None else leg["from_wallet_id"]
        for leg in effect.legs
    }
    return {
        "cash_outs": len(effect.cash_outs) + sum(effect.more.values()),
        "settled": len(settled),
        "held": outcomes.count(HELD) + effect.more[HELD],
        "waiting": outcomes.count(WAITING) + effect.more[WAITING],
        "total_sats": sum(one["total_sats"] for one in settled),
        "base_sats": sum(one["base_sats"] for one in settled),
        "commission_sats": sum(one["commission_sats"] for one in settled),
        "shares_sats": _sum(shares),
        "shares": len(shares),
        "clients": len({leg["client_id"] for leg in shares}),
        "failed_sats": sum(
            share["sats"]
            for one in settled
            for share in one["shares"]
            if share["status"] == ShareState.FAILED.value
        ),
        "operator_remainder_sats": sum(one["operator_remainder_sats"] for one in settled),
        "source_wallet_change_sats": _sum(x for x in effect.legs if x["to_wallet_id"] in sources)
        - _sum(leg for leg in effect.legs if leg["from_wallet_id"] in sources),
    }


def show_planned(cash_out: Row, plan: Plan, *, stored: bool) -> dict[str, Any]:
    """A cash-out as its plan would settle it."""
    given = plan.given
    return {
        **_sale(cash_out, stored),
        "outcome": SETTLED,
        "status": CashOutState.COMPLETED.value,
        "hold_code": None,
        "why": None,
        "total_sats": plan.split.total_sats,
        "base_sats": plan.split.base_sats,
        "commission_sats": plan.split.commission_sats,
        "commission_status": plan.commission_state.value,
        "commission_problem": plan.commission_problem,
        "split_rule": given.rule.value,
        "fiat": decimal_text(given.fiat_minor, given.currency),
        "drawn": decimal_text(plan.drawn_minor, given.currency),
        "shares": [_share_of(share, given.currency) for share in plan.shares],
        "operator_remainder_sats": plan.operator_remainder_sats,
        "plan_hash": plan.hash,
    }


def _share_of(share: Share, currency: str) -> dict[str, Any]:
    return {
        "client_id": share.client_id,
        "wallet_id": share.wallet_id,
        "sats": share.sats,
        "fiat": decimal_text(share.fiat_minor, currency),
        "status": share.state.value,
        "problem": share.problem,
        "withheld_sats": share.withheld_sats,
    }


def show_row(
    cash_out: Row,
    outcome: str,
    *,
    stored: bool = True,
    why: str | None = None,
    shares: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """A cash-out as its row says, with the shares that the action is about."""
    code = HoldCode(cash_out["hold_code"]) if cash_out["hold_code"] else None
    reason = HOLD_REASONS[code] if code else cash_out["error_message"]
    currency, minor = str(cash_out["fiat_code"]), cash_out["fiat_minor"]
    drawn = cash_out["drawn_minor"]
    known = currency in CURRENCY_EXPONENT
    return {
        **_sale(cash_out, stored),
        "outcome": outcome,
        "status": cash_out["status"],
        "hold_code": code.value if code else None,
        "why": why or reason,
        "total_sats": _total(cash_out),
        "base_sats": cash_out["base_sats"],
        "commission_sats": cash_out["commission_sats"],
        "commission_status": cash_out["commission_status"],
        "commission_problem": cash_out["commission_message"],
        "split_rule": cash_out["split_rule"],
        "fiat": decimal_text(int(minor), currency) if known and minor is not None else None,
        "drawn": decimal_text(int(drawn), currency) if known and drawn is not None else None,
        "shares": list(shares),
        "operator_remainder_sats": cash_out["operator_remainder_sats"],
        "plan_hash": cash_out["plan_hash"],
    }


def show_share(share: Row) -> dict[str, Any]:
    """A stored share as it is."""
    return {
        "client_id": share["client_id"],
        "wallet_id": share["wallet_id"],
        "sats": int(share["amount_sats"]),
        "fiat": decimal_text(int(share["fiat_minor"]), str(share["currency"])),
        "status": share["status"],
        "problem": share["error_message"],
        "withheld_sats": int(share["withheld_sats"] or 0),
    }


def _sale(cash_out: Row, stored: bool) -> dict[str, Any]:
    return {
        "id": cash_out["id"] if stored else None,
        "lamassu_transaction_id": cash_out["lamassu_transaction_id"],
        "sold_at": clock.iso(cash_out["confirmed_at_us"] or cash_out["created_us"]),
        "machine_name": cash_out["machine_name"],
        "currency": cash_out["fiat_code"],
    }


def _total(cash_out: Row) -> int | None:
    if cash_out["total_sats"] is not None:
        return int(cash_out["total_sats"])
    known = [
        int(cash_out[name])
        for name in ("crypto_atoms", "received_crypto_atoms")
        if cash_out[name] is not None
    ]
    return min(known, default=None)


def show_leg(leg: Leg) -> dict[str, Any]:
    """One movement of sats."""
    return {
        "key": leg.key,
        "kind": leg.kind.value,
        "from_wallet_id": leg.from_wallet_id,
        "to_wallet_id": leg.to_wallet_id,
        "client_id": leg.client_id,
        "sats": leg.amount_sats,
    }


async def name_everybody(conn: BooksConnection, effect: Effect) -> None:
    """Put clients' and wallets' names beside their ids."""
    shares = [share for one in effect.cash_outs for share in one["shares"]]
    about = {share["client_id"] for share in shares}
    about |= {one["client_id"] for one in effect.changes} - {None}
    wallets = {share["wallet_id"] for share in shares}
    for leg in effect.legs:
        wallets |= {leg["from_wallet_id"], leg["to_wallet_id"]} - {None}
    found = await conn.rows_in(
        "SELECT id, name FROM wallets WHERE id IN ({marks})", sorted(wallets)
    )
    wallet_names = {row["id"]: row["name"] for row in found}
    found = await conn.rows_in(
        "SELECT id, username FROM satoshimachine.dca_clients WHERE id IN ({marks})",
        sorted(about | {leg["client_id"] for leg in effect.legs} - {None}),
    )
    names = {row["id"]: row["username"] for row in found}
    for change in effect.changes:
        change["username"] = names.get(change["client_id"])
    for share in shares:
        share["username"] = names.get(share["client_id"])
        share["wallet_name"] = wallet_names.get(share["wallet_id"])
    for leg in effect.legs:
        client_id = leg["client_id"]
        leg["to_whom"] = names.get(client_id) or client_id if client_id else None
        leg["from_wallet"] = wallet_names.get(leg["from_wallet_id"])
        leg["to_wallet"] = wallet_names.get(leg["to_wallet_id"])
