"""Connection and settings are checked when saved; a refusal stores nothing (SAT-59, SAT-67)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import asyncssh
import httpx
import pytest
from satmachineadmin.dev import sample_rows
from support.lnbits_app import make_account, make_wallet
from support.machine import change, fetch, picture
from support.operator import BASE, LONG_AGO, Operator

# No host name, no address: what the earlier extension stored, or ran (peer.md h).
BAD_HOSTS = [
    "",
    " ",
    "two words",
    "host\nProxyCommand touch x",
    "-oProxyCommand=touch x",
    "-oProxyCommand=id",
    "-v",
    "$(touch x)",
    "`touch x`",
    "a;touch x",
    "a|b",
    "a,b",
    "user@host",
    "host:5432",
    "http://host/",
    "<b>host</b>",
    "host&amp;",
    "%h",
    "ho\x00st",
    "h\u00f6st",
    "a" * 300,
]
CONTROL = ["\x00", "\n", "\r", "\x1b[2J", "\x7f", "\x85", "\u2028"]
PORTS = [-1, 0, 65536, 70000, 10**30, "text", "", [22], {"a": 1}]
TEXTS = [
    "host",
    "database_name",
    "username",
    "password",
    "ssh_host",
    "ssh_username",
    "ssh_password",
    "ssh_key_passphrase",
    "source_wallet_id",
    "commission_wallet_id",
    "ssh_host_key",
]


async def refused(
    operator: Operator, body: dict[str, Any], field: str | None = None, path: str = "config"
) -> dict[str, Any]:
    """Both ways to save it answer a helpful 4xx and change nothing."""
    before = await picture()
    ways = [("POST", path)]
    if path == "config":
        ways.append(("PUT", f"config/{(await operator.api('GET', 'config'))['id']}"))
    else:
        ways = [("PUT", path)]
    for method, url in ways:
        # Not `json=`: it refuses a lone surrogate, which a script may well send.
        answer = await operator.http.request(
            method,
            f"{BASE}/{url}",
            content=dumps(body),
            headers={"Content-Type": "application/json"},
        )
        assert 400 <= answer.status_code < 500, f"{answer.status_code} {answer.text}"
        said = answer.json()
        assert said["detail"], said
        assert said["code"], said
        assert said["hint"], said
        if field:
            named = [error["field"] for error in said.get("errors", [])]
            assert field in named or field in said["detail"], said
    assert await picture() == before
    return dict(said)


def dumps(body: dict[str, Any]) -> bytes:
    import json

    return json.dumps(body).encode()


@pytest.mark.parametrize("field", ["host", "ssh_host"])
async def test_what_is_no_host_is_refused(operator: Operator, field: str) -> None:
    for host in BAD_HOSTS:
        named = field if host or field == "host" else None
        await refused(operator, operator.connection(**{field: host}), named)


async def test_what_is_no_socket_folder_is_refused(operator: Operator) -> None:
    for host in ("/tmp/../etc;x", "/with space", "/a\nb", "/$(x)", "/" + "a" * 200):
        await refused(operator, operator.connection(host=host), "host")


async def test_a_socket_folder_needs_the_tunnel(operator: Operator) -> None:
    body = operator.connection(host="/var/run/postgresql", use_ssh_tunnel=False)
    said = await refused(operator, body)
    assert "tunnel" in said["detail"]


async def test_hosts_and_addresses_are_taken(operator: Operator) -> None:
    for host in ("atm.example", "a-b.c_d.example.", "10.0.0.1", "::1", "fe80::1"):
        body = operator.connection(ssh_host=f" {host}\n")  # as it is pasted
        assert (await operator.api("POST", "config", json=body))["ssh_host"] == host


@pytest.mark.parametrize("field", ["port", "ssh_port"])
async def test_what_is_no_port_is_refused(operator: Operator, field: str) -> None:
    for port in PORTS:
        await refused(operator, operator.connection(**{field: port}), field)


@pytest.mark.parametrize("field", TEXTS)
async def test_control_characters_are_refused(operator: Operator, field: str) -> None:
    good = str(operator.connection().get(field) or "abc")
    for character in CONTROL:
        text = good[:3] + character + good[3:]
        if field == "ssh_host_key" and character in "\n\r":
            continue  # a pasted line may have been wrapped
        await refused(operator, operator.connection(**{field: text}))


@pytest.mark.parametrize("field", ["username", "password"])
async def test_half_a_character_is_refused(operator: Operator, field: str) -> None:
    """JSON may carry a lone surrogate, which no database and no cipher takes."""
    await refused(operator, operator.connection(**{field: "ab\ud800cd"}), field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("database_name", ""),
        ("database_name", "   "),
        ("database_name", "a" * 64),
        ("username", ""),
        ("username", "a" * 64),
        ("ssh_username", "-oProxyCommand=x"),
        ("ssh_username", "two words"),
        ("ssh_username", "a;b"),
        ("ssh_username", "a\nb"),
        ("password", "x" * 20_001),
        ("host", None),
        ("use_ssh_tunnel", "perhaps"),
        ("polling_enabled", "perhaps"),
        ("ssh_host_key", "ssh-ed25519 not-base-64-at-all-really"),
        ("ssh_host_key", "no key at all, just some words"),
    ],
)
async def test_other_bad_values_are_refused(operator: Operator, field: str, value: Any) -> None:
    named = None if field == "ssh_host_key" else field
    await refused(operator, operator.connection(**{field: value}), named)


@pytest.mark.parametrize("field", ["host", "database_name", "username"])
async def test_a_missing_field_is_named(operator: Operator, field: str) -> None:
    body = operator.connection()
    del body[field]
    await refused(operator, body, field)


async def test_an_unknown_field_is_refused(operator: Operator) -> None:
    """A misspelled field must not be taken for success."""
    await refused(operator, operator.connection(shh_password="x"), "shh_password")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe"])
async def test_what_is_no_object_is_refused(operator: Operator, content: bytes) -> None:
    before = await picture()
    answer = await operator.http.post(
        f"{BASE}/config", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    assert {"detail", "code", "hint"} <= set(answer.json())
    assert await picture() == before


# -- keys ----------------------------------------


def new_key(passphrase: str | None = None) -> str:
    key = asyncssh.generate_private_key("ssh-ed25519")
    return key.export_private_key("openssh", passphrase=passphrase, rounds=4).decode()


@pytest.mark.parametrize("text", ["no key", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", "\x00"])
async def test_a_key_that_does_not_parse_is_refused(operator: Operator, text: str) -> None:
    said = await refused(operator, operator.connection(ssh_private_key=text))
    assert said["code"] == "SSH_KEY_UNUSABLE"


async def test_a_key_cut_in_half_is_refused(operator: Operator) -> None:
    key = new_key()
    said = await refused(operator, operator.connection(ssh_private_key=key[: len(key) // 2]))
    assert said["code"] == "SSH_KEY_UNUSABLE"


@pytest.mark.parametrize("passphrase", [None, "wrong"])
async def test_a_locked_key_needs_its_passphrase(
    operator: Operator, passphrase: str | None
) -> None:
    body = operator.connection(ssh_private_key=new_key("right"))
    if passphrase:
        body["ssh_key_passphrase"] = passphrase
    said = await refused(operator, body)
    assert said["code"] == "SSH_PASSPHRASE_WRONG"


async def test_a_key_with_windows_line_ends_is_taken(operator: Operator) -> None:
    body = operator.connection(ssh_private_key=new_key().replace("\n", "\r\n"))
    assert (await operator.api("POST", "config", json=body))["has_ssh_private_key"] is True


@pytest.mark.parametrize("missing", ["ssh_host", "ssh_username"])
async def test_a_tunnel_needs_host_and_user(operator: Operator, missing: str) -> None:
    body = operator.connection()
    del body[missing]
    await refused(operator, body)


# -- wallets ----------------------------------------


@pytest.mark.parametrize("field", ["source_wallet_id", "commission_wallet_id"])
@pytest.mark.parametrize("kind", ["none", "deleted", "shared"])
async def test_an_unusable_wallet_is_refused(operator: Operator, field: str, kind: str) -> None:
    from lnbits.core.crud.wallets import create_wallet, delete_wallet
    from lnbits.core.models.wallets import WalletType
    from lnbits.settings import settings

    wallet_id = uuid4().hex
    if kind == "deleted":
        wallet_id = await make_wallet("gone")
        await delete_wallet(user_id=settings.super_user, wallet_id=wallet_id)
    if kind == "shared":
        _, other = await make_account()
        shared = await create_wallet(
            user_id=settings.super_user,
            wallet_name="shared",
            wallet_type=WalletType.LIGHTNING_SHARED,
            shared_wallet_id=other,
        )
        wallet_id = shared.id
    said = await refused(operator, operator.connection(**{field: wallet_id}))
    assert field.split("_")[0] in said["detail"]


async def test_source_and_commission_differ(operator: Operator) -> None:
    body = operator.connection(commission_wallet_id=operator.source_wallet)
    said = await refused(operator, body)
    assert "wallet" in said["detail"]


async def test_no_commission_wallet_is_fine(operator: Operator) -> None:
    body = operator.connection(commission_wallet_id=None)
    assert (await operator.api("POST", "config", json=body))["commission_wallet_id"] is None


# -- settings ----------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("poll_interval_s", 59),
        ("poll_interval_s", 86_401),
        ("poll_interval_s", -1),
        ("poll_interval_s", "often"),
        ("poll_interval_s", 10**30),
        ("watch_grace_s", 3_599),
        ("watch_grace_s", 30 * 86_400 + 1),
        ("max_daily_limit", 0),
        ("max_daily_limit", 10**9 + 1),
        ("currency", "XQX"),
        ("currency", "gtq"),
        ("currency", ""),
        ("currency", "BTC"),
        ("time_zone", "Nowhere/Atall"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", ""),
        ("split_rule", "other"),
        ("funding_btc", "other"),
        ("funding_ln", ""),
        ("settle_without_clients", "perhaps"),
        ("api_tokens_may_move_money", 7),
        ("start_at", "2026-01-01T00:00:00"),
        ("start_at", "yesterday"),
        ("start_at", "9999-12-31T23:59:59Z"),
        ("start_at_us", 1),
        ("unknown", 1),
    ],
)
async def test_settings_out_of_range_are_refused(
    operator: Operator, field: str, value: Any
) -> None:
    said = await refused(operator, {field: value}, path="settings")
    shown = field.replace("_us", "").replace("_at", "").replace("_", " ")
    named = [error["field"] for error in said.get("errors", [])]
    assert field in named or field in said["detail"] or shown in said["detail"], said


async def test_a_refused_setting_is_answered_in_a_sentence(operator: Operator) -> None:
    """As every other refused field is: no name of ours, no line break, and `errors`."""
    said = await refused(operator, {"poll_interval_s": 59}, "poll_interval_s", "settings")
    assert "\n" not in said["detail"], said["detail"]
    assert "OperatorSettings" not in said["detail"], said["detail"]
    assert [error["field"] for error in said.get("errors", [])] == ["poll_interval_s"]


async def test_one_bad_setting_stores_none(operator: Operator) -> None:
    await refused(operator, {"poll_interval_s": 600, "currency": "XQX"}, "currency", "settings")
    assert (await operator.api("GET", "settings"))["poll_interval_s"] == 300


@pytest.mark.parametrize("start_at", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0"])
async def test_a_very_early_start_point_is_taken_or_refused(
    operator: Operator, start_at: str
) -> None:
    """Never a 500, whether saved or previewed."""
    saved = await operator.http.put(f"{BASE}/settings", json={"start_at": start_at})
    assert saved.status_code in (200, 422), saved.text
    shown = await operator.http.get(f"{BASE}/start-point/preview", params={"start_at": start_at})
    assert shown.status_code in (200, 422), shown.text


async def test_a_start_point_far_ahead_can_be_previewed_or_is_refused(operator: Operator) -> None:
    for moment in ("9999-12-31T23:59:59Z", "2999-01-01T00:00:00-12:00", "2026-01-01T00:00:00"):
        answer = await operator.http.get(f"{BASE}/start-point/preview", params={"start_at": moment})
        assert answer.status_code in (200, 422), answer.text


async def test_settings_not_given_stay(operator: Operator) -> None:
    first = {"currency": "USD", "time_zone": "Europe/Berlin", "poll_interval_s": 60}
    await operator.api("PUT", "settings", json=first)
    after = await operator.api("PUT", "settings", json={"max_daily_limit": 7})
    assert {name: after[name] for name in first} == first
    assert after["max_daily_limit"] == 7
    assert await operator.api("GET", "settings") == after


# -- start point and switch ----------------------------------------


async def test_the_start_point_is_a_day_before_the_first_save(
    operator: Operator, clean_books: None
) -> None:
    """SAT-67: without a successful poll, the last 24 hours."""
    await change("DELETE FROM satoshimachine.operator_settings")
    await change("DELETE FROM satoshimachine.lamassu_config")
    day = timedelta(hours=24)
    earliest = datetime.now(timezone.utc) - day
    await operator.api("POST", "config", json=operator.connection())
    start = datetime.fromisoformat((await operator.api("GET", "settings"))["start_at"])
    assert earliest <= start <= datetime.now(timezone.utc) - day
    await operator.api("POST", "config", json=operator.connection(username="someoneelse"))
    again = (await operator.api("GET", "settings"))["start_at"]
    assert datetime.fromisoformat(again) == start


async def test_deleting_the_connection_keeps_the_rest(operator: Operator) -> None:
    client = await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale()])
    await operator.poll()
    await operator.api("PUT", "settings", json={"currency": "USD", "poll_interval_s": 77})
    before = {path: await operator.api("GET", path) for path in ("settings", "transactions")}
    config = (await operator.api("GET", "config"))["id"]

    assert await operator.api("DELETE", f"config/{config}") == {"success": True}
    assert await operator.api("GET", "config") is None
    assert {path: await operator.api("GET", path) for path in before} == before
    await operator.api("DELETE", f"config/{config}", expect=404)
    not_configured = await operator.api("POST", "manual-poll", expect=503)
    assert not_configured["code"] == "NOT_CONFIGURED"

    await operator.api("POST", "config", json=operator.connection())
    assert await operator.api("GET", "settings") == before["settings"]
    balances = await operator.balances()
    assert (await operator.poll())["transactions_processed"] == 0
    assert await operator.balances() == balances
    assert balances[client] > 0


async def test_another_machine_after_deleting_is_looked_at_in_full(operator: Operator) -> None:
    """What the hours of the old source looked like says nothing about the new one."""
    await operator.lamassu.insert([sample_rows.sale()])
    await operator.poll()
    assert await fetch("SELECT * FROM satoshimachine.source_hours")
    config = (await operator.api("GET", "config"))["id"]
    await operator.api("DELETE", f"config/{config}")
    await operator.api("POST", "config", json=operator.connection(host="localhost"))
    assert not await fetch("SELECT * FROM satoshimachine.source_hours")
    await operator.poll()
    assert (await operator.api("GET", "polls"))["data"][0]["full_comparison"] is True


async def test_the_sql_stop_survives_a_save(operator: Operator) -> None:
    """`UPDATE lamassu_config SET polling_enabled = false` is the emergency stop (design.md 6)."""
    await change("UPDATE satoshimachine.lamassu_config SET polling_enabled = false")
    saved = await operator.api("POST", "config", json=operator.connection())
    assert saved["polling_enabled"] is False
    stopped = await operator.api("POST", "manual-poll", expect=409)
    assert stopped["code"] == "POLLING_DISABLED"
    body = operator.connection(polling_enabled=True)
    assert (await operator.api("POST", "config", json=body))["polling_enabled"] is True
    assert (await operator.poll())["success"] is True


async def test_the_switch(operator: Operator) -> None:
    await operator.poll()
    await operator.api("PUT", "polling", json={"enabled": False})
    assert (await operator.api("GET", "config"))["polling_enabled"] is False
    assert (await operator.api("GET", "status"))["state"] == "stopped"
    await operator.api("PUT", "polling", expect=422, json={"enabled": "perhaps"})
    await operator.api("PUT", "polling", json={"enabled": True})
    assert (await operator.api("GET", "status"))["polling_enabled"] is True


@pytest.mark.parametrize("what", ["config", "settings", "polling"])
async def test_a_change_that_cannot_be_recorded_is_not_made(
    operator: Operator, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No change without its line in the audit log; and "nothing was changed" must be true."""
    from satmachineadmin.errors import DatabaseBusy
    from satmachineadmin.services import connection, operator_settings

    async def busy(*_: Any, **__: Any) -> None:
        raise DatabaseBusy("Another writer holds the database")

    before = await picture()
    monkeypatch.setattr(connection, "record", busy)
    monkeypatch.setattr(operator_settings, "record", busy)
    method, body = {
        "config": ("POST", operator.connection(username="someoneelse")),
        "settings": ("PUT", {"split_rule": "margin"}),
        "polling": ("PUT", {"enabled": False}),
    }[what]
    said = await operator.api(method, what, expect=503, json=body)
    assert "Nothing was changed" in said["hint"]
    assert await picture() == before


async def test_a_wrong_config_id_changes_nothing(operator: Operator) -> None:
    before = await picture()
    for some_id in ("nosuchid", uuid4().hex, "'; DROP TABLE x", "<b>"):
        answer = await operator.http.put(
            f"{BASE}/config/{some_id}", json=operator.connection(host="elsewhere")
        )
        assert answer.status_code == 404
        assert answer.json()["code"] == "NOT_FOUND"
    assert await picture() == before


async def test_there_is_one_connection_however_often_it_is_saved(operator: Operator) -> None:
    first = await operator.api("GET", "config")
    for name in ("one", "two"):
        saved = await operator.api("POST", "config", json=operator.connection(username=name))
        assert saved["id"] == first["id"]
    assert len(await fetch("SELECT id FROM satoshimachine.lamassu_config")) == 1


async def test_two_first_saves_at_once_make_one_connection(
    operator: Operator, clean_books: None
) -> None:
    import asyncio

    await change("DELETE FROM satoshimachine.lamassu_config")
    both = await asyncio.gather(
        *(
            operator.http.post(f"{BASE}/config", json=operator.connection(username=name))
            for name in ("one", "two")
        )
    )
    assert all(isinstance(answer, httpx.Response) for answer in both)
    assert any(answer.is_success for answer in both)
    assert len(await fetch("SELECT id FROM satoshimachine.lamassu_config")) == 1


async def test_no_wallet_no_work(operator: Operator) -> None:
    """A connection may be saved before its wallets; then cash-outs wait and say why."""
    await operator.add_client()
    await operator.api("POST", "config", json=operator.connection(source_wallet_id=None))
    await operator.api("PUT", "settings", json={"start_at": LONG_AGO})
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    answer = await operator.poll()
    assert answer["transactions_processed"] == 0
    found = await operator.cash_out(row["id"])
    assert found["status"] == "pending"
    assert "source wallet" in found["error_message"]
