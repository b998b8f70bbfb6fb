"""Guards that only a second mistake could meet: broken on purpose here, one by one.

What they refuse cannot come out of the code beside them as it is, so each test makes that code lie.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from satmachineadmin.domain import allocation, plan
from satmachineadmin.domain.plan import Plan, PlanInput, make_plan
from satmachineadmin.domain.pool import PoolClient
from satmachineadmin.domain.states import FundingMode, SplitRule
from satmachineadmin.errors import InvariantViolation

GIVEN = PlanInput(
    lamassu_transaction_id="sale",
    rule=SplitRule.MARKUP,
    total_sats=266_800,
    commission_rate=Fraction(3, 100),
    discount_percent=Fraction(0),
    ticker_price=None,
    currency="GTQ",
    fiat_minor=200_000,
    draw_limit_minor=200_000,
    funding_mode=FundingMode.CREDIT,
    source_wallet_id="source",
    commission_wallet_id="commission",
    clients=(PoolClient("a", "wallet-a", "flow", None, 150_000, 0, 0),),
)


class GivesTooMuch(Plan):
    """Says that one sat more stays with the operator than there is."""

    @property
    def operator_remainder_sats(self) -> int:
        return super().operator_remainder_sats + 1


class OwesTooMuch(Plan):
    """Says that more is owed than came in."""

    @property
    def owed_sats(self) -> int:
        return self.split.total_sats


def _lies() -> dict[str, Plan]:
    honest = make_plan(GIVEN)
    (share,) = honest.shares
    fields = {name: vars(honest)[name] for name in vars(honest)}
    return {
        "do not add up to its total": GivesTooMuch(**fields),
        "more was shared than there is base": replace(
            honest, shares=(replace(share, sats=honest.split.base_sats + 1),)
        ),
        "more fiat is charged than was sold": replace(honest, drawn_minor=200_001),
        "moves less than one sat": replace(honest, shares=(replace(share, sats=0),)),
        "for no fiat": replace(honest, shares=(replace(share, fiat_minor=0),)),
        "charged too much": replace(honest, shares=(replace(share, fiat_minor=150_001),)),
        "more would leave the source wallet": OwesTooMuch(**fields),
    }


@pytest.mark.parametrize("complaint", list(_lies()))
def test_a_plan_that_lies_is_refused(complaint: str) -> None:
    with pytest.raises(InvariantViolation, match=complaint):
        plan._prove(_lies()[complaint])


def test_parts_that_do_not_add_up_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets the remainders."""
    monkeypatch.setattr(allocation, "sorted", lambda *_, **__: [], raising=False)
    with pytest.raises(InvariantViolation, match="do not add up"):
        allocation.largest_remainder(10, {"a": 1, "b": 1, "c": 1})
