"""What is withheld from shares: conserved, never more than owed, whatever the order of clients."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from satmachineadmin.domain.plan import Plan, PlanInput, make_plan, plan_facts
from satmachineadmin.domain.pool import PoolClient
from satmachineadmin.domain.receivable import withheld_sats
from satmachineadmin.domain.states import FundingMode, SplitRule


def flow(number: int, remaining: int, owed: int, pace: int, *, gone: bool = False) -> PoolClient:
    problem = "the wallet was deleted" if gone else None
    name = f"client{number}"
    return PoolClient(
        name, f"wallet-{name}", "flow", None, remaining, 0, 0, problem, None, owed, pace
    )


@st.composite
def sales(draw: st.DrawFn) -> PlanInput:
    clients = tuple(
        flow(
            number,
            draw(st.integers(0, 300_000)),
            draw(st.one_of(st.just(0), st.integers(1, 400_000))),
            draw(st.integers(1, 100)),
            gone=draw(st.booleans()),
        )
        for number in range(draw(st.integers(1, 6)))
    )
    return PlanInput(
        lamassu_transaction_id="3f8a1c2e-0000-4000-8000-000000000001",
        rule=SplitRule.MARKUP,
        total_sats=draw(st.integers(1, 2_000_000)),
        commission_rate=Fraction(draw(st.integers(0, 20)), 100),
        discount_percent=Fraction(0),
        ticker_price=None,
        currency="GTQ",
        fiat_minor=(fiat := draw(st.integers(1, 500_000))),
        draw_limit_minor=fiat,
        funding_mode=FundingMode.CREDIT,
        source_wallet_id="source",
        commission_wallet_id="commission",
        clients=clients,
        settle_without_clients=True,
    )


def nobody_owes(sale: PlanInput) -> PlanInput:
    free = tuple(replace(one, owed_sats=0, pace_percent=0) for one in sale.clients)
    return replace(sale, clients=free)


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(1, 100))
def test_a_share_keeps_a_sat_and_the_claim_is_never_exceeded(
    share: int, owed: int, pace: int
) -> None:
    kept = withheld_sats(share, owed, pace)
    assert 0 <= kept <= owed
    assert share - kept >= 1
    assert kept * 100 <= share * pace
    if owed and pace == 100:
        assert kept == min(owed, share - 1)


@given(sales())
@settings(max_examples=200, deadline=None)
def test_what_is_withheld_is_the_operators_to_the_sat(sale: PlanInput) -> None:
    """Beside the same sale without claims: every share's fiat is the same, and every sat there."""
    plan, free = make_plan(sale), make_plan(nobody_owes(sale))
    owed = {one.client_id: one.owed_sats for one in sale.clients}
    assert [s.client_id for s in plan.shares] == [s.client_id for s in free.shares]
    for share, full in zip(plan.shares, free.shares, strict=True):
        assert (share.fiat_minor, share.full_sats) == (full.fiat_minor, full.sats)
        assert share.sats >= 1
        assert 0 <= share.withheld_sats <= owed[share.client_id]
    withheld = sum(share.withheld_sats for share in plan.shares)
    assert plan.operator_remainder_sats == free.operator_remainder_sats + withheld
    assert plan.split == free.split
    assert plan.drawn_minor == free.drawn_minor


@given(sales(), st.randoms())
@settings(max_examples=100, deadline=None)
def test_the_order_of_clients_does_not_matter(sale: PlanInput, chance: st.DataObject) -> None:
    shuffled = list(sale.clients)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert make_plan(replace(sale, clients=tuple(shuffled))).hash == make_plan(sale).hash


@given(sales())
@settings(max_examples=100, deadline=None)
def test_a_plan_without_claims_is_one_of_version_1(sale: PlanInput) -> None:
    """So that what was settled before there were claims hashes as it did."""

    def names(plan: Plan) -> set[str]:
        facts = plan_facts(plan)
        parts = [*facts["given"]["clients"], *facts["shares"]]
        return {name for part in parts for name in part}

    free, plan = make_plan(nobody_owes(sale)), make_plan(sale)
    assert plan_facts(free)["version"] == 1
    assert not names(free) & {"owed_sats", "pace_percent", "withheld_sats"}
    owing = any(one.owed_sats for one in sale.clients)
    assert plan_facts(plan)["version"] == (2 if owing else 1)
    assert (plan.hash == free.hash) == (not owing)
