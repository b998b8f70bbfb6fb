"""How much a client may be charged for a cash-out; limits hold over days (design.md 3.3)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from satmachineadmin.domain.days import US_PER_S, datetime_utc, instant_us, local_day
from satmachineadmin.domain.plan import Plan, PlanInput, make_plan
from satmachineadmin.domain.pool import PoolClient, cap_minor
from satmachineadmin.domain.states import FundingMode, ShareState, SplitRule

SIGNED = st.integers(-(10**12), 10**12)
LIMITS = st.one_of(st.none(), SIGNED)


def client(
    mode: str = "flow",
    *,
    limit: int | None = None,
    remaining: int = 1_000,
    later: int = 0,
    charged: int = 0,
) -> PoolClient:
    return PoolClient("alice", "wallet-a", mode, limit, remaining, later, charged)


@pytest.mark.parametrize(
    ("who", "cap"),
    [
        (client(), 1_000),
        (client(limit=5), 1_000),  # a flow client's old limit plays no part
        (client(charged=900), 1_000),
        (client(remaining=0), 0),
        (client(remaining=-5), 0),
        (client(later=400), 600),
        (client(later=1_000), 0),
        (client(later=1_500), 0),
        (client(later=-400), 1_000),  # a correction downwards makes no room
        (client("fixed", limit=300), 300),
        (client("fixed", limit=300, charged=100), 200),
        (client("fixed", limit=300, charged=300), 0),
        (client("fixed", limit=300, charged=301), 0),  # the limit was lowered during the day
        (client("fixed", limit=3_000), 1_000),
        (client("fixed", limit=3_000, later=900), 100),
        (client("fixed", limit=None), 0),
        (client("fixed", limit=0), 0),
        (client("fixed", limit=-300), 0),
        (client("fixed", limit=-300, remaining=-500), 0),
        (client("paused"), 0),
        (client(""), 0),
        (client("FLOW"), 0),
        (client(" flow"), 0),
        (client("Fixed", limit=300), 0),
    ],
)
def test_cap_minor_table(who: PoolClient, cap: int) -> None:
    assert cap_minor(who) == cap


@given(
    st.one_of(st.sampled_from(["flow", "fixed"]), st.text(max_size=8)),
    LIMITS,
    SIGNED,
    SIGNED,
    st.integers(0, 10**12),
)
def test_cap_minor_is_within_every_bound(
    mode: str, limit: int | None, remaining: int, later: int, charged: int
) -> None:
    cap = cap_minor(client(mode, limit=limit, remaining=remaining, later=later, charged=charged))
    assert 0 <= cap <= max(0, remaining)
    assert cap <= max(0, remaining - later)
    if mode not in ("flow", "fixed"):
        assert cap == 0
    if mode == "fixed":
        assert cap <= max(0, (limit or 0) - charged)


@given(LIMITS, SIGNED, SIGNED, st.integers(0, 10**12), st.integers(0, 10**9))
def test_cap_minor_never_shrinks_when_more_is_deposited(
    limit: int | None, remaining: int, later: int, charged: int, more: int
) -> None:
    for mode in ("flow", "fixed"):
        before = client(mode, limit=limit, remaining=remaining, later=later, charged=charged)
        after = replace(before, remaining_minor=remaining + more)
        assert cap_minor(before) <= cap_minor(after) <= cap_minor(before) + more


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_cap_minor_equals_the_designs_own_words(effective: int, later: int, charged: int) -> None:
    """design.md 3.3: min(remaining now, deposits effective by then - all charged so far)."""
    remaining = effective + later - charged
    expected = max(0, min(remaining, effective - charged))
    assert cap_minor(client(remaining=remaining, later=later)) == expected


# -- many cash-outs of one day -------------------------------------------------------------------


@dataclass
class Books:
    """The least a ledger must know to settle one cash-out after another."""

    zone: str
    deposits: dict[str, int]
    limits: dict[str, int | None]  # None: a flow client
    failing: frozenset[str] = frozenset()
    charges: list[tuple[str, int, int]] = field(default_factory=list)  # client, instant, fiat

    def remaining(self, client_id: str) -> int:
        return self.deposits[client_id] - sum(f for c, _, f in self.charges if c == client_id)

    def settle(self, us: int, fiat_minor: int, number: int) -> Plan:
        _, start, end = local_day(us, self.zone)
        plan = make_plan(
            PlanInput(
                lamassu_transaction_id=f"cash-out-{number}",
                rule=SplitRule.MARKUP,
                total_sats=fiat_minor * 100,
                commission_rate=Fraction(3, 100),
                discount_percent=Fraction(0),
                ticker_price=None,
                currency="USD",
                fiat_minor=fiat_minor,
                draw_limit_minor=fiat_minor,
                funding_mode=FundingMode.CREDIT,
                source_wallet_id="source",
                commission_wallet_id="commission",
                clients=tuple(self._client(client_id, start, end) for client_id in self.deposits),
                settle_without_clients=True,
            )
        )
        self.charges += [(share.client_id, us, share.fiat_minor) for share in plan.shares]
        return plan

    def _client(self, client_id: str, start: int, end: int) -> PoolClient:
        same_day = sum(f for c, us, f in self.charges if c == client_id and start <= us < end)
        limit = self.limits[client_id]
        return PoolClient(
            client_id,
            f"wallet-{client_id}",
            "flow" if limit is None else "fixed",
            limit,
            self.remaining(client_id),
            0,
            same_day,
            "the wallet was deleted" if client_id in self.failing else None,
        )

    def charged_by_date(self) -> dict[tuple[str, date], int]:
        """By the calendar, not by local_day: what is to be proven must not prove itself."""
        sums: dict[tuple[str, date], int] = defaultdict(int)
        for client_id, us, fiat in self.charges:
            sums[client_id, datetime_utc(us).astimezone(ZoneInfo(self.zone)).date()] += fiat
        return sums


DST_DAYS = [
    ("America/New_York", date(2025, 3, 9)),  # 23 hours
    ("America/New_York", date(2025, 11, 2)),  # 25 hours
    ("Europe/Madrid", date(2025, 3, 30)),
    ("Europe/Madrid", date(2025, 10, 26)),
    ("America/Guatemala", date(2025, 6, 1)),
]


@pytest.mark.parametrize(("zone", "day"), DST_DAYS)
@given(data=st.data())
def test_daily_limit_holds_over_the_cash_outs_of_days_around_a_clock_change(
    zone: str, day: date, data: st.DataObject
) -> None:
    """Late ones included: cash-outs come in any order of time. Failed shares count as charged."""
    noon = instant_us(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)))
    moments = st.integers(noon - 36 * 3600 * US_PER_S, noon + 36 * 3600 * US_PER_S)
    edges = st.sampled_from([*local_day(noon, zone)[1:], local_day(noon, zone)[2] - 1])
    sales = data.draw(
        st.lists(st.tuples(st.one_of(moments, edges), st.integers(1, 60_000)), max_size=12)
    )
    books = Books(
        zone,
        {"ann": 10**9, "bob": 45_000, "cid": 30_000},
        {"ann": 20_000, "bob": 7_777, "cid": None},
        failing=frozenset({"bob"}),
    )
    for number, (us, fiat_minor) in enumerate(sales):
        books.settle(us, fiat_minor, number)
    for (client_id, _), charged in books.charged_by_date().items():
        limit = books.limits[client_id]
        assert limit is None or charged <= limit
    assert all(books.remaining(client_id) >= 0 for client_id in books.deposits)


@pytest.mark.parametrize(("zone", "day"), DST_DAYS)
@given(sales=st.lists(st.tuples(st.integers(0, 23 * 3600 - 1), st.integers(1, 9_000)), max_size=8))
def test_daily_limit_is_used_up_to_the_last_minor_unit(
    zone: str, day: date, sales: list[tuple[int, int]]
) -> None:
    """The other side: one client with enough deposited is charged min(limit, all sales)."""
    start = instant_us(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)))
    books = Books(zone, {"ann": 10**9}, {"ann": 20_000})
    for number, (second, fiat_minor) in enumerate(sales):
        books.settle(start + second * US_PER_S, fiat_minor, number)
    sold = sum(fiat for _, fiat in sales)
    assert sum(fiat for _, _, fiat in books.charges) == min(20_000, sold)


@pytest.mark.parametrize(("zone", "day"), DST_DAYS)
def test_daily_limit_begins_anew_with_the_first_microsecond_of_a_day(zone: str, day: date) -> None:
    noon = instant_us(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)))
    _, start, end = local_day(noon, zone)
    books = Books(zone, {"ann": 10**9}, {"ann": 20_000})
    drawn = [
        books.settle(us, 15_000, number).drawn_minor
        for number, us in enumerate([start - 1, start, noon, end - 1, end])
    ]
    assert drawn == [15_000, 15_000, 5_000, 0, 15_000]


def test_daily_limit_counts_a_failed_share() -> None:
    """design.md 3.3: failed shares count until cancelled."""
    us = instant_us(datetime(2025, 6, 1, 18, tzinfo=ZoneInfo("America/Guatemala")))
    books = Books("America/Guatemala", {"ann": 10**9}, {"ann": 20_000}, failing=frozenset({"ann"}))
    first = books.settle(us, 15_000, 1)
    assert [share.state for share in first.shares] == [ShareState.FAILED]
    assert [books.settle(us, 15_000, n).drawn_minor for n in (2, 3)] == [5_000, 0]


def test_daily_limit_of_one_client_leaves_the_rest_to_the_others() -> None:
    us = instant_us(datetime(2025, 6, 1, 18, tzinfo=ZoneInfo("America/Guatemala")))
    books = Books("America/Guatemala", {"ann": 10**9, "bob": 10**9}, {"ann": 20_000, "bob": None})
    for number in range(4):
        books.settle(us, 100_000, number)
    by_client: dict[str, int] = defaultdict(int)
    for client_id, _, fiat in books.charges:
        by_client[client_id] += fiat
    assert by_client["ann"] <= 20_000
    assert sum(by_client.values()) == 400_000
