"""The lists' readable filters: the rows a person would pick, and nothing unknown is taken."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.lnbits_app import make_account, make_wallet
from support.machine import change, patient
from support.operator import BASE, Operator
from support.sold_days import ZONE, SoldDays, every, sell_some_days

COMBINATIONS = 60
STATES = ["completed", "held", "watching", "skipped", "pending"]
SORTS = ["confirmed_at_us", "status", "total_sats", "fiat_minor", "processed_us", "observed_us"]


@pytest.fixture
async def days(operator: Operator) -> SoldDays:
    return await sell_some_days(operator)


def chosen(strategy: st.SearchStrategy[Any], number: int = COMBINATIONS) -> list[Any]:
    """What hypothesis chooses; its own runner knows no coroutines."""
    found: list[Any] = []

    @settings(max_examples=number, database=None, derandomize=True)
    @given(strategy)
    def collect(one: Any) -> None:
        found.append(one)

    collect()
    return found


def local_day(iso: str) -> date:
    return datetime.fromisoformat(iso).astimezone(ZONE).date()


def picked(rows: list[dict[str, Any]], asked: dict[str, str]) -> list[str]:
    """The same filters by hand."""

    def fits(row: dict[str, Any]) -> bool:
        day = local_day(row["transaction_time"] or row["observed_at"])
        return (
            ("status" not in asked or row["status"] in asked["status"].split(","))
            and ("from" not in asked or day >= date.fromisoformat(asked["from"]))
            and ("to" not in asked or day <= date.fromisoformat(asked["to"]))
            and ("machine" not in asked or row["device_id"] == asked["machine"])
            and ("coin" not in asked or row["crypto_code"] == asked["coin"])
            and ("currency" not in asked or row["fiat_code"] == asked["currency"])
            and ("client" not in asked or asked["client"] in row["clients"])
            and ("search" not in asked or asked["search"] in row["lamassu_transaction_id"])
        )

    return sorted(row["id"] for row in rows if fits(row))


async def test_any_combination_shows_the_rows_a_person_would_pick(
    operator: Operator, days: SoldDays
) -> None:
    rows = await every(operator, "transactions")
    for row in rows:
        shares = await operator.shares(row["id"])
        row["clients"] = {share["client_id"] for share in shares}
    facets = await operator.api("GET", "facets")
    around = [days.midnight.date() + timedelta(days=n) for n in range(-4, 2)]
    combination = st.fixed_dictionaries(
        {},
        optional={
            "status": st.lists(st.sampled_from(STATES), min_size=1, unique=True).map(",".join),
            "days": st.lists(st.sampled_from(around), min_size=2, max_size=2).map(sorted),
            "machine": st.sampled_from([one["id"] for one in facets["machines"]]),
            "coin": st.sampled_from(facets["coins"]),
            "currency": st.sampled_from(facets["currencies"]),
            "client": st.sampled_from(days.clients),
            "search": st.sampled_from([days.ids[0][:13], days.ids[6]]),
        },
    )
    sizes = set()
    for asked in chosen(combination):
        if "days" in asked:
            asked["from"], asked["to"] = (day.isoformat() for day in asked.pop("days"))
        shown = await every(operator, "transactions", **asked)
        assert sorted(row["id"] for row in shown) == picked(rows, asked), asked
        sizes.add(len(shown))
    assert len(sizes) > 4  # not all of them empty


async def test_a_day_is_the_operators_own(operator: Operator, days: SoldDays) -> None:
    """A microsecond before midnight belongs to the day before."""
    day = days.midnight.date()
    today = await every(operator, "transactions", **{"from": day.isoformat()})
    ids = {row["lamassu_transaction_id"] for row in today}
    assert days.ids[0] in ids
    assert days.ids[1] not in ids
    yesterday = (day - timedelta(days=1)).isoformat()
    before = await every(operator, "transactions", **{"from": yesterday, "to": yesterday})
    assert days.ids[1] in {row["lamassu_transaction_id"] for row in before}
    await operator.api("PUT", "settings", json={"time_zone": "Pacific/Auckland"})
    assert await every(operator, "transactions", **{"from": day.isoformat()}) != today


async def test_pages_cover_every_row_once_in_every_order(
    operator: Operator, days: SoldDays
) -> None:
    for sortby in SORTS:
        for direction in ("asc", "desc"):
            await paged(operator, days, sortby, direction)


async def paged(operator: Operator, days: SoldDays, sortby: str, direction: str) -> None:
    order = {"sortby": sortby, "direction": direction}
    whole = await every(operator, "transactions", **order)
    parts = []
    for offset in range(0, len(whole), 3):
        page = {"limit": 3, "offset": offset, **order}
        parts += (await operator.api("GET", "transactions", params=page))["data"]
    assert [row["id"] for row in parts] == [row["id"] for row in whole]
    assert len({row["id"] for row in whole}) == len(days.ids)
    column = {"confirmed_at_us": "transaction_time", "processed_us": "processed_at"}
    name = column.get(sortby, {"observed_us": "observed_at"}.get(sortby, sortby))
    values = [row[name] for row in whole]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=direction == "desc")
    assert values[: len(known)] == known  # what is not known comes last, either way


async def test_search_finds_ids_and_payment_hashes(operator: Operator, days: SoldDays) -> None:
    settled = await operator.cash_out(days.ids[0])
    share = (await operator.shares(days.ids[0]))[0]
    for text in (days.ids[0][4:20], settled["id"], share["payment_hash"], days.ids[0].upper()):
        found = await every(operator, "transactions", search=text)
        assert [row["id"] for row in found] == [settled["id"]], text
    for text in ("%", "_", "!", "'", "no such id"):
        assert await every(operator, "transactions", search=text) == [], text


async def test_a_search_says_how_much_it_found_on_every_page(
    operator: Operator, days: SoldDays
) -> None:
    """It is counted with the page; a page behind the last one, and none at all, too."""
    whole = await every(operator, "transactions", search="-")  # each id has one
    assert len(whole) == len(days.ids)
    for limit, offset in ((1, 0), (2, 1), (50, 0), (1, len(whole)), (5, len(whole) + 7)):
        params = {"search": "-", "limit": limit, "offset": offset}
        found = await operator.api("GET", "transactions", params=params)
        assert found["total"] == len(whole)
        shown = [row["id"] for row in whole[offset : offset + limit]]
        assert [row["id"] for row in found["data"]] == shown
    none = await operator.api("GET", "transactions", params={"search": "no such id"})
    assert (none["data"], none["total"]) == ([], 0)


async def test_failed_shares_are_a_filter(operator: Operator, days: SoldDays) -> None:
    from lnbits.core.db import db as core_db
    from satmachineadmin.dev import sample_rows as sample

    assert await every(operator, "transactions", shares="failed") == []
    wallet = operator.wallets[days.clients[0]]
    await core_db.execute("UPDATE wallets SET deleted = true WHERE id = :id", {"id": wallet})
    await operator.lamassu.insert([row := sample.sale(fiat=40)])
    await operator.poll()
    found = await every(operator, "transactions", shares="failed")
    assert [one["lamassu_transaction_id"] for one in found] == [row["id"]]
    received = await fetched_shares(operator, row["id"])
    assert received == {share["id"]: share["status"] for share in await operator.shares(row["id"])}
    assert sorted(received.values()) == ["confirmed", "failed"]


async def fetched_shares(operator: Operator, lamassu_id: str) -> dict[str, str]:
    """Share -> state, by the file of its cash-out."""
    params = {"search": lamassu_id}
    answer = await operator.http.get(f"{BASE}/exports/shares.csv", params=params)
    lines = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    return {line["share_id"]: line["status"] for line in lines if line["row"].isdigit()}


REFUSED = [
    "transactions?status=nosuch",
    "transactions?status=held,",
    "transactions?from=yesterday",
    "transactions?from=2026-02-30",
    "transactions?to=20260201",
    "transactions?to=9999-12-31",
    "transactions?from=2026-02-02&to=2026-02-01",
    "transactions?colour=red",
    "transactions?status[nosuch]=held",
    "transactions?total_sats[gt]=many",
    "transactions?client=" + "x" * 300,
    "transactions?client=a%00b",
    "transactions?shares=all",
    "transactions?sortby=nosuch",
    "deposits?status=completed",
    "deposits?machine=x",
    "clients?from=2026-01-01",
    "users?search=" + "x" * 300,
    "exports/cash-outs.csv?status=nosuch",
    "exports/cash-outs.csv?limit=3",
    "exports/deposits.csv?to=tomorrow",
    "exports/clients.csv?colour=red",
]


async def test_what_is_unknown_or_malformed_is_refused(operator: Operator) -> None:
    for asked in REFUSED:
        answer = await operator.api("GET", asked, expect=422)
        assert answer["code"] == "BAD_INPUT", asked
        assert answer["hint"], asked
    await operator.api("GET", "exports/secrets.csv", expect=404)
    facets = await operator.api("GET", "facets")
    assert (facets["machines"], facets["coins"], facets["currencies"]) == ([], [], [])


async def test_facets(operator: Operator, days: SoldDays) -> None:
    facets = await operator.api("GET", "facets")
    rows = await every(operator, "transactions")
    assert [one["id"] for one in facets["machines"]] == sorted({x["device_id"] for x in rows})
    assert {one["name"] for one in facets["machines"]} == {x["machine_name"] for x in rows}
    assert (facets["coins"], facets["currencies"]) == (["BTC", "LN"], ["GTQ", "USD"])
    assert facets["time_zone"] == "America/Guatemala"
    assert date.fromisoformat(facets["today"])


async def test_deposits_by_state_and_client(operator: Operator, days: SoldDays) -> None:
    ana = days.clients[0]
    body = {"client_id": ana, "amount": "12.50", "notes": "second envelope"}
    pending = await operator.api("POST", "deposits", json=body)
    assert (pending["username"], pending["overdue"]) == ("Ana", False)
    found = await every(operator, "deposits", status="pending")
    assert [row["id"] for row in found] == [pending["id"]]
    assert {row["status"] for row in await every(operator, "deposits", client=ana)} == {
        "pending",
        "confirmed",
    }
    assert len(await every(operator, "deposits", status="pending,confirmed")) == 4
    assert [row["client_id"] for row in await every(operator, "deposits", search="béla")]
    assert [row["id"] for row in await every(operator, "deposits", search="2ND ENVEL")] == []
    assert len(await every(operator, "deposits", search="SECOND envel")) == 1
    today = days.midnight.date().isoformat()
    assert len(await every(operator, "deposits", **{"from": today, "currency": "USD"})) <= 1
    two_days_ago = datetime.now().timestamp() - 48 * 3600 - 60
    await change(
        "UPDATE satoshimachine.dca_deposits SET created_at = "
        f"{operator_timestamp(two_days_ago)} WHERE id = :id",
        {"id": pending["id"]},
    )
    assert (await operator.api("GET", f"deposits/{pending['id']}"))["overdue"] is True


def operator_timestamp(seconds: float) -> str:
    from lnbits.db import SQLITE
    from satmachineadmin.crud import db

    return str(seconds) if db.type == SQLITE else f"to_timestamp({seconds}) AT TIME ZONE 'UTC'"


async def test_clients_with_what_they_did(operator: Operator, days: SoldDays) -> None:
    rows = await every_client(operator)
    ana = rows[days.clients[0]]
    shares = [
        share
        for lamassu_id in days.ids
        for share in await operator.shares(lamassu_id)
        if share["client_id"] == days.clients[0]
    ]
    assert (ana["shares"], ana["deposits"]) == (len(shares), 1)
    assert ana["lifetime_sats"] == sum(share["amount_sats"] for share in shares)
    cost = sum(share["fiat_minor"] for share in shares) * 10**8 / ana["lifetime_sats"] / 100
    (average,) = ana["average_costs"]
    assert average["currency"] == "GTQ"
    assert float(average["average_cost"]) == pytest.approx(cost, abs=0.01)
    newest = max(share["transaction_time"] for share in shares)
    assert ana["last_share_at"][:19] == newest[:19]
    by_last = [*(await every_client(operator, sortby="last_share", direction="desc"))]
    assert len(by_last) == 3
    by_remaining = await every_client(operator, sortby="remaining", direction="asc")
    assert list(by_remaining)[-1] == days.clients[2]  # nothing in the operator's own currency


async def every_client(operator: Operator, **params: Any) -> dict[str, dict[str, Any]]:
    answer = await operator.api("GET", "clients", params={"activity": "true", **params})
    return {row["id"]: row for row in answer["data"]}


async def test_a_clients_sheet_adds_up(operator: Operator, days: SoldDays) -> None:
    sheet = await operator.api("GET", f"clients/{days.clients[0]}/sheet")
    (gtq,) = sheet["sheets"]
    assert gtq["opening"] == "0.00"
    assert gtq["total_deposits"] == "5000.00"
    left = gtq["total_deposits_minor"] - gtq["total_payments_minor"]
    assert left == gtq["remaining_minor"] == await operator.remaining_minor(days.clients[0])
    assert gtq["sats"] == sheet["lifetime_sats"] > 0
    assert sheet["user_name"]
    assert sheet["wallet_name"]
    await operator.api("GET", "clients/nosuch/sheet", expect=404)


async def test_every_share_is_explained(operator: Operator, days: SoldDays) -> None:
    found = await operator.api("GET", f"transactions/{days.ids[4]}/explanation")
    shares = {share["client_id"]: share for share in await operator.shares(days.ids[4])}
    parts = {part["client_id"]: part for part in found["parts"]}
    assert (found["together"], found["drawn"], found["fiat"]) == ("5700.00", "180.00", "180.00")
    assert sum(part["sats"] for part in parts.values()) == found["pool_sats"] == found["base_sats"]
    for client_id, share in shares.items():
        part = parts[client_id]
        assert (part["sats"], part["charged"]) == (share["amount_sats"], share["fiat"])
    assert parts[days.clients[1]]["took_part_with"] == "700.00"
    assert parts[days.clients[1]]["username"].startswith("=Béla")
    assert await operator.api("GET", f"transactions/{days.ids[8]}/explanation") is None


async def test_users_are_found_by_name_and_never_with_keys(operator: Operator) -> None:
    user_id, wallet_id = await make_account("juana.lists")
    await make_wallet("savings", user_id)
    (found,) = (await operator.api("GET", "users", params={"search": "JUANA.li"}))["data"]
    assert found == {"id": user_id, "name": "juana.lists", "client_id": None}
    body = {"user_id": user_id, "wallet_id": wallet_id}
    client = await operator.api("POST", "clients", json=body)
    (found,) = (await operator.api("GET", "users", params={"search": user_id[:20]}))["data"]
    assert found["client_id"] == client["id"]
    assert (await operator.api("GET", "users", params={"search": "100%"}))["data"] == []
    assert len((await operator.api("GET", "users"))["data"]) <= 20


async def test_nobody_else_sees_users_or_files(operator: Operator, ordinary_user: Any) -> None:
    async with patient(ordinary_user) as http:
        for path in ("users", "facets", "exports/cash-outs.csv", "exports/clients.csv"):
            assert (await http.get(f"{BASE}/{path}")).status_code == 403
