"""The setup over the API: step by step from nothing, what each step refuses, and the arming."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
from satmachineadmin.dev import sample_rows
from support.lnbits_app import make_wallet
from support.machine import change, fetch, picture
from support.operator import BASE, LONG_AGO, Operator, ago

TERMS = {
    "currency": "GTQ",
    "time_zone": "America/Guatemala",
    "max_daily_limit": 2000,
    "poll_interval_s": 300,
}
STEPS = ["ssh", "database", "wallets", "split", "terms", "start", "clients", "readiness", "arm"]


@pytest.fixture
async def beginner(superuser: httpx.AsyncClient, lamassu: Any, clean_books: None) -> Operator:
    """An operator who has set up nothing."""
    from satmachineadmin.adapters import marker
    from satmachineadmin.services import readiness

    await lamassu.empty()
    marker.path().unlink(missing_ok=True)
    readiness.forget()
    return Operator(superuser, lamassu)


def part(operator: Operator, *names: str) -> dict[str, Any]:
    """These fields of the connection to the embedded Lamassu."""
    given = operator.connection()
    return {name: given[name] for name in names if name in given}


def ssh_part(operator: Operator) -> dict[str, Any]:
    return part(operator, "use_ssh_tunnel", "ssh_host", "ssh_port", "ssh_username") | {
        "ssh_private_key": operator.connection()["ssh_private_key"]
    }


def database_part(operator: Operator) -> dict[str, Any]:
    return part(operator, "host", "port", "database_name", "username", "password")


async def states(operator: Operator) -> dict[str, str]:
    found = await operator.api("GET", "setup")
    assert [step["name"] for step in found["steps"]] == STEPS
    return {step["name"]: f"{step['state']}/{step['code']}" for step in found["steps"]}


async def step(operator: Operator, name: str) -> str:
    return (await states(operator))[name]


async def until_arming(operator: Operator, start_at: str | None = LONG_AGO) -> None:
    """Every step but the last, each by its own request."""
    await operator.api("PATCH", "config", json=ssh_part(operator))
    key = await operator.api("GET", "host-key")
    await operator.api("PUT", "host-key", json={"ssh_host_key": key["ssh_host_key"]})
    await operator.api("PATCH", "config", json=database_part(operator))
    assert (await operator.api("POST", "test-connection"))["success"]
    operator.source_wallet = await make_wallet("source")
    operator.commission_wallet = await make_wallet("commission")
    await operator.api("PATCH", "config", json=part(operator, "source_wallet_id"))
    await operator.api("PATCH", "config", json=part(operator, "commission_wallet_id"))
    await operator.api("PUT", "settings", json={"funding_ln": "credit", "funding_btc": "prefunded"})
    await operator.api("PUT", "settings", json={"split_rule": "margin"})
    await operator.api("PUT", "settings", json=TERMS)
    await operator.api("PUT", "setup/start", json={"start_at": start_at})


async def test_the_connection_test_is_told_while_it_runs(operator: Operator) -> None:
    """While a step waits for a locked table, those before it are told; of no test nothing is."""
    quiet = {"running": False, "steps": []}
    assert await operator.api("GET", "test-connection") == quiet
    locker = await operator.lamassu.connect_as_owner()
    try:
        async with locker.transaction():
            await locker.execute("LOCK TABLE cash_out_txs IN ACCESS EXCLUSIVE MODE")
            whole = asyncio.ensure_future(operator.api("POST", "test-connection"))
            while not await operator.lamassu.fetch(
                "SELECT 1 FROM pg_stat_activity WHERE application_name = 'satmachineadmin'"
                " AND wait_event_type = 'Lock'"
            ):
                assert not whole.done(), "it asked nothing of the locked table"
                await asyncio.sleep(0)
            told = await operator.api("GET", "test-connection")
        steps = (await whole)["steps"]
    finally:
        await locker.close()
    assert told["running"] is True
    assert 1 <= len(told["steps"]) < len(steps)
    assert told["steps"] == steps[: len(told["steps"])]
    assert await operator.api("GET", "test-connection") == quiet


async def test_nothing_is_set_up(beginner: Operator) -> None:
    found = await beginner.api("GET", "setup")
    assert found["armed"] is False
    assert found["next"] == "ssh"
    assert await states(beginner) == {
        "ssh": "todo/missing",
        "database": "blocked/after_ssh",
        "wallets": "todo/missing",
        "split": "blocked/after_database",
        "terms": "todo/missing",
        "start": "blocked/after_database",
        "clients": "attention/none",
        "readiness": "todo/unchecked",
        "arm": "blocked/steps_missing",
    }
    status = await beginner.api("GET", "status")
    assert (status["state"], status["configured"]) == ("setup", False)


async def test_every_step_moves_the_checklist_on(beginner: Operator) -> None:
    await beginner.api("PATCH", "config", json=ssh_part(beginner))
    assert await step(beginner, "ssh") == "todo/host_key"
    key = await beginner.api("GET", "host-key")
    await beginner.api("PUT", "host-key", json={"ssh_host_key": key["ssh_host_key"]})
    assert await step(beginner, "ssh") == "done/accepted"
    assert await step(beginner, "database") == "todo/missing"
    wrong = database_part(beginner) | {"password": "not it"}
    await beginner.api("PATCH", "config", json=wrong)
    assert await step(beginner, "database") == "todo/untested"
    assert not (await beginner.api("POST", "test-connection"))["success"]
    assert await step(beginner, "database") == "attention/failed"
    await beginner.api("PATCH", "config", json=database_part(beginner))
    assert await step(beginner, "database") == "todo/untested"
    assert (await beginner.api("POST", "test-connection"))["success"]
    assert await step(beginner, "database") == "done/tested"
    config = await beginner.api("GET", "config")
    assert config["polling_enabled"] is False
    assert set(config["secrets_set"]) == {"ssh_private_key", "password"}
    assert (await beginner.api("GET", "status"))["state"] == "setup"
    assert (await beginner.api("GET", "settings"))["start_at"] is None


async def test_from_nothing_to_a_paid_client(beginner: Operator) -> None:
    row = sample_rows.sale(fiat=300, confirmed_at=ago(hours=1))
    await beginner.lamassu.insert(row)
    await until_arming(beginner)
    client = await beginner.add_client("3000")
    await beginner.api("POST", "readiness")
    found = await beginner.api("GET", "setup")
    by_name = {entry["name"]: entry for entry in found["steps"]}
    assert by_name["clients"]["facts"] == {
        "active": 1,
        "with_balance": 1,
        "balance": "3000.00",
        "currency": "GTQ",
        "pending_deposits": 0,
    }
    assert found["next"] == "arm"
    armed = await beginner.api("POST", "setup/arm", json={"start_at": found["start_at"]})
    assert armed["start_at"] == found["start_at"]
    assert (await beginner.api("GET", "config"))["polling_enabled"] is True
    await beginner.poll()
    assert (await beginner.balances())[client] > 0
    assert (await beginner.cash_out(row["id"]))["split_rule"] == "margin"
    [entry] = await fetch("SELECT * FROM satoshimachine.audit_log WHERE action = 'armed'")
    assert entry["actor"] != "system"
    await beginner.check_books()
    found = await beginner.api("GET", "setup")
    assert found["armed"] is True
    assert {entry["state"] for entry in found["steps"]} == {"done"}


async def test_from_now_means_from_the_arming(beginner: Operator) -> None:
    row = sample_rows.sale(fiat=300, confirmed_at=ago(seconds=1))
    await until_arming(beginner, start_at=None)
    assert await step(beginner, "start") == "done/at_arming"
    before = datetime.now(timezone.utc)
    await beginner.lamassu.insert(row)
    armed = await beginner.api("POST", "setup/arm", json={"start_at": None})
    assert before < datetime.fromisoformat(armed["start_at"]) <= datetime.now(timezone.utc)
    await beginner.poll()
    assert (await beginner.api("GET", "transactions"))["total"] == 0


@pytest.mark.parametrize(
    ("undo", "missing"),
    [
        ("UPDATE satoshimachine.lamassu_config SET ssh_host_key = NULL", "ssh"),
        ("UPDATE satoshimachine.lamassu_config SET test_connection_success = NULL", "database"),
        ("UPDATE satoshimachine.lamassu_config SET source_wallet_id = NULL", "wallets"),
        ("DELETE FROM satoshimachine.operator_settings WHERE name = 'funding_ln'", "wallets"),
        ("DELETE FROM satoshimachine.operator_settings WHERE name = 'split_rule'", "split"),
        ("DELETE FROM satoshimachine.operator_settings WHERE name = 'time_zone'", "terms"),
        ("DELETE FROM satoshimachine.operator_settings WHERE name = 'start_at_us'", "start"),
    ],
)
async def test_arming_names_what_is_missing(beginner: Operator, undo: str, missing: str) -> None:
    await until_arming(beginner)
    start_at = (await beginner.api("GET", "setup"))["start_at"]
    await beginner.api("POST", "readiness")
    await change(undo)
    before = await picture()
    said = await beginner.api("POST", "setup/arm", 409, json={"start_at": start_at})
    assert said["missing"] == [missing]
    assert await picture() == before


async def test_arming_needs_the_start_point_that_was_shown(beginner: Operator) -> None:
    await until_arming(beginner)
    shown = (await beginner.api("GET", "setup"))["start_at"]
    await beginner.api("PUT", "setup/start", json={"start_at": "2026-02-01T00:00:00Z"})
    for start_at in (shown, None):
        said = await beginner.api("POST", "setup/arm", 409, json={"start_at": start_at})
        assert "start point" in said["detail"]
    assert (await beginner.api("GET", "config"))["polling_enabled"] is False


async def test_arming_happens_once(beginner: Operator) -> None:
    await until_arming(beginner)
    body = {"start_at": (await beginner.api("GET", "setup"))["start_at"]}
    key = {"Idempotency-Key": "arm-once"}
    first = await beginner.api("POST", "setup/arm", json=body, headers=key)
    assert await beginner.api("POST", "setup/arm", json=body, headers=key) == first
    await beginner.api("POST", "setup/arm", 409, json=body)
    await beginner.api("PUT", "polling", json={"enabled": False})
    assert await step(beginner, "arm") == "attention/stopped"
    assert (await beginner.api("GET", "status"))["state"] == "stopped"


async def test_a_closed_gate_stops_the_arming(beginner: Operator) -> None:
    from satmachineadmin.services.gates import HALT, close_gate

    await until_arming(beginner)
    await close_gate(HALT, "something broke", "look at it", {})
    assert await step(beginner, "arm") == "attention/gate"
    start_at = (await beginner.api("GET", "setup"))["start_at"]
    said = await beginner.api("POST", "setup/arm", 409, json={"start_at": start_at})
    assert said["detail"] == "something broke"


async def test_a_script_saves_it_whole_and_polling_is_on(beginner: Operator) -> None:
    await beginner.set_up()
    assert (await beginner.api("GET", "config"))["polling_enabled"] is True
    assert (await beginner.api("GET", "setup"))["armed"] is True


async def test_half_a_connection_is_not_switched_on(beginner: Operator) -> None:
    await beginner.api("PATCH", "config", json=ssh_part(beginner))
    said = await beginner.api("PUT", "polling", 503, json={"enabled": True})
    assert said["code"] == "NOT_CONFIGURED"
    assert (await beginner.api("GET", "config"))["polling_enabled"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ssh_host": "atm.example"}, "ssh_username"),
        ({"ssh_host": "atm.example", "ssh_username": "satm"}, "ssh_private_key"),
        (
            {"ssh_host": "atm.example", "ssh_username": "satm", "ssh_private_key": "no key"},
            "ssh_private_key",
        ),
        ({"ssh_host": "not a host"}, "ssh_host"),
        ({"username": ""}, "username"),
        ({"database_name": ""}, "database_name"),
        ({"port": 5432.5}, "port"),
        ({"source_wallet_id": "nowhere"}, "source_wallet_id"),
        ({"use_ssh_tunnel": False, "host": "/var/run/postgresql"}, "host"),
    ],
)
async def test_a_part_is_refused_at_its_field(
    beginner: Operator, body: dict[str, Any], field: str
) -> None:
    before = await picture()
    answer = await beginner.http.patch(f"{BASE}/config", json=body)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert await picture() == before


async def test_a_changed_wallet_does_not_ask_for_another_test(beginner: Operator) -> None:
    await until_arming(beginner)
    await beginner.api("PATCH", "config", json={"commission_wallet_id": None})
    assert await step(beginner, "database") == "done/tested"
    assert (await beginner.api("GET", "config"))["commission_wallet_id"] is None
    await beginner.api("PATCH", "config", json={"username": "somebody_else"})
    assert await step(beginner, "database") == "todo/untested"


async def test_a_wallet_that_went_away_needs_a_look(beginner: Operator) -> None:
    from lnbits.core.db import db as core_db

    await until_arming(beginner)
    await core_db.execute(
        "UPDATE wallets SET deleted = true WHERE id = :id", {"id": beginner.source_wallet}
    )
    assert await step(beginner, "wallets") == "attention/unusable"


async def test_the_rules_beside_lamassus_own_profit(beginner: Operator) -> None:
    """A published production sale, priced by a machine since 8.0 (lamassu.md 0)."""
    moment = ago(hours=2)
    await beginner.lamassu.insert(sample_rows.published_sale(confirmed_at=moment))
    await beginner.lamassu.insert(sample_rows.paid_not_dispensed())
    await until_arming(beginner)
    found = await beginner.api("GET", "setup/split-rules")
    [sale] = found["sales"]
    assert (sale["total_sats"], sale["fiat"]) == (512_400, "4000.00")
    # 512400 sats at 826091.28 are 4232.89 quetzales, and 4000 were given.
    assert (sale["profit"], sale["profit_sats"]) == ("232.89", 512_400 - 484_207)
    assert sale["rules"]["ticker"] == {"base_sats": 484_207, "commission_sats": 28_193}
    assert sale["rules"]["margin"] == {"base_sats": 484_218, "commission_sats": 28_182}
    assert sale["rules"]["markup"] == {"base_sats": 485_687, "commission_sats": 26_713}
    assert (found["best"], found["compared"]) == ("ticker", 1)
    rules = {rule["rule"]: rule for rule in found["rules"]}
    assert rules["markup"]["difference_sats"] == 26_713 - 28_193
    assert [rules[name]["misses"] for name in ("markup", "margin", "ticker")] == [1, 0, 0]
    assert (await beginner.api("GET", "transactions"))["total"] == 0


async def test_a_rule_that_cannot_split_every_sale_comes_second(beginner: Operator) -> None:
    for hours in range(3):
        await beginner.lamassu.insert(sample_rows.sale(confirmed_at=ago(hours=hours + 1)))
    await beginner.lamassu.insert(sample_rows.sale(raw_ticker_price=None))
    await until_arming(beginner)
    found = await beginner.api("GET", "setup/split-rules")
    assert found["best"] == "margin"
    assert [rule["held"] for rule in found["rules"]] == [0, 0, 1]


async def test_without_sales_no_rule_fits_best(beginner: Operator) -> None:
    await until_arming(beginner)
    found = await beginner.api("GET", "setup/split-rules")
    assert (found["best"], found["sales"]) == (None, [])
    for limit in (0, 21, "x"):
        await beginner.api("GET", "setup/split-rules", 422, params={"limit": limit})


async def test_wallets_by_name_and_without_keys(operator: Operator) -> None:
    # By name the first of the superuser's, who has hundreds after all other tests.
    first = await make_wallet("a wallet")
    found = await operator.api("GET", "wallets")
    by_id = {wallet["id"]: wallet for wallet in found["data"]}
    assert by_id[first]["name"] == "a wallet"
    assert set(by_id[first]) == {
        "id",
        "name",
        "user_id",
        "balance_sats",
        "usable",
    }
    assert (await operator.api("GET", "wallets", params={"user": "nobody"}))["total"] == 0


@pytest.mark.parametrize("value", [22.5, "22.5", True, 1e308, "many"])
@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("PATCH", "config", "ssh_port"),
        ("PUT", "settings", "poll_interval_s"),
        ("PUT", "settings", "max_daily_limit"),
    ],
)
async def test_a_fraction_is_no_whole_number(
    operator: Operator, method: str, path: str, field: str, value: object
) -> None:
    before = await picture()
    said = await operator.api(method, path, 422, json={field: value})
    assert [error["field"] for error in said["errors"]] == [field]
    assert await picture() == before


@pytest.mark.parametrize("value", [600, 600.0, "600"])
async def test_a_whole_number_may_be_written_in_any_way(operator: Operator, value: object) -> None:
    saved = await operator.api("PUT", "settings", json={"poll_interval_s": value})
    assert saved["poll_interval_s"] == 600


async def test_a_deposit_has_the_operators_currency(operator: Operator) -> None:
    await operator.api("PUT", "settings", json={"currency": "USD"})
    client = await operator.add_client("0")
    deposit = await operator.api("POST", "deposits", json={"client_id": client, "amount": "5"})
    assert deposit["currency"] == "USD"
