"""A stored plan run again: the same input must give the same plan, to the sat (tolerance 0)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ..errors import SatMachineError
from .eligibility import Sale, Stated, read_sale
from .money import exact
from .plan import PlanInput, make_plan
from .pool import PoolClient
from .states import FundingMode, SplitRule
from .verdicts import UNREADABLE

Row = Mapping[str, Any]

_CLAIM = ("owed_sats", "pace_percent")
_GIVEN = tuple(one.name for one in fields(PlanInput))
_CLIENT = tuple(one.name for one in fields(PoolClient))
# A plan in which nobody owed does not name these, the last ones.
_CLIENT_OWING_NOTHING = _CLIENT[: -len(_CLAIM)]
_RATES = ("commission_rate", "discount_percent", "ticker_price")


class ReplayProblem(Exception):
    """The stored plan does not hold; with both values."""

    def __init__(self, code: str, what: str, expected: Any, actual: Any):
        super().__init__(code)
        self.code, self.what = code, what
        self.expected, self.actual = str(expected)[:300], str(actual)[:300]


@lru_cache(maxsize=4)
def stored_sale(text: str) -> tuple[dict[str, Any], Sale]:
    """A stored row of Lamassu and what can be read of it; asked for by several comparisons in turn.
    Raises one of UNREADABLE.
    """
    row = json.loads(text)
    if not isinstance(row, dict):
        raise ValueError("a stored row is no object")
    return row, read_sale(row)


def read_stated(text: str | None) -> Stated | None:
    """What a person stated about a cash-out; None when the rules alone decide. Raises one of
    UNREADABLE.
    """
    if text is None:
        return None
    facts = json.loads(text)
    rate, discount = facts.get("commission_rate"), facts.get("discount_percent")
    return Stated(
        fiat_minor=facts.get("fiat_minor"),
        fiat_is_wrong=bool(facts.get("fiat_is_wrong")),
        commission_rate=Fraction(rate) if rate is not None else None,
        discount_percent=Fraction(discount) if discount is not None else None,
    )


def replay(cash_out: Row, stated: Stated | None) -> dict[str, Any]:
    """The stored plan's facts. Raises ReplayProblem when its hash, its re-run or its input is
    not what the cash-out says.
    """
    text, stored = cash_out["plan_json"], cash_out["plan_hash"]
    if not text or not stored:
        raise ReplayProblem("plan_missing", "plan", "a plan with its hash", "none")
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digest != stored:
        raise ReplayProblem("plan_hash", "plan_hash", digest, stored)
    try:
        facts: dict[str, Any] = json.loads(text)
        given = plan_input_of(facts["given"])
        again = make_plan(given)
    except (SatMachineError, *UNREADABLE) as exc:
        raise ReplayProblem("plan_rerun", "plan", stored, f"{type(exc).__name__}: {exc}") from exc
    if again.hash != stored:
        raise ReplayProblem("plan_rerun", "plan", stored, again.hash)
    _compare_input(cash_out, given, stated or Stated())
    return facts


def plan_input_of(given: Mapping[str, Any]) -> PlanInput:
    """The input of a plan from its stored facts."""
    values = {name: given[name] for name in _GIVEN}
    for name in _RATES:
        if values[name] is not None:
            values[name] = exact(values[name])
    values["rule"] = SplitRule(values["rule"])
    values["funding_mode"] = FundingMode(values["funding_mode"])
    values["clients"] = tuple(_client(client) for client in given["clients"])
    return PlanInput(**values)


def _client(client: Mapping[str, Any]) -> PoolClient:
    names = _CLIENT if _CLAIM[0] in client else _CLIENT_OWING_NOTHING
    return PoolClient(*[client[name] for name in names])


def _compare_input(cash_out: Row, given: PlanInput, stated: Stated) -> None:
    """What was planned with is what the stored row and the operator say."""
    try:
        sale = stored_sale(cash_out["source_row"])[1]
    except UNREADABLE:
        return  # the snapshot's own comparison names it
    wrong = stated.fiat_is_wrong and stated.fiat_minor is not None
    fiat_minor = stated.fiat_minor if wrong else sale.fiat_minor
    rate, discount = stated.commission_rate, stated.discount_percent
    wanted = {
        "lamassu_transaction_id": cash_out["lamassu_transaction_id"],
        "total_sats": sale.total_sats,
        "commission_rate": sale.commission_rate if rate is None else rate,
        "discount_percent": (
            sale.discount_percent or Fraction(0) if discount is None else discount
        ),
        "ticker_price": sale.ticker_price,
        "currency": sale.fiat_code,
        "fiat_minor": fiat_minor,
        "draw_limit_minor": fiat_minor if stated.fiat_minor is None else stated.fiat_minor,
    }
    for name, value in wanted.items():
        if getattr(given, name) != value:
            raise ReplayProblem("plan_input", name, value, getattr(given, name))
