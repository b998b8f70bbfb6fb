"""Lists: always a limit and a total, LNbits' own words for filters, never a crash."""

from __future__ import annotations

from typing import Any

import pytest
from satmachineadmin.dev import sample_rows
from support.machine import change, patient
from support.operator import BASE, Operator, ago

LISTS = ["clients", "deposits", "transactions", "polls"]
NAMES = [
    "Ana",
    "Béla",
    "100 % cash",
    "a<b",
    "<b>bold</b>",
    "under_score",
    "O'Hara; --",
    "back\\slash",
]


async def page(operator: Operator, path: str, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await operator.api("GET", path, params=params)
    assert set(answer) == {"data", "total"}
    return answer


async def seed_clients(names: list[str]) -> None:
    """Clients by SQL, as the companion adds them; quicker than accounts with passwords."""
    from satmachineadmin.crud import db
    from sqlalchemy.sql import text

    async with db.connect() as conn:
        # Past LNbits' execute, which strips markup: ours does not.
        for number, name in enumerate(names):
            await conn.conn.execute(
                text(
                    conn.rewrite_query(
                        "INSERT INTO satoshimachine.dca_clients (id, user_id, wallet_id, username)"
                        " VALUES (:id, :id, :id, :name)"
                    )
                ),
                {"id": f"client{number:03}", "name": name},
            )
        await conn.conn.commit()


@pytest.fixture
async def sold(operator: Operator) -> list[dict[str, Any]]:
    """Five settled sales, oldest first, then two held and one running."""
    await operator.add_client("5000")
    rows = [sample_rows.sale(fiat=100 + i, confirmed_at=ago(minutes=50 - i)) for i in range(5)]
    rows += [sample_rows.partly_dispensed(), sample_rows.cancelled_after()]
    rows += [sample_rows.paid_not_dispensed()]
    await operator.lamassu.insert(rows)
    await operator.poll()
    return rows


async def test_empty_lists(operator: Operator) -> None:
    for path in LISTS:
        assert await page(operator, path) == {"data": [], "total": 0}
    client = await operator.add_client("0")
    shares = await page(operator, f"clients/{client}/distributions")
    assert shares == {"data": [], "total": 0}


async def test_pages_follow_each_other(operator: Operator, sold: list[dict[str, Any]]) -> None:
    whole = await page(operator, "transactions")
    assert whole["total"] == len(sold) == len(whole["data"])
    parts = []
    for offset in range(0, len(sold), 3):
        part = await page(operator, "transactions", limit=3, offset=offset)
        assert part["total"] == len(sold)
        parts += part["data"]
    assert parts == whole["data"]


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({"offset": 1000}, 0),
        ({"limit": 10**9}, None),
        ({"limit": 0}, None),
        ({"limit": -1}, None),
        ({"offset": -5}, None),
        ({"offset": 2**63}, 0),
        ({"offset": 10**30}, 0),
        ({"limit": 10**30}, None),
    ],
)
async def test_any_limit_and_offset_are_answered(
    operator: Operator, params: dict[str, int], shown: int | None
) -> None:
    """Past the end a list still says how long it is."""
    await operator.add_client("10")
    await operator.lamassu.insert([sample_rows.sale()])
    await operator.poll()
    async with patient(operator.http) as http:
        for path in LISTS:
            answer = await http.get(f"{BASE}/{path}", params=params)
            assert answer.status_code in (200, 422), f"{path}: {answer.text}"
            if answer.status_code == 200:
                assert answer.json()["total"] == 1
                assert shown is None or len(answer.json()["data"]) == shown


async def test_no_page_has_more_than_a_thousand(operator: Operator) -> None:
    await seed_clients([f"n{number}" for number in range(1005)])
    answer = await page(operator, "clients", limit=10**9)
    assert (len(answer["data"]), answer["total"]) == (1000, 1005)
    default = await page(operator, "clients")
    assert (len(default["data"]), default["total"]) == (50, 1005)


@pytest.mark.parametrize("limit", ["many", "1.5", "<b>"])
async def test_a_limit_that_is_no_number_is_refused(operator: Operator, limit: str) -> None:
    answer = await operator.api("GET", "clients", expect=422, params={"limit": limit})
    assert answer["code"] == "BAD_INPUT"
    assert answer["errors"][0]["field"].endswith("limit")
    assert "<b>" not in answer["detail"]


# -- order ----------------------------------------


async def test_newest_first_unless_asked(operator: Operator, sold: list[dict[str, Any]]) -> None:
    settled = [row["id"] for row in sold[:5]]
    newest = await page(operator, "transactions", status="completed")
    assert [x["lamassu_transaction_id"] for x in newest["data"]] == settled[::-1]
    oldest = await page(
        operator, "transactions", status="completed", sortby="confirmed_at_us", direction="asc"
    )
    assert [x["lamassu_transaction_id"] for x in oldest["data"]] == settled
    dear = await page(operator, "transactions", sortby="fiat_minor", direction="desc", limit=1)
    assert dear["data"][0]["fiat"] == "104.00"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (
            "transactions",
            [
                "confirmed_at_us",
                "processed_us",
                "observed_us",
                "status",
                "total_sats",
                "fiat_minor",
            ],
        ),
        ("deposits", ["created_at", "amount_minor", "status", "effective_us"]),
        ("clients", ["username", "created_at", "status", "dca_mode"]),
        ("polls", ["started_us"]),
    ],
)
async def test_every_named_order_works(
    operator: Operator, sold: list[dict[str, Any]], path: str, fields: list[str]
) -> None:
    for field in fields:
        for direction in ("asc", "desc"):
            answer = await page(operator, path, sortby=field, direction=direction)
            assert len(answer["data"]) == answer["total"] > 0
    assert sold


@pytest.mark.parametrize("sortby", ["nosuch", "id; DROP TABLE dca_clients", "1", "password"])
async def test_an_unknown_order_is_refused(operator: Operator, sortby: str) -> None:
    for path in LISTS:
        answer = await operator.http.get(f"{BASE}/{path}", params={"sortby": sortby})
        assert answer.status_code in (400, 422), answer.text
    wrong = await operator.http.get(f"{BASE}/clients", params={"direction": "sideways"})
    assert wrong.status_code in (400, 422)


# -- filters ----------------------------------------


async def test_filters(operator: Operator, sold: list[dict[str, Any]]) -> None:
    async def ids(**params: Any) -> set[str]:
        found = await page(operator, "transactions", **params)
        assert found["total"] == len(found["data"])
        return {x["lamassu_transaction_id"] for x in found["data"]}

    settled, held, running = ({r["id"] for r in part} for part in (sold[:5], sold[5:7], sold[7:]))
    assert await ids(status="completed") == settled
    assert await ids(**{"status[ne]": "completed"}) == held | running
    assert await ids(**{"status[in]": "held,watching"}) == held | running
    assert await ids(**{"status[in]": ["held", "watching"]}) == held | running
    assert await ids(**{"status[ex]": "held,watching"}) == settled
    assert await ids(**{"status[in]": ""}) == set()
    assert await ids(**{"status[eq]": "nosuch"}) == set()
    assert await ids(**{"fiat_minor[ge]": 10_300}) == {row["id"] for row in sold[3:5]}
    assert await ids(**{"fiat_minor[gt]": 10_000, "fiat_minor[le]": 10_100}) == {sold[1]["id"]}
    assert await ids(lamassu_transaction_id=sold[0]["id"]) == {sold[0]["id"]}
    assert await ids(hold_code="source_error", crypto_code="LN") == held
    assert await ids(**{"machine_name[like]": "Mercado"}) == settled | held | running
    assert await ids(search=sold[2]["id"][:18].upper()) == {sold[2]["id"]}


@pytest.mark.parametrize(
    "params",
    [
        {"status[in]": "a'; DROP TABLE dca_clients; --"},
        {"status[nosuch]": "x"},
        {"nosuch": "x"},
        {"id[in]": ",".join(str(n) for n in range(900))},
        {"status[in": "x"},
        {"search": "'; --"},
        {"id": "x" * 10_000},
        {"total_sats[gt]": "abc"},
        {"started_us[gt]": "abc"},
    ],
)
async def test_odd_filters_never_crash(operator: Operator, params: dict[str, str]) -> None:
    async with patient(operator.http) as http:
        for path in LISTS:
            answer = await http.get(f"{BASE}/{path}", params=params)
            assert answer.status_code in (200, 400, 422), f"{path}: {answer.text}"


async def test_a_number_beyond_64_bits_in_a_filter_never_crashes(operator: Operator) -> None:
    async with patient(operator.http) as http:
        for where in ("transactions?total_sats[gt]", "deposits?amount_minor", "polls?started_us"):
            answer = await http.get(f"{BASE}/{where}={10**30}")
            assert answer.status_code in (200, 400, 422), f"{where}: {answer.text}"


@pytest.mark.parametrize("path", ["clients", "deposits"])
async def test_a_filter_by_creation_time(operator: Operator, path: str) -> None:
    """Both databases understand the same instant."""
    await operator.add_client("10")
    async with patient(operator.http) as http:
        for moment, total in (("2020-01-01T00:00:00Z", 1), ("2999-01-01T00:00:00Z", 0)):
            answer = await http.get(f"{BASE}/{path}", params={"created_at[ge]": moment})
            assert answer.status_code == 200, answer.text
            assert answer.json()["total"] == total


@pytest.mark.parametrize("where", ["clients?search=a%00b", "clients/%00", "deposits?status=%00"])
async def test_a_zero_byte_never_crashes(operator: Operator, where: str) -> None:
    """PostgreSQL takes no such text; that is no reason for a 500."""
    async with patient(operator.http) as http:
        answer = await http.get(f"{BASE}/{where}")
    assert answer.status_code in (200, 400, 404, 422), answer.text


# -- search ----------------------------------------


async def test_search_finds_every_name(operator: Operator) -> None:
    await seed_clients(NAMES)
    for name in NAMES:
        found = await page(operator, "clients", search=name)
        assert name in [x["username"] for x in found["data"]], name
    less = await page(operator, "clients", search="<")
    assert sorted(x["username"] for x in less["data"]) == ["<b>bold</b>", "a<b"]
    assert (await page(operator, "clients", search="aNA"))["total"] == 1
    assert (await page(operator, "clients", search="nobody at all"))["total"] == 0
    assert (await page(operator, "clients", search=""))["total"] == len(NAMES)


async def test_search_for_markup_finds_only_that(operator: Operator) -> None:
    """LNbits strips `<b>` from bound text, so that the search would be for everything."""
    await seed_clients(NAMES)
    found = await page(operator, "clients", search="<b>")
    assert [x["username"] for x in found["data"]] == ["<b>bold</b>"]


async def test_an_id_with_markup_is_another_id(operator: Operator) -> None:
    """`<b>id` is not `id`."""
    client = await operator.add_client("0")
    await operator.api("GET", f"clients/%3Cb%3E{client}", expect=404)


# -- poisonous rows ----------------------------------------


@pytest.mark.parametrize("column", ["fiat", "crypto_atoms", "commission_percentage"])
async def test_a_number_that_is_none_does_not_hide_the_list(
    operator: Operator, column: str
) -> None:
    """PostgreSQL's numeric knows NaN, JSON does not: the row is held and shown (design.md 3.1)."""
    good, bad = sample_rows.sale(), sample_rows.sale()
    bad[column] = "NaN"
    await operator.add_client()
    await operator.lamassu.insert([good, bad])
    await operator.poll()
    async with patient(operator.http) as http:
        answer = await http.get(f"{BASE}/transactions")
        assert answer.status_code == 200, answer.text
        states = {x["lamassu_transaction_id"]: x["status"] for x in answer.json()["data"]}
        assert states == {good["id"]: "completed", bad["id"]: "held"}
        one = await http.get(f"{BASE}/transactions/{bad['id']}")
        assert one.status_code == 200, one.text
    await operator.api("POST", f"transactions/{bad['id']}/skip", json={"reason": "no number"})


async def test_markup_from_the_machine_is_only_text(operator: Operator) -> None:
    """A machine's name or an error may hold anything; JSON carries it as it is."""
    row = sample_rows.confirmed_with_error(error="<script>alert(1)</script> & 'x' \" \\")
    await operator.lamassu.insert([row])
    await operator.poll()
    found = await operator.cash_out(row["id"])
    assert found["source_row"]["error"] == row["error"]
    assert found["status"] == "held"


async def test_a_companions_odd_number_does_not_hide_the_list(operator: Operator) -> None:
    """The companion's column takes any double, also infinity, which JSON cannot carry."""
    client = await operator.add_client("0")
    await change(
        "UPDATE satoshimachine.dca_clients SET fixed_mode_daily_limit = :limit WHERE id = :id",
        {"limit": float("inf"), "id": client},
    )
    async with patient(operator.http) as http:
        for path in ("clients", f"clients/{client}"):
            answer = await http.get(f"{BASE}/{path}")
            assert answer.status_code == 200, answer.text
