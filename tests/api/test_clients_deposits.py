"""Clients and their cash: refused, counted once, and exact to the smallest unit.

The earlier extension took deposits of 0 and -1000, stored 12.75 as 12 and let a confirmed deposit
go back to pending (peer.md h). The companion extension writes clients itself (design.md 6).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import httpx
import pytest
from satmachineadmin.dev import sample_rows
from support.lnbits_app import make_account, make_wallet
from support.machine import change, fetch, picture
from support.operator import BASE, Operator


async def refused(
    operator: Operator, method: str, path: str, body: Any, status: int = 422
) -> dict[str, Any]:
    """The request is refused in our words and changes nothing."""
    import json

    before = await picture()
    answer = await operator.http.request(
        method,
        f"{BASE}/{path}",
        content=body if isinstance(body, bytes) else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    said: dict[str, Any] = answer.json()
    assert said["detail"]
    assert said["code"]
    assert {"detail", "code", "hint"} <= set(said)
    assert await picture() == before
    return said


# -- clients ----------------------------------------


async def test_a_client_is_added_and_shown(operator: Operator) -> None:
    user_id, wallet_id = await make_account()
    body = {"user_id": user_id, "wallet_id": wallet_id, "username": "Ana <b> & Co, 100 %"}
    made = await operator.http.post(f"{BASE}/clients", json=body)
    assert made.status_code == 201
    client = made.json()
    assert {name: client[name] for name in body} == body
    assert (client["dca_mode"], client["status"], client["balances"]) == ("flow", "active", [])
    assert datetime.fromisoformat(client["created_at"]).tzinfo is not None
    assert await operator.api("GET", f"clients/{client['id']}") == client
    assert (await operator.api("GET", "clients"))["data"] == [client]
    balance = await operator.api("GET", f"clients/{client['id']}/balance")
    assert balance == {
        "client_id": client["id"],
        "currency": "GTQ",
        "total_deposits": 0.0,
        "total_payments": 0.0,
        "remaining_balance": 0.0,
        "balances": [],
    }


async def test_a_user_is_a_client_once(operator: Operator) -> None:
    user_id, wallet_id = await make_account()
    body = {"user_id": user_id, "wallet_id": wallet_id}
    await operator.api("POST", "clients", json=body)
    second = await make_wallet("second", user_id)
    said = await refused(operator, "POST", "clients", {**body, "wallet_id": second}, 409)
    assert said["code"] == "STATE_CONFLICT"


async def test_a_user_is_a_client_once_at_the_same_moment(operator: Operator) -> None:
    user_id, wallet_id = await make_account()
    body = {"user_id": user_id, "wallet_id": wallet_id}
    both = await asyncio.gather(
        *(operator.http.post(f"{BASE}/clients", json=body) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in both) == [201, 409]
    assert (await operator.api("GET", "clients"))["total"] == 1


async def test_a_client_without_a_usable_wallet_is_refused(operator: Operator) -> None:
    from lnbits.core.crud.wallets import create_wallet, delete_wallet
    from lnbits.core.models.wallets import WalletType

    user_id, wallet_id = await make_account()
    _, of_another = await make_account()
    gone = await make_wallet("gone", user_id)
    await delete_wallet(user_id=user_id, wallet_id=gone)
    shared = await create_wallet(
        user_id=user_id,
        wallet_name="shared",
        wallet_type=WalletType.LIGHTNING_SHARED,
        shared_wallet_id=of_another,
    )
    for bad in (of_another, operator.source_wallet, gone, shared.id, "nosuchwallet", "'; DROP --"):
        body = {"user_id": user_id, "wallet_id": bad}
        said = await refused(operator, "POST", "clients", body)
        assert said["hint"]
    nobody = {"user_id": uuid4().hex, "wallet_id": wallet_id}
    assert (await refused(operator, "POST", "clients", nobody))["hint"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_id": None},
        {"user_id": ""},
        {"user_id": "x" * 65},
        {"user_id": "a\nb"},
        {"wallet_id": ""},
        {"username": "x" * 101},
        {"username": "a\x00b"},
        {"dca_mode": "nonsense"},
        {"fixed_mode_daily_limit": -5},
        {"fixed_mode_daily_limit": 0},
        {"fixed_mode_daily_limit": "much"},
        {"fixed_mode_daily_limit": 10**9 + 1},
        {"status": "active"},
        {"no_such": 1},
    ],
)
async def test_a_bad_client_is_refused(operator: Operator, wrong: dict[str, Any]) -> None:
    user_id, wallet_id = await make_account()
    said = await refused(
        operator, "POST", "clients", {"user_id": user_id, "wallet_id": wallet_id, **wrong}
    )
    assert [error["field"] for error in said["errors"]] == list(wrong)


async def test_a_client_is_changed(operator: Operator) -> None:
    client = await operator.add_client("0", username="before")
    user = (await operator.api("GET", f"clients/{client}"))["user_id"]
    wallet = await make_wallet("another", user)
    changes = {
        "wallet_id": wallet,
        "username": "after &amp; <i>",
        "dca_mode": "fixed",
        "fixed_mode_daily_limit": 12.5,
        "status": "inactive",
    }
    changed = await operator.api("PUT", f"clients/{client}", json=changes)
    assert {name: changed[name] for name in changes} == changes
    same = await operator.api("PUT", f"clients/{client}", json={})
    assert same == changed
    one = await operator.api("PUT", f"clients/{client}", json={"status": "active"})
    assert one == {**changed, "status": "active", "updated_at": one["updated_at"]}
    gone = await operator.api("PUT", f"clients/{client}", json={"fixed_mode_daily_limit": None})
    assert gone["fixed_mode_daily_limit"] is None
    kept = await operator.api("PUT", f"clients/{client}", json={"wallet_id": None})
    assert kept["wallet_id"] == wallet


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "gone"},
        {"dca_mode": "other"},
        {"fixed_mode_daily_limit": -1},
        {"user_id": "another"},
        {"username": "a\nb"},
        {"wallet_id": "nosuchwallet"},
        {"id": "x"},
    ],
)
async def test_a_bad_change_is_refused(operator: Operator, wrong: dict[str, Any]) -> None:
    client = await operator.add_client("0")
    await refused(operator, "PUT", f"clients/{client}", wrong)


async def test_another_users_wallet_is_refused_in_a_change(operator: Operator) -> None:
    client = await operator.add_client("0")
    _, other = await make_account()
    await refused(operator, "PUT", f"clients/{client}", {"wallet_id": other})


@pytest.mark.parametrize(
    "some_id", ["nosuchid", "'; DROP TABLE dca_clients; --", "%25", "%F0%9F%98%80"]
)
async def test_an_unknown_client_is_not_found(operator: Operator, some_id: str) -> None:
    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("GET", "/balance"),
        ("GET", "/distributions"),
    ):
        answer = await operator.http.request(
            method, f"{BASE}/clients/{some_id}{path}", json={} if method == "PUT" else None
        )
        assert answer.status_code == 404, answer.text
        assert answer.json()["code"] == "NOT_FOUND"


async def test_balances_are_kept_apart_by_currency(operator: Operator) -> None:
    client = await operator.add_client("100")
    await operator.deposit(client, "12.75")
    await operator.deposit(client, "7", "USD")
    await operator.deposit(client, "500", "JPY")
    answer = await operator.api("GET", f"clients/{client}/balance")
    assert answer["currency"] == "GTQ"
    assert (answer["total_deposits"], answer["remaining_balance"]) == (112.75, 112.75)
    found = {
        b["currency"]: (b["remaining_minor"], b["remaining_balance"]) for b in answer["balances"]
    }
    assert found == {"GTQ": (11_275, "112.75"), "JPY": (500, "500"), "USD": (700, "7.00")}


# -- the companion extension ----------------------------------------


async def companion_inserts(mode: str = "flow", limit: float | None = None) -> tuple[str, str]:
    """Register a client as satmachineclient does: its own INSERT of nine columns."""
    from satmachineadmin.crud import db

    user_id, wallet_id = await make_account()
    client_id, now = uuid4().hex[:22], datetime.now(timezone.utc)
    await change(
        f"""
        INSERT INTO satoshimachine.dca_clients
        (id, user_id, wallet_id, username, dca_mode, fixed_mode_daily_limit, status, created_at,
         updated_at)
        VALUES (:id, :user_id, :wallet_id, :username, :dca_mode, :fixed_mode_daily_limit, :status,
                {db.timestamp_placeholder("created_at")}, {db.timestamp_placeholder("updated_at")})
        """,
        {
            "id": client_id,
            "user_id": user_id,
            "wallet_id": wallet_id,
            "username": "by the companion",
            "dca_mode": mode,
            "fixed_mode_daily_limit": limit,
            "status": "active",
            "created_at": now,
            "updated_at": now,
        },
    )
    return client_id, wallet_id


async def test_the_companions_client_shows_up_and_is_paid(operator: Operator) -> None:
    client, wallet = await companion_inserts()
    operator.wallets[client] = wallet
    (shown,) = (await operator.api("GET", "clients"))["data"]
    assert (shown["id"], shown["wallet_id"], shown["status"]) == (client, wallet, "active")
    age = datetime.now(timezone.utc) - datetime.fromisoformat(shown["created_at"])
    assert timedelta(0) <= age < timedelta(minutes=2)
    await operator.deposit(client, "3000")
    await operator.lamassu.insert([sample_rows.sale()])
    await operator.poll()
    assert (await operator.balances())[client] > 0


@pytest.mark.parametrize(
    ("mode", "limit"),
    [
        ("nonsense", None),
        ("", None),
        ("FLOW", None),
        ("fixed", -5.0),
        ("fixed", None),
        ("fixed", 0.0),
    ],
)
async def test_what_the_companion_may_write_is_shown_and_paused(
    operator: Operator, mode: str, limit: float | None
) -> None:
    odd, wallet = await companion_inserts(mode, limit)
    operator.wallets[odd] = wallet
    normal = await operator.add_client("50")
    await operator.deposit(odd, "3000")
    shown = await operator.api("GET", f"clients/{odd}")
    assert (shown["dca_mode"], shown["fixed_mode_daily_limit"]) == (mode, limit)
    assert (await operator.api("GET", "clients"))["total"] == 2
    row = sample_rows.sale(fiat=100)
    await operator.lamassu.insert([row])
    await operator.poll()
    assert [share["client_id"] for share in await operator.shares(row["id"])] == [normal]
    assert await operator.remaining_minor(odd) == 300_000


async def test_the_companion_reads_whole_units(operator: Operator) -> None:
    """SUM(confirmed deposits) - SUM(amount_fiat of confirmed payments), in whole GTQ."""
    client = await operator.add_client("12.75")
    await operator.lamassu.insert([sample_rows.sale(fiat=5)])
    await operator.poll()
    (deposit,) = await fetch("SELECT * FROM satoshimachine.dca_deposits")
    assert (deposit["amount"], deposit["amount_minor"]) == (12.75, 1_275)
    assert (deposit["currency"], deposit["status"]) == ("GTQ", "confirmed")
    (payment,) = await fetch("SELECT * FROM satoshimachine.dca_payments")
    assert (payment["amount_fiat"], payment["fiat_minor"], payment["status"]) == (
        5,
        500,
        "confirmed",
    )
    assert payment["transaction_type"] == "flow"
    assert deposit["amount"] - payment["amount_fiat"] == 7.75
    assert await operator.remaining_minor(client) == 775


async def test_the_client_limits_are_exactly_these(
    operator: Operator, anonymous: httpx.AsyncClient
) -> None:
    first = await anonymous.get(f"{BASE}/client-limits")
    assert first.json() == {"max_daily_limit_gtq": 2000, "currency": "GTQ"}
    await operator.api("PUT", "settings", json={"max_daily_limit": 750, "currency": "USD"})
    second = await anonymous.get(f"{BASE}/client-limits")
    assert second.json() == {"max_daily_limit_gtq": 750, "currency": "USD"}


# -- deposits ----------------------------------------


BAD_AMOUNTS: list[tuple[str, bytes]] = [
    ("GTQ", b"0"),
    ("GTQ", b'"0.00"'),
    ("GTQ", b"-1000"),
    ("GTQ", b'"-0.01"'),
    ("GTQ", b"NaN"),
    ("GTQ", b'"NaN"'),
    ("GTQ", b'"sNaN"'),
    ("GTQ", b"Infinity"),
    ("GTQ", b'"-Infinity"'),
    ("GTQ", b"1e400"),
    ("GTQ", b'"1e400"'),
    ("GTQ", b"0.001"),
    ("GTQ", b'"12.345"'),
    ("GTQ", b'"1e-5000"'),
    ("GTQ", b"1000000000001"),
    ("GTQ", b"1" * 400),
    ("GTQ", b'"ten"'),
    ("GTQ", b'""'),
    ("GTQ", b"null"),
    ("GTQ", b"[1]"),
    ("GTQ", b'{"a": 1}'),
    ("JPY", b"0.1"),
    ("KWD", b"0.0001"),
    ("XQX", b"1"),
    ("gtq", b"1"),
    ("BTC", b"1"),
    ("sat", b"1"),
    ("", b"1"),
]


@pytest.mark.parametrize(("currency", "amount"), BAD_AMOUNTS)
async def test_a_bad_amount_is_refused(operator: Operator, currency: str, amount: bytes) -> None:
    client = await operator.add_client("0")
    head = f'{{"client_id": "{client}", "currency": "{currency}", "amount": '.encode()
    await refused(operator, "POST", "deposits", head + amount + b"}")


async def test_a_tiny_amount_is_refused_at_once(operator: Operator) -> None:
    """Its exact fraction has millions of digits, or billions: LNbits stands still meanwhile."""
    client = await operator.add_client("0")
    body = {"client_id": client, "amount": "1e-3000000"}
    began = time.perf_counter()
    answer = await operator.http.post(f"{BASE}/deposits", json=body)
    assert answer.status_code == 422, answer.text
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("currency", "amount", "minor", "shown"),
    [
        ("GTQ", 12.75, 1_275, "12.75"),
        ("GTQ", "12.75", 1_275, "12.75"),
        ("GTQ", "12.7500", 1_275, "12.75"),
        ("GTQ", "1e2", 10_000, "100.00"),
        ("GTQ", 0.01, 1, "0.01"),
        ("GTQ", 0.29, 29, "0.29"),
        ("GTQ", 1_000_000_000_000, 10**14, "1000000000000.00"),
        ("GTQ", "999999999999.99", 99_999_999_999_999, "999999999999.99"),
        ("JPY", 500, 500, "500"),
        ("KWD", "1.234", 1_234, "1.234"),
    ],
)
async def test_an_amount_is_exact(
    operator: Operator, currency: str, amount: Any, minor: int, shown: str
) -> None:
    client = await operator.add_client("0")
    body = {"client_id": client, "amount": amount, "currency": currency}
    deposit = await operator.api("POST", "deposits", expect=201, json=body)
    assert deposit["amount_minor"] == minor
    assert deposit["amount_decimal"] == shown
    (row,) = await fetch("SELECT amount, amount_minor FROM satoshimachine.dca_deposits")
    assert row["amount_minor"] == minor
    assert row["amount"] == float(shown)
    assert await operator.remaining_minor(client, currency) == 0
    await operator.api("PUT", f"deposits/{deposit['id']}/status", json={"status": "confirmed"})
    assert await operator.remaining_minor(client, currency) == minor


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": ""},
        {"client_id": "x" * 65},
        {"notes": "a\x00b"},
        {"notes": "two\nlines"},
        {"notes": "x" * 501},
        {"status": "confirmed"},
        {"amount_minor": 1},
    ],
)
async def test_a_bad_deposit_is_refused(operator: Operator, wrong: dict[str, Any]) -> None:
    client = await operator.add_client("0")
    said = await refused(operator, "POST", "deposits", {"client_id": client, "amount": 1, **wrong})
    assert [error["field"] for error in said["errors"]] == list(wrong)


async def test_a_deposit_of_nobody_is_refused(operator: Operator) -> None:
    said = await refused(operator, "POST", "deposits", {"client_id": "nosuchid", "amount": 1}, 404)
    assert said["code"] == "NOT_FOUND"


async def new_deposit(operator: Operator, **more: Any) -> tuple[str, str]:
    client = await operator.add_client("0")
    body = {"client_id": client, "amount": "20", **more}
    return client, (await operator.api("POST", "deposits", json=body))["id"]


async def test_a_pending_deposit_counts_once_it_is_confirmed(operator: Operator) -> None:
    client, deposit = await new_deposit(operator, notes="<b>bills</b> &amp; coins")
    shown = await operator.api("GET", f"deposits/{deposit}")
    assert (shown["status"], shown["notes"]) == ("pending", "<b>bills</b> &amp; coins")
    assert (shown["confirmed_at"], shown["effective_at"]) == (None, None)
    assert await operator.remaining_minor(client) == 0
    confirmed = await operator.api(
        "PUT", f"deposits/{deposit}/status", json={"status": "confirmed"}
    )
    assert confirmed["status"] == "confirmed"
    assert confirmed["notes"] == shown["notes"]
    assert confirmed["confirmed_at"]
    age = datetime.now(timezone.utc) - datetime.fromisoformat(confirmed["effective_at"])
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert await operator.remaining_minor(client) == 2_000


@pytest.mark.parametrize("first", ["confirmed", "cancelled"])
@pytest.mark.parametrize("second", ["confirmed", "cancelled"])
async def test_a_decided_deposit_is_never_edited(
    operator: Operator, first: str, second: str
) -> None:
    client, deposit = await new_deposit(operator)
    await operator.api("PUT", f"deposits/{deposit}/status", json={"status": first})
    left = await operator.remaining_minor(client)
    assert left == (2_000 if first == "confirmed" else 0)
    body = {"status": second, "notes": "changed"}
    said = await refused(operator, "PUT", f"deposits/{deposit}/status", body, 409)
    assert said["code"] == "STATE_CONFLICT"
    assert said["hint"]
    await refused(operator, "PUT", f"deposits/{deposit}/status", {"status": "pending"})
    assert await operator.remaining_minor(client) == left


async def test_confirmed_by_two_at_once_counts_once(operator: Operator) -> None:
    client, deposit = await new_deposit(operator)
    both = await asyncio.gather(
        *(
            operator.http.put(f"{BASE}/deposits/{deposit}/status", json={"status": "confirmed"})
            for _ in range(3)
        )
    )
    assert sorted(answer.status_code for answer in both) == [200, 409, 409]
    assert await operator.remaining_minor(client) == 2_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "pending"},
        {"status": "paid"},
        {"status": ""},
        {"status": None},
        {},
        {"status": "confirmed", "effective_at": "2026-01-01T00:00:00"},
        {"status": "confirmed", "effective_at": "9999-12-31T00:00:00Z"},
        {"status": "confirmed", "effective_at": "soon"},
        {"status": "confirmed", "notes": "a\nb"},
        {"status": "confirmed", "amount": 5},
    ],
)
async def test_a_bad_decision_is_refused(operator: Operator, wrong: dict[str, Any]) -> None:
    _, deposit = await new_deposit(operator)
    await refused(operator, "PUT", f"deposits/{deposit}/status", wrong)


async def test_a_deposit_cannot_count_from_tomorrow(operator: Operator) -> None:
    _, deposit = await new_deposit(operator)
    soon = (datetime.now(timezone.utc) + timedelta(minutes=2)).isoformat()
    body = {"status": "confirmed", "effective_at": soon}
    assert (await refused(operator, "PUT", f"deposits/{deposit}/status", body))["hint"]


async def test_cash_that_lay_in_the_machine_counts_from_then(operator: Operator) -> None:
    client, deposit = await new_deposit(operator)
    then = "2026-02-03T04:05:06+02:00"
    confirmed = await operator.api(
        "PUT", f"deposits/{deposit}/status", json={"status": "confirmed", "effective_at": then}
    )
    assert datetime.fromisoformat(confirmed["effective_at"]) == datetime.fromisoformat(then)
    assert await operator.remaining_minor(client) == 2_000


async def test_an_unknown_deposit_is_not_found(operator: Operator) -> None:
    for some_id in ("nosuchid", "'; DROP TABLE dca_deposits; --"):
        await operator.api("GET", f"deposits/{some_id}", expect=404)
        await operator.api(
            "PUT", f"deposits/{some_id}/status", expect=404, json={"status": "confirmed"}
        )


# -- once per key ----------------------------------------


async def test_the_same_key_answers_the_first_answer(operator: Operator) -> None:
    client = await operator.add_client("0")
    body, key = {"client_id": client, "amount": "5"}, {"Idempotency-Key": uuid4().hex}
    first = await operator.http.post(f"{BASE}/deposits", json=body, headers=key)
    again = await operator.http.post(f"{BASE}/deposits", json=body, headers=key)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert (await operator.api("GET", "deposits"))["total"] == 1
    other = await operator.http.post(f"{BASE}/deposits", json={**body, "amount": "6"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert other.json()["hint"]
    elsewhere = await operator.http.post(f"{BASE}/manual-poll", headers=key)
    assert elsewhere.json()["code"] == "IDEMPOTENCY_CONFLICT"
    assert (await operator.api("GET", "deposits"))["total"] == 1
    new = await operator.http.post(
        f"{BASE}/deposits", json=body, headers={"Idempotency-Key": uuid4().hex}
    )
    assert new.status_code == 201
    assert new.json()["id"] != first.json()["id"]


async def test_two_at_the_same_moment_have_one_effect(operator: Operator) -> None:
    client = await operator.add_client("0")
    body, key = {"client_id": client, "amount": "5"}, {"Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(
        *(operator.http.post(f"{BASE}/deposits", json=body, headers=key) for _ in range(4))
    )
    good = [answer.json() for answer in answers if answer.status_code == 201]
    rest = [answer for answer in answers if answer.status_code != 201]
    assert good
    assert all(answer == good[0] for answer in good)
    assert all(answer.status_code == 409 and answer.json()["hint"] for answer in rest)
    assert (await operator.api("GET", "deposits"))["total"] == 1


async def test_a_refused_request_gives_its_key_back(operator: Operator) -> None:
    client = await operator.add_client("0")
    key = {"Idempotency-Key": uuid4().hex}
    wrong = {"client_id": "nosuchid", "amount": "5"}
    assert (
        await operator.http.post(f"{BASE}/deposits", json=wrong, headers=key)
    ).status_code == 404
    right = await operator.http.post(
        f"{BASE}/deposits", json={"client_id": client, "amount": "5"}, headers=key
    )
    assert right.status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_bad_key_is_refused(operator: Operator, key: str) -> None:
    client = await operator.add_client("0")
    answer = await operator.http.post(
        f"{BASE}/deposits",
        json={"client_id": client, "amount": "5"},
        headers={"Idempotency-Key": key},
    )
    assert answer.status_code == 422
    assert (await operator.api("GET", "deposits"))["total"] == 0


Request = Callable[[Operator, str], dict[str, Any]]


async def test_every_route_that_moves_money_knows_keys(operator: Operator) -> None:
    """The same request twice with one key: the same answer, and nothing changes any more."""
    client, deposit = await new_deposit(operator)
    user_id, wallet_id = await make_account()
    rows = [sample_rows.sale(), sample_rows.sale(), sample_rows.partly_dispensed()]
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", "clients", {"user_id": user_id, "wallet_id": wallet_id}),
        (
            "PUT",
            f"deposits/{deposit}/status",
            {"status": "confirmed", "effective_at": "2026-01-01T00:00:00Z"},
        ),
        ("POST", f"process-transaction/{rows[0]['id']}", None),
        ("POST", "manual-poll", None),
        ("POST", f"transactions/{rows[2]['id']}/skip", {"reason": "tested"}),
    ]
    await operator.lamassu.insert(rows)
    for method, path, body in requests:
        key = {"Idempotency-Key": uuid4().hex}
        first = await operator.http.request(method, f"{BASE}/{path}", json=body, headers=key)
        assert first.is_success, f"{path}: {first.text}"
        before = await picture()
        again = await operator.http.request(method, f"{BASE}/{path}", json=body, headers=key)
        assert again.json() == first.json(), path
        assert again.status_code == first.status_code, path
        assert await picture() == before, path
    assert await operator.remaining_minor(client) < 2_000
