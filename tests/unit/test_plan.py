"""The plan: where every sat and every minor unit of a cash-out goes (design.md 2 and 3)."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from satmachineadmin.domain.money import SATS_PER_COIN
from satmachineadmin.domain.plan import (
    WALLET_FULL,
    Leg,
    LegKind,
    Plan,
    PlanInput,
    Share,
    canonical_json,
    caps_minor,
    leg_key,
    make_plan,
    plan_facts,
    plan_hash,
    share_leg,
)
from satmachineadmin.domain.pool import PoolClient, cap_minor
from satmachineadmin.domain.states import CommissionState, FundingMode, ShareState, SplitRule
from satmachineadmin.errors import Disposition, InvariantViolation

SALE = "3f8a1c2e-0000-4000-8000-000000000001"
GONE = "the wallet was deleted"
PLAN_HASH = "729072cfb5bd1adc2f28965dd05d39d439b0ac7c5f78718c3deef81ac6a9ab48"


def flow(client_id: str, remaining_minor: int, **changes: Any) -> PoolClient:
    """A flow client with a wallet of their own."""
    who = PoolClient(client_id, f"wallet-{client_id}", "flow", None, remaining_minor, 0, 0)
    return replace(who, **changes)


def sale(*clients: PoolClient, **changes: Any) -> PlanInput:
    """266,800 sats sold for GTQ 2,000.00 at 3 %: base 259,029, commission 7,771."""
    return replace(
        PlanInput(
            lamassu_transaction_id=SALE,
            rule=SplitRule.MARKUP,
            total_sats=266_800,
            commission_rate=Fraction(3, 100),
            discount_percent=Fraction(0),
            ticker_price=Fraction("771850.5"),
            currency="GTQ",
            fiat_minor=200_000,
            draw_limit_minor=200_000,
            funding_mode=FundingMode.CREDIT,
            source_wallet_id="source",
            commission_wallet_id="commission",
            clients=clients,
        ),
        **changes,
    )


def told(plan: Plan) -> dict[str, tuple[int, int]]:
    """Client id -> (fiat charged, sats)."""
    return {share.client_id: (share.fiat_minor, share.sats) for share in plan.shares}


# -- worked examples -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "shares", "remainder"),
    [
        pytest.param(
            sale(flow("a", 100_000), flow("b", 50_000), flow("c", 50_000)),
            {"a": (100_000, 129_515), "b": (50_000, 64_757), "c": (50_000, 64_757)},
            0,
            id="all of it covered, the odd sat to the largest remainder",
        ),
        pytest.param(
            sale(flow("a", 60_000), flow("b", 40_000)),
            {"a": (60_000, 77_708), "b": (40_000, 51_806)},
            129_515,
            id="half of it covered",
        ),
        pytest.param(
            sale(flow("a", 300_000), flow("b", 100_000)),
            {"a": (150_000, 194_272), "b": (50_000, 64_757)},
            0,
            id="more deposited than sold",
        ),
        pytest.param(
            sale(flow("a", 300_000), flow("b", 100_000), draw_limit_minor=50_000),
            {"a": (37_500, 48_568), "b": (12_500, 16_189)},
            194_272,
            id="a quarter dispensed: the price stays base / fiat",
        ),
        pytest.param(
            sale(flow("a", 300_000), fiat_minor=50_000, draw_limit_minor=50_000),
            {"a": (50_000, 259_029)},
            0,
            id="Lamassu's own fiat was wrong: the price changes",
        ),
        pytest.param(
            sale(flow("a", 300_000), draw_limit_minor=900_000),
            {"a": (200_000, 259_029)},
            0,
            id="never more than was sold",
        ),
        pytest.param(sale(settle_without_clients=True), {}, 259_029, id="nobody"),
        pytest.param(
            sale(flow("a", 0), flow("b", 500, mode="paused"), flow("c", 500, mode="fixed")),
            {},
            259_029,
            id="nobody with a cap",
        ),
        pytest.param(
            sale(flow("b", 1), flow("a", 1), fiat_minor=2, draw_limit_minor=1),
            {"a": (1, 129_514)},
            129_515,
            id="a tie goes to the smaller id",
        ),
        pytest.param(
            sale(flow("a", 1_000), flow("b", 1_000), total_sats=1_030, fiat_minor=10**6),
            {"a": (1_000, 1), "b": (1_000, 1)},
            998,
            id="a sat each",
        ),
        pytest.param(
            sale(flow("a", 600), flow("b", 600), total_sats=1_030, fiat_minor=10**6),
            {"a": (600, 1)},
            999,
            id="a share of no sat is charged nothing",
        ),
        pytest.param(
            sale(flow("a", 200_000), total_sats=1),
            {},
            0,
            id="1 sat is all commission",
        ),
    ],
)
def test_make_plan_worked_examples(
    given_: PlanInput, shares: dict[str, tuple[int, int]], remainder: int
) -> None:
    """design.md 3.3, 3.4 and 3.8, each figure computed by hand."""
    plan = make_plan(given_)
    assert told(plan) == shares
    assert plan.operator_remainder_sats == remainder
    assert plan.drawn_minor == sum(fiat for fiat, _ in shares.values())


@pytest.mark.parametrize(
    ("total", "base", "commission"), [(1_000, 970, 30), (1_000_000, 970_873, 29_127)]
)
def test_make_plan_small_and_large(total: int, base: int, commission: int) -> None:
    """LSP-27..30: 1,000 and 1,000,000 sats in and out, account by account."""
    plan = make_plan(sale(flow("a", 200_000), total_sats=total))
    assert [(leg.kind, leg.to_wallet_id, leg.amount_sats) for leg in plan.legs()] == [
        (LegKind.FUNDING, "source", total),
        (LegKind.SHARE, "wallet-a", base),
        (LegKind.COMMISSION, "commission", commission),
    ]
    balances = run_legs(plan, {})
    assert balances == {"source": 0, "wallet-a": base, "commission": commission}


def test_make_plan_production_row_under_all_three_rules() -> None:
    """lamassu.md 0: what the rule decides is who gets 1,469 and 11 sats."""
    row = sale(
        flow("a", 400_000),
        total_sats=512_400,
        commission_rate=Fraction("0.055"),
        ticker_price=Fraction("826091.28"),
        fiat_minor=400_000,
        draw_limit_minor=400_000,
    )
    shared = {rule: told(make_plan(replace(row, rule=rule))) for rule in SplitRule}
    assert shared == {
        SplitRule.MARKUP: {"a": (400_000, 485_687)},
        SplitRule.MARGIN: {"a": (400_000, 484_218)},
        SplitRule.TICKER: {"a": (400_000, 484_207)},
    }


@pytest.mark.parametrize(
    ("changes", "state", "problem", "moved", "owed"),
    [
        ({}, CommissionState.PAID, None, 7_771, 0),
        ({"commission_wallet_id": None}, CommissionState.KEPT, None, 0, 0),
        ({"commission_wallet_id": "source"}, CommissionState.KEPT, None, 0, 0),
        ({"commission_rate": Fraction(0)}, CommissionState.NONE, None, 0, 0),
        ({"commission_wallet_problem": GONE}, CommissionState.FAILED, GONE, 0, 7_771),
        ({"commission_room_sats": 7_770}, CommissionState.FAILED, WALLET_FULL, 0, 7_771),
        ({"commission_room_sats": 7_771}, CommissionState.PAID, None, 7_771, 0),
        (
            {"commission_wallet_id": None, "commission_wallet_problem": GONE},
            CommissionState.KEPT,
            None,
            0,
            0,
        ),
        (
            {"commission_rate": Fraction(0), "commission_wallet_problem": GONE},
            CommissionState.NONE,
            None,
            0,
            0,
        ),
    ],
)
def test_make_plan_commission_states(
    changes: dict[str, Any],
    state: CommissionState,
    problem: str | None,
    moved: int,
    owed: int,
) -> None:
    """design.md 3.7, and 2: an unusable commission wallet never costs a client anything."""
    plan = make_plan(sale(flow("a", 100_000), **changes))
    assert (plan.commission_state, plan.commission_problem) == (state, problem)
    assert (plan.commission_moved_sats, plan.owed_sats) == (moved, owed)
    assert any(leg.kind is LegKind.COMMISSION for leg in plan.legs()) == (moved > 0)
    if "commission_rate" not in changes:
        assert told(plan) == {"a": (100_000, 129_514)}


def test_make_plan_wallet_shared_by_two_clients_has_one_room() -> None:
    shared = {"wallet_id": "family", "room_sats": 100_000}
    plan = make_plan(sale(flow("a", 100_000, **shared), flow("b", 50_000, **shared)))
    # a's 129,515 sats do not fit, b's 64,757 do.
    assert [(s.client_id, s.state, s.problem) for s in plan.shares] == [
        ("a", ShareState.FAILED, WALLET_FULL),
        ("b", ShareState.CONFIRMED, None),
    ]
    plan = make_plan(sale(flow("a", 40_000, **shared), flow("b", 50_000, **shared)))
    # 51,805 and 64,757: each would fit, both do not.
    assert [share.state for share in plan.shares] == [ShareState.CONFIRMED, ShareState.FAILED]


@pytest.mark.parametrize(
    ("room_sats", "state"),
    [
        (None, ShareState.CONFIRMED),
        (129_514, ShareState.CONFIRMED),  # exactly full
        (129_513, ShareState.FAILED),
        (0, ShareState.FAILED),
    ],
)
def test_make_plan_share_fits_its_wallet_to_the_sat(
    room_sats: int | None, state: ShareState
) -> None:
    plan = make_plan(sale(flow("a", 100_000, room_sats=room_sats)))
    assert told(plan) == {"a": (100_000, 129_514)}
    assert plan.shares[0].state is state


def test_make_plan_commission_wallet_that_is_a_clients_has_one_room() -> None:
    who = flow("a", 200_000, wallet_id="commission", room_sats=260_000)
    plan = make_plan(sale(who, commission_room_sats=260_000))
    assert plan.confirmed_sats == 259_029
    assert (plan.commission_state, plan.commission_problem) == (
        CommissionState.FAILED,
        WALLET_FULL,
    )


@pytest.mark.parametrize(
    "broken",
    [
        sale(fiat_minor=0, draw_limit_minor=0),
        sale(flow("a", 1), draw_limit_minor=-1),
        sale(flow("a", 1), commission_rate=None),
        sale(flow("a", 1), commission_rate=Fraction(-1, 100)),
        sale(flow("a", 1), commission_rate=Fraction(2)),
        sale(flow("a", 1), rule=SplitRule.TICKER, ticker_price=None),
        sale(flow("a", 1), total_sats=-1),
    ],
)
def test_make_plan_halts_on_what_should_have_been_held(broken: PlanInput) -> None:
    with pytest.raises(InvariantViolation) as caught:
        make_plan(broken)
    assert caught.value.disposition is Disposition.HALT


# -- laws ----------------------------------------------------------------------------------------

CLIENT_IDS = [f"client-{n}" for n in range(7)]
WALLET_IDS = ["w0", "w1", "w2", "w3", "commission"]
PROBLEMS = st.one_of(st.none(), st.none(), st.just(GONE))


def amounts(most: int) -> st.SearchStrategy[int]:
    return st.one_of(st.integers(1, 12), st.integers(1, 10**5), st.integers(1, most))


@st.composite
def plan_inputs(draw: st.DrawFn) -> PlanInput:
    """Any cash-out that the rules let through, with any clients; wallets may be shared."""
    total = draw(amounts(21 * 10**14))
    fiat = draw(amounts(10**12))
    near = st.one_of(st.integers(-5, 5), st.integers(0, fiat), st.integers(0, 3 * fiat))
    rooms = st.one_of(st.none(), st.integers(0, total), st.integers(0, 3))
    wallets = {wallet: (draw(PROBLEMS), draw(rooms)) for wallet in WALLET_IDS}

    def client(client_id: str) -> PoolClient:
        wallet = draw(st.sampled_from(WALLET_IDS))
        problem, room = wallets[wallet]
        return PoolClient(
            client_id,
            wallet,
            draw(st.sampled_from(["flow", "flow", "fixed", "paused"])),
            draw(st.one_of(st.none(), near)),
            draw(near),
            draw(st.one_of(st.just(0), near)),
            draw(st.one_of(st.just(0), st.integers(0, fiat))),
            problem,
            room,
        )

    ids = draw(st.lists(st.sampled_from(CLIENT_IDS), unique=True, max_size=len(CLIENT_IDS)))
    price = Fraction(fiat * SATS_PER_COIN, 100 * total) * draw(st.integers(50, 200)) / 100
    commission_wallet = draw(st.sampled_from([None, "source", "commission", "w0"]))
    commission_problem, commission_room = wallets.get(commission_wallet or "", (None, None))
    return PlanInput(
        lamassu_transaction_id=SALE,
        rule=draw(st.sampled_from(SplitRule)),
        total_sats=total,
        commission_rate=Fraction(draw(st.integers(0, 10**5)), 10**5),
        discount_percent=Fraction(draw(st.integers(0, 100))),
        ticker_price=price,
        currency="GTQ",
        fiat_minor=fiat,
        draw_limit_minor=draw(st.one_of(st.just(fiat), st.integers(0, 2 * fiat))),
        funding_mode=draw(st.sampled_from(FundingMode)),
        source_wallet_id="source",
        commission_wallet_id=commission_wallet,
        clients=tuple(client(client_id) for client_id in ids),
        settle_without_clients=True,
        commission_wallet_problem=commission_problem,
        commission_room_sats=commission_room,
    )


def run_legs(plan: Plan, balances: dict[str | None, int]) -> dict[str | None, int]:
    """Carry out the legs in their order; no wallet may ever be below zero."""
    for leg in plan.legs():
        if leg.from_wallet_id is not None:
            balances[leg.from_wallet_id] = balances.get(leg.from_wallet_id, 0) - leg.amount_sats
            assert balances[leg.from_wallet_id] >= 0, leg
        balances[leg.to_wallet_id] = balances.get(leg.to_wallet_id, 0) + leg.amount_sats
    return balances


@given(plan_inputs())
def test_plan_every_sat_is_somewhere(given_: PlanInput) -> None:
    """design.md 2: total = confirmed + failed + operator remainder + commission. SAT-20."""
    plan = make_plan(given_)
    base, commission = plan.split.base_sats, plan.split.commission_sats
    assert base + commission == given_.total_sats
    shared = sum(share.sats for share in plan.shares)
    assert plan.confirmed_sats + plan.failed_sats == shared
    assert shared + plan.operator_remainder_sats == base
    assert min(base, commission, plan.operator_remainder_sats) >= 0


@given(plan_inputs())
def test_plan_charges_what_it_says_and_nobody_above_their_cap(given_: PlanInput) -> None:
    """design.md 3.3 and 3.4: the stored drawn is exactly what was charged."""
    plan = make_plan(given_)
    caps = {who.client_id: cap_minor(who) for who in given_.clients}
    assert plan.drawn_minor == sum(share.fiat_minor for share in plan.shares)
    assert plan.drawn_minor >= 0
    assert plan.drawn_minor <= min(given_.fiat_minor, given_.draw_limit_minor, sum(caps.values()))
    for share in plan.shares:
        assert 1 <= share.fiat_minor <= caps[share.client_id]
        assert share.sats >= 1
    left = {who.client_id: who.remaining_minor for who in given_.clients}
    for share in plan.shares:
        assert left[share.client_id] - share.fiat_minor >= 0


@given(plan_inputs())
def test_plan_draws_all_it_may_unless_a_share_would_be_no_sat(given_: PlanInput) -> None:
    """The other side: nothing that is covered stays with the operator by accident."""
    plan = make_plan(given_)
    caps = caps_minor(given_)
    may = min(given_.fiat_minor, given_.draw_limit_minor, sum(caps.values()))
    covered = plan.split.base_sats * may // given_.fiat_minor
    assert sum(share.sats for share in plan.shares) == covered
    if len(plan.shares) == len(caps):
        assert plan.drawn_minor == may


@given(plan_inputs())
def test_plan_price_is_within_a_sat_of_lamassus(given_: PlanInput) -> None:
    """design.md 3.8: each share is its fiat x base / fiat, by less than two roundings."""
    plan = make_plan(given_)
    for share in plan.shares:
        exact = Fraction(plan.split.base_sats * share.fiat_minor, given_.fiat_minor)
        assert exact - 2 < share.sats < exact + 1


@given(plan_inputs())
def test_plan_gives_nothing_to_a_client_without_a_cap(given_: PlanInput) -> None:
    """Zero cap, unknown mode, fixed without a limit, limit below zero: no share, no charge."""
    plan = make_plan(given_)
    without = {who.client_id for who in given_.clients if cap_minor(who) == 0}
    assert not without & {share.client_id for share in plan.shares}
    kept = tuple(who for who in given_.clients if who.client_id not in without)
    assert make_plan(replace(given_, clients=kept)).shares == plan.shares


@given(plan_inputs(), st.randoms())
def test_plan_does_not_see_the_order_of_clients(given_: PlanInput, random: Any) -> None:
    clients = list(given_.clients)
    random.shuffle(clients)
    one, other = make_plan(given_), make_plan(replace(given_, clients=tuple(clients)))
    assert one.hash == other.hash
    assert one.shares == other.shares
    assert one.legs() == other.legs()


@given(plan_inputs())
def test_plan_same_input_same_plan(given_: PlanInput) -> None:
    """Recalculation tolerates 0 (design.md 3.2)."""
    one, other = make_plan(given_), make_plan(given_)
    assert one == other
    assert one.hash == plan_hash(one)
    assert one.facts == canonical_json(plan_facts(one))
    assert one.hash == hashlib.sha256(one.facts.encode()).hexdigest()


@given(plan_inputs())
def test_plan_legs_carry_exactly_what_the_sums_say(given_: PlanInput) -> None:
    plan = make_plan(given_)
    legs = plan.legs()
    funding = [leg for leg in legs if leg.kind is LegKind.FUNDING]
    moving = [leg for leg in legs if leg.kind is not LegKind.FUNDING]
    if given_.funding_mode is FundingMode.CREDIT:
        assert legs[0].kind is LegKind.FUNDING
        assert [leg.amount_sats for leg in funding] == [given_.total_sats]
        assert (legs[0].from_wallet_id, legs[0].to_wallet_id) == (None, "source")
    else:
        assert not funding
    assert sum(leg.amount_sats for leg in moving) == plan.outgoing_sats
    assert plan.outgoing_sats == plan.confirmed_sats + plan.commission_moved_sats
    assert all(leg.amount_sats >= 1 for leg in legs)
    assert all(leg.from_wallet_id == "source" for leg in moving)
    assert all(leg.to_wallet_id for leg in legs)
    keys = [leg.key for leg in legs]
    assert len(keys) == len(set(keys))
    assert all(key.startswith(f"{SALE}:") for key in keys)


@given(plan_inputs())
def test_plan_source_wallet_keeps_the_identity(given_: PlanInput) -> None:
    """design.md 2: (credit: + total) - confirmed - commission moved; the owed is there."""
    plan = make_plan(given_)
    before = 0 if given_.funding_mode is FundingMode.CREDIT else given_.total_sats
    after = run_legs(plan, {"source": before})
    assert after["source"] == given_.total_sats - plan.outgoing_sats
    assert after["source"] >= plan.owed_sats
    kept = plan.commission_state is CommissionState.KEPT
    own = plan.operator_remainder_sats + (plan.split.commission_sats if kept else 0)
    assert after["source"] == plan.owed_sats + own


@given(plan_inputs())
def test_plan_funding_modes_differ_in_the_funding_leg_only(given_: PlanInput) -> None:
    """design.md 3.6: never credit what is already there; everything else is the same."""
    credit = make_plan(replace(given_, funding_mode=FundingMode.CREDIT))
    prefunded = make_plan(replace(given_, funding_mode=FundingMode.PREFUNDED))
    assert credit.legs()[1:] == prefunded.legs()
    for each in fields(Plan):
        if each.name not in ("given", "facts", "hash"):
            assert getattr(credit, each.name) == getattr(prefunded, each.name)
    assert credit.hash != prefunded.hash


@given(plan_inputs(), st.data())
def test_plan_one_unusable_wallet_costs_the_others_nothing(
    given_: PlanInput, data: st.DataObject
) -> None:
    """design.md 2: its sats are owed, and everybody else has theirs to the sat."""
    own_wallets = tuple(
        replace(who, wallet_id=f"own-{who.client_id}", wallet_problem=None, room_sats=None)
        for who in given_.clients
    )
    well = make_plan(replace(given_, clients=own_wallets))
    if not well.shares:
        return
    victim = data.draw(st.sampled_from(well.shares))
    broken: dict[str, Any] = data.draw(
        st.sampled_from([{"wallet_problem": GONE}, {"room_sats": victim.sats - 1}])
    )
    clients = tuple(
        replace(who, **broken) if who.client_id == victim.client_id else who for who in own_wallets
    )
    plan = make_plan(replace(given_, clients=clients))
    problem = broken.get("wallet_problem", WALLET_FULL)
    failed = replace(victim, state=ShareState.FAILED, problem=problem)
    assert plan.shares == tuple(failed if share == victim else share for share in well.shares)
    assert plan.failed_sats == victim.sats
    assert plan.drawn_minor == well.drawn_minor
    assert plan.operator_remainder_sats == well.operator_remainder_sats
    assert plan.owed_sats == well.owed_sats + victim.sats
    assert plan.outgoing_sats == well.outgoing_sats - victim.sats
    assert victim.client_id not in {leg.client_id for leg in plan.legs()}


@given(plan_inputs())
def test_plan_no_wallet_receives_more_than_its_room(given_: PlanInput) -> None:
    """Also when clients share it, and when it is the commission wallet, too."""
    plan = make_plan(given_)
    room = {who.wallet_id: who.room_sats for who in given_.clients}
    if given_.commission_wallet_id is not None:
        room[given_.commission_wallet_id] = given_.commission_room_sats
    received: dict[str, int] = {}
    for leg in plan.legs():
        if leg.kind is not LegKind.FUNDING:
            received[leg.to_wallet_id] = received.get(leg.to_wallet_id, 0) + leg.amount_sats
    for wallet, sats in received.items():
        most = room.get(wallet)
        assert most is None or sats <= most
    unusable = {who.wallet_id for who in given_.clients if who.wallet_problem}
    assert not unusable & set(received)


@given(plan_inputs())
def test_plan_share_fails_only_for_a_reason(given_: PlanInput) -> None:
    plan = make_plan(given_)
    clients = {who.client_id: who for who in given_.clients}
    for share in plan.shares:
        who = clients[share.client_id]
        assert (share.wallet_id, share.mode) == (who.wallet_id, who.mode)
        assert (share.problem is None) == (share.state is ShareState.CONFIRMED)
        if share.state is ShareState.FAILED and share.problem == WALLET_FULL:
            assert who.room_sats is not None
        elif share.state is ShareState.FAILED:
            assert share.problem == who.wallet_problem


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=6),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.data(),
)
def test_plan_more_cap_never_gets_less_fiat_than_one_minor_unit_below(
    caps: list[int], fiat: int, more: int, data: st.DataObject
) -> None:
    """Monotone in one's own cap, where every minor unit buys at least one sat."""
    index = data.draw(st.integers(0, len(caps) - 1))
    raised = [cap + (more if n == index else 0) for n, cap in enumerate(caps)]

    def fiat_of(each: list[int]) -> int:
        plan = make_plan(
            sale(
                *[flow(f"c{n}", cap) for n, cap in enumerate(each)],
                total_sats=3 * fiat,
                fiat_minor=fiat,
                draw_limit_minor=fiat,
            )
        )
        return told(plan).get(f"c{index}", (0, 0))[0]

    assert fiat_of(raised) >= fiat_of(caps) - 1


@given(plan_inputs())
def test_plan_more_cap_than_another_is_never_charged_less(given_: PlanInput) -> None:
    plan = make_plan(given_)
    caps, shares = caps_minor(given_), told(plan)
    by_cap = sorted(caps, key=lambda client_id: caps[client_id])
    for less, more in pairwise(by_cap):
        if caps[less] == caps[more] or less not in shares:
            continue
        if more in shares:
            assert shares[less][0] <= shares[more][0]
        else:  # the same fiat and only one odd sat: it went to the smaller id
            assert shares[less][1] == 1


# -- identity ------------------------------------------------------------------------------------

INPUT_CHANGES: dict[str, dict[str, Any]] = {
    "lamassu_transaction_id": {"lamassu_transaction_id": SALE[:-1] + "2"},
    "rule": {"rule": SplitRule.MARGIN},
    "total_sats": {"total_sats": 266_801},
    "commission_rate": {"commission_rate": Fraction(3001, 100_000)},
    "discount_percent": {"discount_percent": Fraction(1, 10**9)},
    "ticker_price": {"ticker_price": Fraction("771850.50001")},
    "currency": {"currency": "USD"},
    "fiat_minor": {"fiat_minor": 200_001},
    "draw_limit_minor": {"draw_limit_minor": 200_001},
    "funding_mode": {"funding_mode": FundingMode.PREFUNDED},
    "source_wallet_id": {"source_wallet_id": "another"},
    "commission_wallet_id": {"commission_wallet_id": None},
    "clients": {"clients": ()},
    "settle_without_clients": {"settle_without_clients": True},
    "commission_wallet_problem": {"commission_wallet_problem": GONE},
    "commission_room_sats": {"commission_room_sats": 10**9},
}
CLIENT_CHANGES: dict[str, Any] = {
    "client_id": "b",
    "wallet_id": "another",
    "mode": "fixed",
    "daily_limit_minor": 1,
    "remaining_minor": 100_001,
    "later_credits_minor": -1,
    "charged_same_day_minor": 1,
    "wallet_problem": GONE,
    "room_sats": 10**9,
    "owed_sats": 901,
    "pace_percent": 11,
}


def test_plan_hash_covers_every_field_there_is() -> None:
    assert set(INPUT_CHANGES) == {each.name for each in fields(PlanInput)}
    assert set(CLIENT_CHANGES) == {each.name for each in fields(PoolClient)}


@pytest.mark.parametrize("name", INPUT_CHANGES)
def test_plan_hash_changes_with_every_input(name: str) -> None:
    one = sale(flow("a", 100_000))
    assert make_plan(replace(one, **INPUT_CHANGES[name])).hash != make_plan(one).hash


@pytest.mark.parametrize("name", CLIENT_CHANGES)
def test_plan_hash_changes_with_every_fact_of_a_client(name: str) -> None:
    one = flow("a", 100_000, owed_sats=900, pace_percent=10)
    other = replace(one, **{name: CLIENT_CHANGES[name]})
    assert make_plan(sale(other)).hash != make_plan(sale(one)).hash


def test_plan_hash_changes_with_the_outcome() -> None:
    """A plan whose stored outcome was edited does not have its own hash any more."""
    plan = make_plan(sale(flow("a", 100_000)))
    share = plan.shares[0]
    for edited in (
        replace(plan, drawn_minor=plan.drawn_minor + 1),
        replace(plan, shares=()),
        replace(plan, shares=(replace(share, sats=share.sats + 1),)),
        replace(plan, shares=(replace(share, fiat_minor=share.fiat_minor - 1),)),
        replace(plan, shares=(replace(share, wallet_id="another"),)),
        replace(plan, shares=(replace(share, state=ShareState.FAILED),)),
        replace(plan, commission_state=CommissionState.KEPT),
        replace(plan, commission_problem=GONE),
        replace(plan, split=replace(plan.split, base_sats=259_028, commission_sats=7_772)),
    ):
        assert plan_hash(edited) != plan.hash


@given(plan_inputs(), plan_inputs())
def test_plan_hash_tells_different_inputs_apart(one: PlanInput, other: PlanInput) -> None:
    def by_id(given_: PlanInput) -> PlanInput:
        clients = tuple(sorted(given_.clients, key=lambda who: who.client_id))
        return replace(given_, clients=clients)

    same = by_id(one) == by_id(other)
    assert (make_plan(one).hash == make_plan(other).hash) == same


def test_plan_hash_is_the_same_in_every_version() -> None:
    """Stored hashes must stay comparable: if this changes on purpose, raise PLAN_VERSION."""
    plan = make_plan(
        sale(
            flow("a", 100_000),
            flow("b", 50_000, wallet_problem=GONE),
            PoolClient("c", "wallet-c", "fixed", 20_000, 50_000, 1_000, 5_000, None, 10**6),
        )
    )
    assert told(plan) == {"a": (100_000, 129_514), "b": (50_000, 64_757), "c": (15_000, 19_427)}
    assert plan.hash == PLAN_HASH


def test_canonical_json_is_sorted_exact_and_closed() -> None:
    facts = plan_facts(make_plan(sale(flow("b", 1), flow("a", 1))))
    text = canonical_json(facts)
    assert '"commission_rate":"3/100"' in text
    assert '"rule":"markup"' in text
    assert text.index('"client_id":"a"') < text.index('"client_id":"b"')
    assert canonical_json(dict(reversed(list(facts.items())))) == text
    with pytest.raises(TypeError):
        canonical_json({"when": object()})


# -- legs ----------------------------------------------------------------------------------------


def test_leg_key_vectors() -> None:
    assert leg_key(SALE, LegKind.FUNDING) == f"{SALE}:funding"
    assert leg_key(SALE, LegKind.COMMISSION) == f"{SALE}:commission"
    assert leg_key(SALE, LegKind.SHARE, "a") == f"{SALE}:share:a"


@given(st.lists(st.tuples(st.uuids(), st.uuids().map(lambda u: u.hex)), min_size=1, max_size=5))
def test_leg_key_is_unique_over_all_cash_outs(pairs: list[tuple[Any, str]]) -> None:
    legs: set[tuple[str, LegKind, str | None]]
    legs = {(str(sale_id), LegKind.SHARE, client_id) for sale_id, client_id in pairs}
    legs |= {
        (str(sale_id), kind, None)
        for sale_id, _ in pairs
        for kind in (LegKind.FUNDING, LegKind.COMMISSION)
    }
    assert len({leg_key(*leg) for leg in legs}) == len(legs)


@given(plan_inputs())
@example(sale(flow("a", 100_000)))
def test_share_leg_of_a_retry_is_the_leg_of_the_plan(given_: PlanInput) -> None:
    """A share that is retried later meets its own key, whatever wallet it goes to then."""
    plan = make_plan(given_)
    by_client = {leg.client_id: leg for leg in plan.legs() if leg.kind is LegKind.SHARE}
    for share in plan.shares:
        leg = share_leg(SALE, share, "source")
        elsewhere = share_leg(SALE, replace(share, wallet_id="new"), "source")
        assert elsewhere == replace(leg, to_wallet_id="new")
        if share.state is ShareState.CONFIRMED:
            assert by_client[share.client_id] == leg


def test_share_leg_vector() -> None:
    share = Share("a", "wallet-a", "flow", 100, 7, ShareState.FAILED, GONE)
    expected = Leg(f"{SALE}:share:a", LegKind.SHARE, "source", "wallet-a", 7, "a")
    assert share_leg(SALE, share, "source") == expected
