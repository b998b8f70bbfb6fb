"""The overview's numbers: every sum against the rows themselves, days where their zone has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from satmachineadmin.dev import sample_rows
from support.lnbits_app import fund_wallet
from support.machine import change, fetch
from support.operator import BASE, Operator, ago

ZONE = ZoneInfo("America/Guatemala")
COMPLETED = "SELECT * FROM satoshimachine.lamassu_transactions WHERE status = 'completed'"
SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US


@pytest.fixture
def at() -> Iterator[Any]:
    """`at(moment)`: what our clock says from now on."""
    from satmachineadmin import clock

    before = clock.source

    def set_clock(moment: datetime) -> None:
        clock.source = lambda: int(moment.timestamp()) * 1_000_000_000

    yield set_clock
    clock.source = before


@pytest.fixture
async def days_of_sales(operator: Operator) -> datetime:
    """Sales around two local midnights; returns noon of the day between them."""
    await operator.add_client("5000")
    await operator.add_client("1000")
    day = (datetime.now(ZONE) - timedelta(days=3)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    moments = [
        day - timedelta(microseconds=1),
        day,
        day + timedelta(hours=12),
        day + timedelta(days=1, microseconds=-1),
        day + timedelta(days=1),
    ]
    rows = [
        sample_rows.sale(fiat=100 + 10 * number, confirmed_at=moment.astimezone(timezone.utc))
        for number, moment in enumerate(moments)
    ]
    rows.append(sample_rows.discounted(fiat=40, confirmed_at=moments[2].astimezone(timezone.utc)))
    await operator.lamassu.insert(rows)
    await operator.poll()
    return day + timedelta(hours=12)


async def test_empty_books(operator: Operator) -> None:
    found = await operator.api("GET", "summary")
    assert found["today"] == {"cash_outs": 0, "distributed_sats": 0, "commission_sats": 0}
    assert found["held"] == found["failed_shares"] == {"count": 0, "sats": 0}
    assert found["commission"]["average"] is found["paid_after_s"] is None
    assert found["deposits"] == {"pending": 0, "late": 0, "oldest_at": None, "waiting": []}
    charts = await operator.api("GET", "charts", params={"days": 7})
    assert [day["distributed_sats"] for day in charts["days"]] == [0] * 7
    assert charts["prices"] == {}
    assert charts["clients"] == {"top": [], "others": 0, "others_sats": 0, "sats": 0}
    funds = await operator.api("GET", "funds")
    assert funds["source"]["balance_sats"] == funds["commission"]["balance_sats"] == 0
    assert (await operator.api("GET", "needs"))["data"] == []


async def test_today_is_the_operators_day(
    operator: Operator, days_of_sales: datetime, at: Any
) -> None:
    at(days_of_sales)
    rows = await fetch(COMPLETED)
    start = days_of_sales - timedelta(hours=12)
    first, last = (int(m.timestamp()) * SECOND_US for m in (start, start + timedelta(days=1)))
    of_day = [row for row in rows if first <= row["confirmed_at_us"] < last]
    assert (len(rows), len(of_day)) == (6, 4)
    found = await operator.api("GET", "summary")
    assert found["day"] == days_of_sales.date().isoformat()
    assert found["today"] == {
        "cash_outs": 4,
        "distributed_sats": sum(row["confirmed_sats"] for row in of_day),
        "commission_sats": sum(row["commission_sats"] for row in of_day),
    }
    # Six hours ahead the day of this noon began six hours earlier: other sales are in it.
    await operator.api("PUT", "settings", json={"time_zone": "UTC"})
    first, last = first - 6 * HOUR_US, last - 6 * HOUR_US
    of_day = [row for row in rows if first <= row["confirmed_at_us"] < last]
    today = (await operator.api("GET", "summary"))["today"]
    assert today["distributed_sats"] == sum(row["confirmed_sats"] for row in of_day)
    assert today["distributed_sats"] != found["today"]["distributed_sats"]


async def test_the_charts_add_up(operator: Operator, days_of_sales: datetime, at: Any) -> None:
    at(days_of_sales + timedelta(days=1))
    rows = await fetch(COMPLETED)
    shares = await fetch("SELECT * FROM satoshimachine.dca_payments WHERE status = 'confirmed'")
    found = await operator.api("GET", "charts", params={"days": 3})
    assert [day["cash_outs"] for day in found["days"]] == [1, 4, 1]
    for name, column in (
        ("distributed_sats", "confirmed_sats"),
        ("commission_sats", "commission_sats"),
    ):
        assert found[name] == sum(day[name] for day in found["days"])
        assert found[name] == sum(row[column] for row in rows)
    assert found["clients"]["sats"] == sum(share["amount_sats"] for share in shares)
    top = found["clients"]["top"]
    assert [one["sats"] for one in top] == sorted((one["sats"] for one in top), reverse=True)
    for one in top:
        own = [share for share in shares if share["client_id"] == one["client_id"]]
        assert (one["sats"], one["shares"]) == (sum(s["amount_sats"] for s in own), len(own))

    prices = found["prices"]["GTQ"]["days"]
    assert [price["day"] for price in prices] == [day["day"] for day in found["days"]]
    last = max(rows, key=lambda row: row["confirmed_at_us"])
    exact = Fraction(last["drawn_minor"] * 10**8, last["confirmed_sats"] * 100)
    assert abs(Fraction(prices[-1]["price"]) - exact) <= Fraction(1, 200)
    assert (await operator.api("GET", "charts", params={"days": 1}))["clients"]["sats"] == (
        last["confirmed_sats"]
    )


@pytest.mark.parametrize("days", ["0", "93", "-1", "many", "9" * 30])
async def test_a_range_out_of_bounds_is_refused(operator: Operator, days: str) -> None:
    answer = await operator.http.get(f"{BASE}/charts", params={"days": days})
    assert answer.status_code == 422
    assert answer.json()["code"] == "BAD_INPUT"


async def test_average_commission_and_time_to_pay(
    operator: Operator, days_of_sales: datetime, at: Any
) -> None:
    at(days_of_sales)
    rows = await fetch(COMPLETED)
    commission = (await operator.api("GET", "summary"))["commission"]
    base = sum(row["base_sats"] for row in rows)
    assert commission["cash_outs"] == len(rows)
    taken = sum(row["commission_sats"] for row in rows)
    assert commission["average"] == round(taken / base, 6)
    assert commission["configured"] == pytest.approx(float(sample_rows.COMMISSION), abs=1e-6)
    assert commission["configured"] > commission["expected"]
    assert abs(commission["expected"] - commission["average"]) < 0.0001

    times = [
        row["processed_us"] - row["confirmed_at_us"] + row["clock_difference_us"] for row in rows
    ]
    found = await operator.api("GET", "summary")
    assert found["paid_after_s"] == int(median(times)) // SECOND_US


async def test_the_rules_count_commission_their_own_way() -> None:
    from satmachineadmin.services.summary import average_commission

    group = {"commission_percentage": "0.10", "discount": "50", "n": 2, "total": 105, "base": 100}
    markup = average_commission([{**group, "split_rule": "markup", "taken": 5}])
    assert (markup.average, markup.configured) == (Fraction(5, 100), Fraction(1, 10))
    assert markup.expected == Fraction(1, 20)
    margin = average_commission([{**group, "split_rule": "margin", "taken": 5}])
    assert margin.average == Fraction(5, 105)
    stated = {**group, "split_rule": "markup", "taken": 5, "commission_percentage": None}
    assert average_commission([stated]).average is None


async def test_what_waits_is_counted(operator: Operator) -> None:
    client = await operator.add_client("5000")
    gone = await operator.add_client("5000")
    await change("UPDATE satoshimachine.dca_clients SET wallet_id = 'x' WHERE id = :i", {"i": gone})
    held = sample_rows.without_commission(confirmed_at=ago(hours=2))
    await operator.lamassu.insert([held, sample_rows.sale(fiat=100, confirmed_at=ago(hours=1))])
    await operator.poll()
    for amount in ("10.50", "20"):
        body = {"client_id": client, "amount": amount, "currency": "GTQ"}
        await operator.api("POST", "deposits", json=body)
    body = {"client_id": client, "amount": "5", "currency": "USD"}
    late = await operator.api("POST", "deposits", json=body)
    await _made_before(late["id"], ago(hours=49))

    found = await operator.api("GET", "summary")
    assert found["held"] == {"count": 1, "sats": held["crypto_atoms"]}
    failed = await fetch(
        "SELECT amount_sats FROM satoshimachine.dca_payments WHERE status='failed'"
    )
    assert found["failed_shares"] == {"count": 1, "sats": failed[0]["amount_sats"]}
    assert (found["deposits"]["pending"], found["deposits"]["late"]) == (3, 1)
    assert {one["currency"]: one["amount"] for one in found["deposits"]["waiting"]} == {
        "GTQ": "30.50",
        "USD": "5.00",
    }
    assert (found["clients"]["active"], found["clients"]["with_balance"]) == (2, 2)
    remaining = [await operator.remaining_minor(one) for one in (client, gone)]
    assert found["clients"]["remaining"] == [
        {
            "currency": "GTQ",
            "minor": sum(remaining),
            "amount": f"{sum(remaining) // 100}.{sum(remaining) % 100:02}",
        }
    ]
    needs = {need["kind"]: need for need in (await operator.api("GET", "needs"))["data"]}
    assert list(needs) == ["failed_shares", "held", "deposits_late"]
    assert needs["failed_shares"]["sats"] == failed[0]["amount_sats"]
    assert "does not exist" in needs["failed_shares"]["message"]
    assert needs["held"]["act"] == "cash-out"
    assert needs["held"]["subject_id"] == (await operator.cash_out(held["id"]))["id"]
    assert needs["deposits_late"]["n"] == 1


async def _made_before(deposit_id: str, moment: datetime) -> None:
    from satmachineadmin.database import own, stored_time

    values = {"id": deposit_id, "at": stored_time(int(moment.timestamp()) * SECOND_US)}
    await own(
        lambda conn: conn.execute(
            "UPDATE satoshimachine.dca_deposits SET created_at = :at WHERE id = :id", values
        )
    )


async def test_needs_say_when_the_feed_does_not_run(operator: Operator, at: Any) -> None:
    await operator.poll()
    await operator.api("PUT", "polling", json={"enabled": False})
    assert (await operator.api("GET", "needs"))["data"][0]["act"] == "start"
    await operator.api("PUT", "polling", json={"enabled": True})
    assert (await operator.api("GET", "needs"))["data"] == []
    at(datetime.now(timezone.utc) + timedelta(hours=1))
    assert [n["kind"] for n in (await operator.api("GET", "needs"))["data"]] == ["late"]


async def test_a_closed_gate_comes_first(operator: Operator) -> None:
    from satmachineadmin.services.gates import HALT, close_gate

    await operator.lamassu.insert(sample_rows.without_commission(confirmed_at=ago(hours=2)))
    await operator.poll()
    await close_gate(HALT, "The sums do not fit", "Look.", {})
    needs = (await operator.api("GET", "needs"))["data"]
    assert [(need["kind"], need["act"]) for need in needs] == [
        ("gate_halt", "resume"),
        ("held", "cash-out"),
    ]


async def test_the_source_wallet_lasts_for_days_when_prefunded(
    operator: Operator, days_of_sales: datetime, at: Any
) -> None:
    credit = (await operator.api("GET", "funds"))["source"]
    assert credit["prefunded"] == []
    assert credit["runway_days"] is None
    balances = await operator.balances()
    assert credit["balance_sats"] == balances["source"]

    await operator.api("PUT", "settings", json={"funding_ln": "prefunded"})
    await fund_wallet(operator.source_wallet, 1_000_000)
    await operator.lamassu.insert(sample_rows.sale(fiat=100, confirmed_at=ago(minutes=5)))
    await operator.poll()
    at(datetime.now(timezone.utc) + timedelta(seconds=60))  # the balance is not a kept one
    found = (await operator.api("GET", "funds"))["source"]
    sold = [row for row in await fetch(COMPLETED) if row["funding_mode"] == "prefunded"]
    pace = sum(row["confirmed_sats"] + row["commission_sats"] for row in sold)
    assert found["balance_sats"] == (await operator.balances())["source"]
    assert (found["pace_sats"], len(sold)) == (pace, 1)
    assert found["runway_days"] == found["free_sats"] * found["pace_days"] // pace
