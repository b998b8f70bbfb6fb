"""Fixed clients: a daily limit in the operator's time zone, and everybody who is paused."""

from __future__ import annotations

from typing import Any

import pytest
from satmachineadmin import crud
from satmachineadmin.dev import sample_rows
from satmachineadmin.services.observe import META_LAST_FULL
from support.lnbits_app import make_wallet
from support.operator import Operator
from support.trouble import (
    at,
    delete_wallet,
    limit_lnbits,
    markup_split,
    set_column,
    settings,
    state_of,
)

FIXED = {"dca_mode": "fixed"}


async def add_fixed(operator: Operator, limit: str, fiat: str = "100000", **more: Any) -> str:
    """A fixed client with a daily limit in whole GTQ."""
    return await operator.add_client(fiat, dca_mode="fixed", fixed_mode_daily_limit=limit, **more)


async def sell_at(operator: Operator, *sales: tuple[str, str | int]) -> list[int]:
    """Sales at these instants (UTC) of so much GTQ; what each one drew, in minor units."""
    rows = [sample_rows.sale(fiat=fiat, confirmed_at=at(moment)) for moment, fiat in sales]
    await operator.lamassu.insert(rows)
    await poll_all(operator)
    drawn = []
    for row in rows:
        found = await operator.cash_out(row["id"])
        assert found["hold_code"] in (None, "no_client_balance")
        drawn.append(found["drawn_minor"] or 0)
    return drawn


async def poll_all(operator: Operator) -> None:
    """A poll with the weekly full comparison: these days are older than the others' window."""
    await crud.delete_meta(META_LAST_FULL)
    await operator.poll()


# ---- the day --------------------------------------------------------------------------


async def test_the_limit_covers_all_sales_of_one_local_day(operator: Operator) -> None:
    """design.md 3.3: three sales of 300 and a limit of 500 GTQ; Guatemala is UTC-6."""
    client = await add_fixed(operator, "500")
    drawn = await sell_at(
        operator,
        ("2026-06-10T06:00:00", 300),  # 00:00 on the 10th
        ("2026-06-10T15:00:00", 300),
        ("2026-06-11T05:59:59.999999", 300),  # the last microsecond of the 10th
        ("2026-06-11T06:00:00", 300),  # the 11th
        ("2026-06-10T05:59:59.999999", 300),  # the 9th
    )
    assert drawn == [30_000, 20_000, 0, 30_000, 30_000]
    assert await operator.remaining_minor(client) == 10_000_000 - 110_000


async def test_what_the_limit_leaves_is_the_operators(operator: Operator) -> None:
    client = await add_fixed(operator, "500")
    row = sample_rows.sale(fiat=2000, commission="0.03", crypto_atoms=266_800)
    await operator.lamassu.insert([row])
    await operator.poll()
    found = await operator.cash_out(row["id"])
    share = 259_029 * 500 // 2000
    assert (found["drawn_minor"], found["confirmed_sats"]) == (50_000, share)
    assert found["operator_remainder_sats"] == 259_029 - share
    balances = await operator.balances()
    assert (balances[client], balances["source"]) == (share, 259_029 - share)
    (paid,) = await operator.shares(row["id"])
    assert paid["transaction_type"] == "fixed"


async def test_sales_of_one_day_that_come_in_different_polls(operator: Operator) -> None:
    """The day is the sale's, not the poll's: a late row counts for its own day."""
    await add_fixed(operator, "500")
    assert await sell_at(operator, ("2026-06-10T15:00:00", 400)) == [40_000]
    assert await sell_at(operator, ("2026-06-11T15:00:00", 400)) == [40_000]
    assert await sell_at(operator, ("2026-06-10T16:00:00", 400)) == [10_000]
    assert await sell_at(operator, ("2026-06-12T15:00:00", 400)) == [40_000]


DST = {
    # 2026-03-29 has 23 hours in Madrid: 23:00Z on the 28th to 22:00Z on the 29th.
    "spring": (
        "Europe/Madrid",
        [
            ("2026-03-28T22:59:59", 30_000),
            ("2026-03-28T23:00:00", 30_000),
            ("2026-03-29T21:59:59", 20_000),
            ("2026-03-29T22:00:00", 30_000),
            ("2026-03-29T22:30:00", 20_000),
        ],
    ),
    # 2026-10-25 has 25 hours there: 22:00Z on the 24th to 23:00Z on the 25th.
    "autumn": (
        "Europe/Madrid",
        [
            ("2026-10-24T21:59:59", 30_000),
            ("2026-10-24T22:00:00", 30_000),
            ("2026-10-25T22:30:00", 20_000),
            ("2026-10-25T22:59:59", 0),
            ("2026-10-25T23:00:00", 30_000),
        ],
    ),
    # 2026-03-08 in New York begins at 05:00Z and ends at 04:00Z.
    "new_york": (
        "America/New_York",
        [
            ("2026-03-08T05:00:00", 30_000),
            ("2026-03-09T03:59:59", 20_000),
            ("2026-03-09T04:00:00", 30_000),
        ],
    ),
    # No whole hour: Kathmandu is UTC+5:45.
    "kathmandu": (
        "Asia/Kathmandu",
        [
            ("2026-06-10T18:14:59", 30_000),
            ("2026-06-10T18:15:00", 30_000),
            ("2026-06-11T18:14:59", 20_000),
        ],
    ),
}


@pytest.mark.parametrize("name", DST)
async def test_days_of_23_and_25_hours(operator: Operator, name: str) -> None:
    zone, days = DST[name]
    await settings(operator, time_zone=zone)
    await add_fixed(operator, "500")
    drawn = await sell_at(operator, *((moment, 300) for moment, _ in days))
    assert drawn == [expected for _, expected in days]


async def test_another_time_zone_changes_the_day_of_later_sales_only(operator: Operator) -> None:
    """23:30 of the 10th in Guatemala is the 11th in UTC."""
    await add_fixed(operator, "500")
    assert await sell_at(operator, ("2026-06-11T05:30:00", 400)) == [40_000]
    await settings(operator, time_zone="UTC")
    assert await sell_at(operator, ("2026-06-10T23:00:00", 400)) == [40_000]
    assert await sell_at(operator, ("2026-06-11T23:00:00", 400)) == [10_000]


async def test_a_changed_limit_holds_for_the_rest_of_the_day(operator: Operator) -> None:
    client = await add_fixed(operator, "500")
    assert await sell_at(operator, ("2026-06-10T15:00:00", 400)) == [40_000]
    await operator.api("PUT", f"clients/{client}", json={"fixed_mode_daily_limit": "1000"})
    assert await sell_at(operator, ("2026-06-10T16:00:00", 400)) == [40_000]
    await operator.api("PUT", f"clients/{client}", json={"fixed_mode_daily_limit": "100"})
    assert await sell_at(operator, ("2026-06-10T17:00:00", 400)) == [0]
    assert await sell_at(operator, ("2026-06-11T17:00:00", 400)) == [10_000]


async def test_a_limit_in_cents(operator: Operator) -> None:
    """99.99 is exact, not 99.98999."""
    await add_fixed(operator, "99.99")
    assert await sell_at(operator, ("2026-06-10T15:00:00", 400)) == [9_999]


async def test_a_balance_below_the_limit(operator: Operator) -> None:
    client = await add_fixed(operator, "500", fiat="120.50")
    assert await sell_at(operator, ("2026-06-10T15:00:00", 400)) == [12_050]
    assert await operator.remaining_minor(client) == 0


async def test_a_limit_counts_per_currency(operator: Operator) -> None:
    """The limit is in the deposit currency's whole units; each currency has its own day."""
    client = await add_fixed(operator, "500")
    await operator.deposit(client, "1000", "USD")
    moment = at("2026-06-10T15:00:00")
    gtq = sample_rows.sale(fiat=800, confirmed_at=moment)
    usd = sample_rows.sale(fiat=800, fiat_code="USD", bid="105000", confirmed_at=moment)
    await operator.lamassu.insert([gtq, usd])
    await operator.poll()
    drawn = [(await operator.cash_out(row["id"]))["drawn_minor"] for row in (gtq, usd)]
    assert drawn == [50_000, 50_000]


# ---- failed shares --------------------------------------------------------------------


async def test_failed_shares_count_until_they_are_cancelled(
    operator: Operator,
) -> None:
    """They were charged; given up, they were not."""
    client = await add_fixed(operator, "500")
    await delete_wallet(operator.wallets[client])
    failed_sale = sample_rows.sale(fiat=300, confirmed_at=at("2026-06-10T15:00:00"))
    await operator.lamassu.insert([failed_sale])
    await operator.poll()
    (failed,) = await operator.shares(failed_sale["id"])
    assert (failed["status"], failed["fiat_minor"]) == ("failed", 30_000)
    assert await sell_at(operator, ("2026-06-10T16:00:00", 300)) == [20_000]
    body = {"reason": "the wallet is gone"}
    await operator.api("POST", f"payments/{failed['id']}/cancel", json=body)
    assert await sell_at(operator, ("2026-06-10T17:00:00", 400)) == [30_000]
    operator.wallets[client] = await new_wallet(operator, client)
    await operator.poll()
    assert await operator.remaining_minor(client) == 10_000_000 - 50_000


async def new_wallet(operator: Operator, client: str) -> str:
    user_id = (await operator.api("GET", f"clients/{client}"))["user_id"]
    wallet_id = await make_wallet("another", user_id)
    await operator.api("PUT", f"clients/{client}", json={"wallet_id": wallet_id})
    return wallet_id


async def test_a_retried_share_counts_once(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed or confirmed, it is one share of its own day."""
    client = await add_fixed(operator, "500")
    with monkeypatch.context() as limits:
        limit_lnbits(limits, lnbits_wallet_limit_max_balance=10)
        assert await sell_at(operator, ("2026-06-10T15:00:00", 300)) == [30_000]
    await operator.poll()
    assert (await operator.balances())[client] > 0
    assert await sell_at(operator, ("2026-06-10T16:00:00", 300)) == [20_000]


# ---- paused ---------------------------------------------------------------------------

PAUSED: dict[str, dict[str, Any]] = {
    "fixed_without_limit": {"dca_mode": "fixed", "fixed_mode_daily_limit": None},
    "fixed_limit_negative": {"dca_mode": "fixed", "fixed_mode_daily_limit": -5},
    "fixed_limit_zero": {"dca_mode": "fixed", "fixed_mode_daily_limit": 0},
    "unknown_mode": {"dca_mode": "nonsense", "fixed_mode_daily_limit": 500},
    "mode_in_capitals": {"dca_mode": "FLOW", "fixed_mode_daily_limit": None},
    "inactive": {"status": "inactive"},
    "unknown_status": {"status": "whatever"},
}


@pytest.mark.parametrize("name", PAUSED)
async def test_who_is_paused_takes_no_part(operator: Operator, name: str) -> None:
    """The companion may write any mode and any limit (design.md 6, peer.md h): never charged."""
    paused, flow = await operator.add_client(), await operator.add_client()
    await set_column(paused, **PAUSED[name])
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    await operator.poll()
    balances = await operator.balances()
    assert (balances[paused], balances[flow]) == (0, markup_split(row)[0])
    assert await operator.remaining_minor(paused) == 300_000
    clients = (await operator.api("GET", "clients"))["data"]
    assert {c["id"] for c in clients} == {paused, flow}  # shown, not refused


@pytest.mark.parametrize("mode", ["fixed", "flow"])
@pytest.mark.parametrize("limit", ["inf", "-inf", "nan"])
async def test_a_limit_that_is_no_number_stops_nobody_else(
    operator: Operator, mode: str, limit: str
) -> None:
    """A client writes their own limit through the companion; JSON lets Infinity through. The
    others are paid, and the list of clients can be shown.
    """
    odd, flow = await operator.add_client(), await operator.add_client()
    await set_column(odd, dca_mode=mode, fixed_mode_daily_limit=float(limit))
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("completed", None)
    assert (await operator.balances())[flow] > 0
    page = await operator.api("GET", "clients")
    assert page["total"] == 2


async def test_all_paused_is_nobody(operator: Operator) -> None:
    client = await operator.add_client()
    await set_column(client, dca_mode="fixed", fixed_mode_daily_limit=None)
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "no_client_balance")


async def test_a_used_up_day_is_nobody(operator: Operator) -> None:
    await add_fixed(operator, "100")
    assert await sell_at(operator, ("2026-06-10T15:00:00", 100)) == [10_000]
    row = sample_rows.sale(confirmed_at=at("2026-06-10T16:00:00"))
    await operator.lamassu.insert([row])
    await poll_all(operator)
    assert await state_of(operator, row["id"]) == ("held", "no_client_balance")


# ---- mixed ----------------------------------------------------------------------------


async def test_flow_and_fixed_share_in_proportion_to_their_caps(operator: Operator) -> None:
    """Caps 3000 and 500 GTQ for 2000: 1714.29 and 285.71, the sats follow the fiat."""
    flow, fixed = await operator.add_client("3000"), await add_fixed(operator, "500")
    row = sample_rows.sale(fiat=2000, commission="0.03", crypto_atoms=266_800)
    await operator.lamassu.insert([row])
    await operator.poll()
    charged = {s["client_id"]: s["fiat_minor"] for s in await operator.shares(row["id"])}
    assert charged == {flow: 171_429, fixed: 28_571}
    balances = await operator.balances()
    assert balances[flow] + balances[fixed] == 259_029
    assert abs(balances[fixed] - 259_029 * 28_571 / 200_000) < 1
    types = {s["client_id"]: s["transaction_type"] for s in await operator.shares(row["id"])}
    assert types == {flow: "flow", fixed: "fixed"}


async def test_a_used_up_fixed_client_leaves_all_to_flow(operator: Operator) -> None:
    """The flow client's cash counts from noon on; in the morning the fixed one used up the day."""
    fixed, flow = await add_fixed(operator, "100"), await operator.add_client("0")
    await operator.deposit(flow, "3000", effective_at="2026-06-10T18:00:00Z")
    moments = ("2026-06-10T15:00:00", "2026-06-10T19:00:00")
    rows = [sample_rows.sale(fiat=1000, confirmed_at=at(moment)) for moment in moments]
    await operator.lamassu.insert(rows)
    await operator.poll()
    charged = [
        {s["client_id"]: s["fiat_minor"] for s in await operator.shares(row["id"])} for row in rows
    ]
    assert charged == [{fixed: 10_000}, {flow: 100_000}]


async def test_the_limit_holds_over_sales_that_are_shared_with_flow(operator: Operator) -> None:
    """Ten sales of one day: never more than the limit, never less than each sale in all."""
    flow, fixed = await operator.add_client("10000"), await add_fixed(operator, "100")
    rows = [
        sample_rows.sale(fiat=1000, confirmed_at=at(f"2026-06-10T1{n}:00:00")) for n in range(10)
    ]
    await operator.lamassu.insert(rows)
    await operator.poll()
    taken = []
    for row in rows:
        shares = {s["client_id"]: s["fiat_minor"] for s in await operator.shares(row["id"])}
        assert sum(shares.values()) == 100_000
        taken.append(shares.get(fixed, 0))
    assert 0 < sum(taken) <= 10_000
    total = await operator.remaining_minor(flow) + await operator.remaining_minor(fixed)
    assert total == 11_000_000 - 1_000_000


async def test_switching_to_flow_ends_the_limit(operator: Operator) -> None:
    client = await add_fixed(operator, "100")
    assert await sell_at(operator, ("2026-06-10T15:00:00", 400)) == [10_000]
    await operator.api("PUT", f"clients/{client}", json={"dca_mode": "flow"})
    assert await sell_at(operator, ("2026-06-10T16:00:00", 400)) == [40_000]
    # What was charged in flow mode counts when the client is fixed again.
    await operator.api("PUT", f"clients/{client}", json=FIXED)
    assert await sell_at(operator, ("2026-06-10T17:00:00", 400)) == [0]
    assert await sell_at(operator, ("2026-06-11T15:00:00", 400)) == [10_000]
