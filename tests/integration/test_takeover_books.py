"""The opening books after the earlier extension: entered once, shown, and nothing paid again."""

from __future__ import annotations

from typing import Any

import pytest
from satmachineadmin.dev import sample_rows
from support.earlier_books import (
    NOON,
    ROWS,
    SALES,
    build_old_tables,
    old_client,
    old_deposit,
    old_payment,
    old_transaction,
)
from support.lnbits_app import make_account, wallet_balance_sats
from support.operator import Operator
from support.proof import prove

BALANCES = {
    ("client:alice", "GTQ"): 100 * (5000 - 1000 - 1000 - 1000 - 10),
    ("client:alice", "JPY"): 7000,
    ("client:bob", "GTQ"): 100 * (500 - 333),
    ("client:bob", "USD"): 100 * (40 - 15),
    ("client:ghost", "GTQ"): 100 * 100,
    ("overpaid:carol", "GTQ"): 100 * 300,
    ("overpaid:dave", "GTQ"): 100 * 200,
    ("dispensed", "GTQ"): 100 * (1000 + 1000 + 10 + 333),
    ("dispensed", "USD"): 100 * 15,
    ("deposits", "GTQ"): -100 * (5000 - 1000 + 500 + 100 + 300 + 200),
    ("deposits", "JPY"): -7000,
    ("deposits", "USD"): -100 * 40,
}


async def left_behind(rows: dict[str, list[dict[str, Any]]] = ROWS) -> None:
    """What the earlier extension left in the database LNbits runs on, copied by our migration."""
    from satmachineadmin.crud import db
    from satmachineadmin.legacy import copy_old_rows

    async with db.connect() as conn:
        await build_old_tables(conn, "earlier_", rows)
        await copy_old_rows(conn)


async def stored_balances() -> dict[tuple[str, str], int]:
    from satmachineadmin import crud

    rows = await crud.fetch_rows(
        "SELECT account, unit, balance FROM satoshimachine.ledger_balances"
    )
    return {(row["account"], row["unit"]): int(row["balance"]) for row in rows}


async def count(table: str) -> int:
    from satmachineadmin import crud

    row = await crud.fetch_row(f"SELECT COUNT(*) AS n FROM satoshimachine.{table}")
    assert row is not None
    return int(row["n"])


@pytest.fixture
async def found(clean_books: None) -> dict[str, Any]:
    """The old books were found; what is stored about it."""
    from satmachineadmin import crud
    from satmachineadmin.services.takeover import take_over

    await left_behind()
    assert await take_over() == "taken over: see what needs you"
    state: dict[str, Any] = await crud.get_meta("takeover")
    return state


async def test_nothing_happens_where_nothing_was(clean_books: None) -> None:
    from satmachineadmin import crud
    from satmachineadmin.services.takeover import take_over

    assert await take_over() == "no earlier extension was here"
    assert await crud.get_meta("takeover") is None
    assert await count("ledger_entries") == 0


async def test_balances_are_what_was_deposited_less_what_was_charged(found: object) -> None:
    assert await stored_balances() == BALANCES
    await prove()


async def test_the_report_agrees_with_what_was_taken_over(found: object) -> None:
    """Opening entries stand as deposits and shares, and every witness agrees (docs/reports.md)."""
    from satmachineadmin.services.periods import read_period
    from satmachineadmin.services.reports_clients import read_clients

    lines = await read_clients(read_period(None, None, "America/Guatemala"))
    assert all(line.ok for line in lines), [line for line in lines if not line.ok]
    of_client = {
        key: minor for key, minor in BALANCES.items() if key[0].startswith("client:") and minor
    }
    stored = {(f"client:{line.client_id}", line.currency): line.stored for line in lines}
    assert {key: minor for key, minor in stored.items() if minor} == of_client
    alice = next(line for line in lines if (line.client_id, line.currency) == ("alice", "GTQ"))
    assert (alice.deposits, alice.shares) == (100 * (5000 - 1000), 100 * 2010)


async def test_the_second_time_changes_nothing(found: dict[str, Any]) -> None:
    from satmachineadmin import crud
    from satmachineadmin.services.takeover import take_over

    entries, audit = await count("ledger_entries"), await count("audit_log")
    assert await take_over() == "taken over: see what needs you"
    assert (await count("ledger_entries"), await count("audit_log")) == (entries, audit)
    assert await stored_balances() == BALANCES
    assert await crud.get_meta("takeover") == found


async def test_a_stop_on_the_way_leaves_nothing(
    clean_books: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin import crud
    from satmachineadmin.services import takeover

    async def dies(*args: object) -> None:
        raise RuntimeError

    await left_behind()
    with monkeypatch.context() as broken:
        broken.setattr(takeover, "raise_alert", dies)
        with pytest.raises(RuntimeError):
            await takeover.take_over()
    assert await crud.get_meta("takeover") is None
    assert (await count("ledger_entries"), await count("operator_settings")) == (0, 0)
    await takeover.take_over()
    assert await stored_balances() == BALANCES


async def test_the_operator_is_shown_what_was_found(found: dict[str, Any]) -> None:
    from satmachineadmin.services.alerts import open_alerts

    facts = found["facts"]
    assert facts["counts"] == {
        "clients": 4,
        "deposits": 12,
        "payments": 10,
        "transactions": 3,
        "config": 3,
    }
    reasons = {d["id"]: d["reason"] for d in facts["deposits_left_out"]["first"]}
    assert reasons == {
        "d-minus": "its amount is not above zero",
        "d-uncovered": "its amount is not above zero",
        "d-zero": "its amount is not above zero",
        "d-word": "its status 'done <now>' is not known",
        "d-coin": "its currency 'XXX' is not known",
    }
    assert facts["clients_overpaid"]["first"] == [
        {"client_id": "carol", "currency": "GTQ", "amount": "300.00"},
        {"client_id": "dave", "currency": "GTQ", "amount": "200.00"},
    ]
    assert facts["clients_unknown"]["first"] == [{"client_id": "ghost"}]
    assert facts["payments_doubled"]["first"] == [
        {
            "lamassu_transaction_id": "sale-a",
            "client_id": "alice",
            "times": 2,
            "amount_sats": 2 * 129514,
        }
    ]
    not_confirmed = {p["id"]: p["status"] for p in facts["payments_not_confirmed"]["first"]}
    assert not_confirmed == {"p-failed": "failed", "p-nothing": "failed", "p-open": "pending"}
    only = [c["lamassu_transaction_id"] for c in facts["known_only_from_payments"]["first"]]
    assert only == ["sale-b", "sale-c"]
    paid = sum(p["amount_sats"] for p in ROWS["dca_payments"] if p["status"] == "confirmed")
    assert facts["sats"]["paid_sats"] == paid - 21  # the one by hand belongs to no cash-out
    assert facts["sats"]["not_passed_on_sats"] == 259029
    [alert] = await open_alerts()
    assert (alert["dedupe_key"], alert["severity"]) == ("gate:takeover", "critical")
    assert "4 clients, 12 deposits, 10 payments and 3 cash-outs" in found["message"]


async def test_work_goes_on_from_the_last_poll(found: dict[str, Any]) -> None:
    from satmachineadmin import crud

    settings = await crud.get_settings()
    assert settings.start_at_us == found["facts"]["start_at_us"] == (NOON - 100) * 1_000_000
    assert settings.max_daily_limit == 1500


async def test_a_start_point_that_is_set_stays(clean_books: None) -> None:
    from satmachineadmin import crud
    from satmachineadmin.services.takeover import take_over

    await left_behind()
    await crud.save_settings({"start_at_us": 21}, 1)
    await take_over()
    assert (await crud.get_settings()).start_at_us == 21


@pytest.mark.parametrize(
    ("config", "start_s"),
    [
        ({"last_poll_time": NOON - 7}, NOON - 7),
        ({"last_poll_time": None}, NOON - 1000),  # the newest sale it knew
    ],
)
async def test_without_a_successful_poll_the_next_best_is_taken(
    clean_books: None, config: dict[str, Any], start_s: int
) -> None:
    from satmachineadmin import crud
    from satmachineadmin.services.takeover import take_over

    used = {**ROWS["lamassu_config"][1], "last_successful_poll": None, **config}
    await left_behind({**ROWS, "lamassu_config": [used]})
    await take_over()
    assert (await crud.get_settings()).start_at_us == start_s * 1_000_000


async def test_deposits_confirmed_since_then_are_not_entered_twice(clean_books: None) -> None:
    """The operator was at work before the first readiness check of this process."""
    from satmachineadmin.crud import db
    from satmachineadmin.services.takeover import take_over

    await left_behind()
    await db.execute(
        "UPDATE satoshimachine.dca_deposits SET status = 'confirmed', effective_us = 1,"
        " decided_by = 'operator' WHERE id = 'd-pending'"
    )
    await take_over()
    assert await stored_balances() == BALANCES


async def test_money_work_waits_until_the_operator_accepts(found: object) -> None:
    from satmachineadmin.adapters.settlement import settlement
    from satmachineadmin.errors import NotReady
    from satmachineadmin.services.gates import open_gate, refuse_if_stopped
    from satmachineadmin.services.takeover import take_over

    async def work(conn: Any) -> None:
        await refuse_if_stopped(conn, by_hand=True)

    with pytest.raises(NotReady, match="books of an earlier extension"):
        await settlement(work)
    await open_gate("takeover", "compared with my own list", "operator")
    await settlement(work)
    assert await take_over() == "taken over and accepted"
    assert await stored_balances() == BALANCES


async def test_ids_it_knew_are_never_stored_again(found: object) -> None:
    from satmachineadmin import crud
    from satmachineadmin.services.intake import Intake, store_rows

    rows = [
        {
            "id": sale,
            "crypto_code": "BTC",
            "crypto_atoms": "266800",
            "fiat": "2000",
            "fiat_code": "GTQ",
            "status": "confirmed",
            "dispense": "true",
            "dispense_confirmed": "true",
            "commission_percentage": "0.03",
            "created": "2026-01-01T00:00:00.000000",
            "confirmed_at": "2026-01-01T00:00:00.000000",
        }
        for sale in [*SALES, "sale-new"]
    ]
    intake = Intake()
    await store_rows(rows, intake)
    assert (intake.new_rows, intake.changed_rows) == (1, 0)
    waiting = await crud.fetch_rows(
        "SELECT lamassu_transaction_id AS id FROM satoshimachine.lamassu_transactions"
        " WHERE status <> 'completed'"
    )
    assert [row["id"] for row in waiting] == ["sale-new"]


async def test_from_old_books_to_the_next_sale(operator: Operator) -> None:
    """A real machine whose sales the earlier extension paid: only the new sale is paid."""
    from satmachineadmin.services import readiness
    from satmachineadmin.services.gates import open_gate
    from satmachineadmin.services.takeover import take_over

    stored, payment_only, new = (sample_rows.sale(fiat=100) for _ in range(3))
    user_id, wallet_id = await make_account()
    await left_behind(
        {
            "dca_clients": [old_client("alice", user_id=user_id, wallet_id=wallet_id)],
            "dca_deposits": [old_deposit("d", "alice", 1000)],
            "dca_payments": [
                old_payment("p1", "alice", stored["id"], amount_fiat=100),
                old_payment("p2", "alice", payment_only["id"], amount_fiat=100),
            ],
            "lamassu_transactions": [old_transaction("t", stored["id"], fiat_amount=100)],
        }
    )
    await take_over()
    readiness.forget()
    await operator.lamassu.insert([stored, payment_only, new])
    await operator.http.post("/satmachineadmin/api/v1/dca/manual-poll")
    assert await wallet_balance_sats(wallet_id) == 0
    assert await operator.remaining_minor("alice") == 80_000

    await open_gate("takeover", "compared", "operator")
    answer = await operator.poll()

    assert answer["transactions_processed"] == 1
    [share] = await operator.shares(new["id"])
    assert await wallet_balance_sats(wallet_id) == share["amount_sats"] > 0
    assert await operator.remaining_minor("alice") == 70_000
    for old in (stored, payment_only):
        found = await operator.cash_out(old["id"])
        assert (found["status"], found["origin"]) == ("completed", "earlier")
