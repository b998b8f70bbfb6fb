"""The explanation of a plan says what the plan did, for any pool."""

from __future__ import annotations

import json
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from satmachineadmin.domain.explain import explain
from satmachineadmin.domain.plan import PlanInput, make_plan
from satmachineadmin.domain.pool import PoolClient
from satmachineadmin.domain.states import FundingMode, SplitRule

WHY_NOT = {"below_a_sat", "paused", "later", "no_limit", "limit_used"}

clients = st.lists(
    st.builds(
        PoolClient,
        client_id=st.uuids().map(str),
        wallet_id=st.uuids().map(str),
        mode=st.sampled_from(["flow", "fixed", "resting"]),
        daily_limit_minor=st.none() | st.integers(1, 50_000),
        remaining_minor=st.integers(1, 100_000),
        later_credits_minor=st.integers(-100, 100_000),
        charged_same_day_minor=st.integers(0, 60_000),
    ),
    max_size=6,
)


@given(clients, st.integers(1, 10**6), st.integers(1, 200_000), st.integers(1, 200_000))
def test_its_numbers_are_those_of_the_plan(
    pool: list[PoolClient], total_sats: int, fiat_minor: int, limit_minor: int
) -> None:
    plan = make_plan(
        PlanInput(
            lamassu_transaction_id="sale",
            rule=SplitRule.MARKUP,
            total_sats=total_sats,
            commission_rate=Fraction(5, 100),
            discount_percent=Fraction(0),
            ticker_price=None,
            currency="GTQ",
            fiat_minor=fiat_minor,
            draw_limit_minor=limit_minor,
            funding_mode=FundingMode.CREDIT,
            source_wallet_id="source",
            commission_wallet_id=None,
            clients=tuple(pool),
            settle_without_clients=True,
        )
    )
    found = explain(json.loads(plan.facts))
    shares = {share.client_id: share for share in plan.shares}
    assert {part.client_id for part in found.parts} == {client.client_id for client in pool}
    assert found.base_sats == plan.split.base_sats
    assert found.drawn_minor <= min(found.together_minor, fiat_minor, limit_minor)
    assert sum(part.sats for part in found.parts) == found.pool_sats <= found.base_sats
    assert found.together_minor == sum(part.cap_minor for part in found.parts)
    for part in found.parts:
        share = shares.get(part.client_id)
        assert (part.why_not in WHY_NOT) == (share is None)
        assert (part.sats, part.fiat_minor) == ((share.sats, share.fiat_minor) if share else (0, 0))
        assert part.fiat_minor <= part.cap_minor
        if part.why_not == "below_a_sat":
            assert part.cap_minor > 0
