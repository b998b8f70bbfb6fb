"""Alerts from a condition to a real receiver and back: told, taken, escalated, over."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from satmachineadmin import crud
from satmachineadmin.adapters import webhook
from satmachineadmin.dev import sample_rows
from satmachineadmin.dev.receiver import Receiver, receiver
from satmachineadmin.domain.alert_said import Words
from satmachineadmin.errors import AddressRefused, DeliveryFailed
from satmachineadmin.services import alert_rules, audit_chain, deliver, watch_facts
from satmachineadmin.services.alerts import alert_now, resolve_now
from satmachineadmin.services.watch import watch
from support.operator import BASE, Operator
from support.trouble import delete_wallet, open_alerts, pass_time

Fixed = pytest.MonkeyPatch


@pytest.fixture
async def inbox(operator: Operator) -> AsyncIterator[Receiver]:
    """A receiver that is allowed, with rules as in the table."""
    watch_facts.forget()
    async with receiver() as one:
        await operator.api("PUT", "alert-settings", json={"allow_private_addresses": True})
        yield one
    await crud.write("DELETE FROM satoshimachine.operator_settings WHERE name = 'watch'", {})
    await alert_rules.read_settings()


async def channel(operator: Operator, inbox: Receiver, **more: Any) -> str:
    body = {"name": "Night desk", "kind": "webhook", "url": inbox.url, **more}
    return str((await operator.api("POST", "channels", json=body))["id"])


async def look(inbox: Receiver) -> list[dict[str, Any]]:
    """One pass; what the receiver heard of it. Nobody polls in these tests: that is not told."""
    watch_facts.forget()
    await watch()
    heard = [one.json() for one in inbox.take()]
    return [one for one in heard if one["kind"] != "poll_late"]


async def test_the_daily_head_goes_to_who_hears_of_everything(
    operator: Operator, inbox: Receiver
) -> None:
    """Once a day, so that a trail that was rewritten as a whole is found out from outside."""
    await channel(operator, inbox, min_severity="info")
    await channel(operator, inbox, name="Trouble only", min_severity="critical")
    for _ in range(2):
        audit_chain._Noted.day = None
        await audit_chain.note_daily_head()
    head = await audit_chain.daily_head()
    assert head is not None
    (told,) = await look(inbox)
    assert (told["event"], told["kind"], told["subject_id"]) == ("head", "audit_head", head["hash"])
    assert str(head["seq"]) in told["message"]


async def test_a_condition_is_told_taken_and_over(operator: Operator, inbox: Receiver) -> None:
    await channel(operator, inbox, secret="shared-key")
    assert await look(inbox) == []
    wallet = operator.commission_wallet
    await delete_wallet(wallet)
    watch_facts.forget()
    await watch()
    (heard,) = inbox.take()
    body = heard.json()
    assert (body["event"], body["severity"], body["kind"]) == (
        *("raised", "critical", "wallet_unusable"),
    )
    signed = heard.headers["x-satm-timestamp"].encode() + b"." + heard.content
    key = hmac.new(b"shared-key", signed, hashlib.sha256).hexdigest()
    assert heard.headers["x-satm-signature"] == f"sha256={key}"
    assert await look(inbox) == [], "told once"

    (row,) = (await operator.api("GET", "alerts?kind=wallet_unusable"))["data"]
    assert (row["state"], row["escalations"]) == ("open", 0)
    path = f"alerts/{row['id']}"
    taken = await operator.api("POST", f"{path}/acknowledge", json={"note": "on my way"})
    assert (taken["state"], taken["note"]) == ("acknowledged", "on my way")
    await operator.api("POST", f"{path}/acknowledge", expect=409)
    await operator.api("POST", "alerts/nosuch/acknowledge", expect=404)
    actions = (await operator.api("GET", f"audit?subject={row['id']}"))["data"]
    assert [one["action"] for one in actions] == ["alert_acknowledged"]

    await operator.api("POST", "config", json=operator.connection(commission_wallet_id=None))
    (over,) = await look(inbox)
    assert (over["event"], over["alert_id"]) == ("clear", row["id"])
    history = await operator.api("GET", "alerts?state=resolved&kind=wallet_unusable")
    assert [one["id"] for one in history["data"]] == [row["id"]]
    told = (await operator.api("GET", path))["deliveries"]
    assert {one["event"]: one["status"] for one in told} == {"raised": "sent", "clear": "sent"}
    assert await look(inbox) == []


async def test_nobody_took_it_and_the_next_level_hears(
    operator: Operator, inbox: Receiver, monkeypatch: Fixed
) -> None:
    await channel(operator, inbox)
    await channel(operator, inbox, name="Phone", level=2, min_severity="critical")
    await alert_now("x", "halt", "critical", Words("It broke", "Look"))
    assert [one["event"] for one in await look(inbox)] == ["raised"]
    pass_time(monkeypatch, timedelta(minutes=29))
    assert await look(inbox) == []
    pass_time(monkeypatch, timedelta(minutes=31))
    assert [one["event"] for one in await look(inbox)] == ["escalated"] * 2
    pass_time(monkeypatch, timedelta(minutes=62))
    assert [one["event"] for one in await look(inbox)] == ["escalated"] * 2
    pass_time(monkeypatch, timedelta(hours=9))
    assert await look(inbox) == [], "nobody further up is left"
    await resolve_now("x")
    assert [one["event"] for one in await look(inbox)] == ["clear"] * 2


async def test_many_of_a_kind_are_one_message_and_a_flapping_one_is_quiet(
    operator: Operator, inbox: Receiver, monkeypatch: Fixed
) -> None:
    await channel(operator, inbox)
    for number in range(30):
        await alert_now(
            f"held:{number}", "cash_out_held", "warning", Words(f"Sale {number}", "Open it")
        )
    (heard,) = await look(inbox)
    assert (heard["count"], heard["message"]) == (30, "Sale 0")
    await alert_now("held:later", "cash_out_held", "warning", Words("Sale later", "Open it"))
    assert await look(inbox) == [], "gathered for some minutes"
    pass_time(monkeypatch, timedelta(minutes=6))
    assert [one["count"] for one in await look(inbox)] == [1]

    await resolve_now("held:0")
    assert [one["event"] for one in await look(inbox)] == ["clear"]
    await alert_now("held:0", "cash_out_held", "warning", Words("Sale 0", "Open it"))
    pass_time(monkeypatch, timedelta(minutes=40))
    assert await look(inbox) == [], "within its cooldown"
    rows = (await operator.api("GET", "alerts?state=all&limit=100"))["data"]
    assert sum(row["message"] == "Sale 0" for row in rows) == 2, "each time it held is history"
    pass_time(monkeypatch, timedelta(minutes=80))
    assert [one["event"] for one in await look(inbox)] == ["raised"]


async def test_five_attempts_and_then_the_channel_is_an_alert(
    operator: Operator, inbox: Receiver, monkeypatch: Fixed
) -> None:
    broken = await channel(operator, inbox, name="Broken")
    inbox.status = 500
    await alert_now("x", "halt", "critical", Words("It broke", "Look"))
    await look(inbox)
    later = timedelta()
    for _ in range(6):
        later += timedelta(seconds=31) if not later else later * 3
        pass_time(monkeypatch, later)
        await deliver.send_due()
    assert len(inbox.take()) == 4, "the first attempt was in the pass"
    (row,) = [
        one
        for one in (await operator.api("GET", f"deliveries?channel_id={broken}"))["data"]
        if one["event"] == "raised"
    ]
    assert (row["status"], row["attempts"]) == ("failed", 5)
    assert "500" in row["last_result"]
    assert (await open_alerts(operator))["channel_failed"]
    (shown,) = (await operator.api("GET", "channels"))["data"]
    assert shown["last"]["status"] in ("failed", "waiting")
    inbox.status = 200
    assert (await operator.api("POST", f"channels/{broken}/test"))["success"]


async def test_a_crash_before_or_while_sending_loses_nothing(
    operator: Operator, inbox: Receiver, monkeypatch: Fixed
) -> None:
    await channel(operator, inbox)
    await alert_now("x", "halt", "critical", Words("It broke", "Look"))

    async def dies(*_: Any, **__: Any) -> Any:
        raise asyncio.CancelledError

    with monkeypatch.context() as broken:
        broken.setattr(webhook, "send", dies)
        with pytest.raises(asyncio.CancelledError):
            await watch()
    assert inbox.take() == []
    assert await look(inbox) == [], "claimed by the one that died"
    pass_time(monkeypatch, timedelta(minutes=3))
    assert [one["kind"] for one in await look(inbox)] == ["halt"]


async def test_one_message_that_breaks_us_stops_no_other(
    operator: Operator, inbox: Receiver, monkeypatch: Fixed
) -> None:
    for name in ("First", "Second"):
        await channel(operator, inbox, name=name)
    await alert_now("x", "halt", "critical", Words("It broke", "Look"))
    real, first = webhook.send, []

    async def breaks(*given: Any, **more: Any) -> Any:
        first.append(more["headers"]["X-Satm-Delivery"])
        if first[-1] == first[0]:
            raise RuntimeError("an error of ours")
        return await real(*given, **more)

    monkeypatch.setattr(webhook, "send", breaks)
    with pytest.raises(RuntimeError):
        await watch()
    assert len(inbox.take()) == 1
    for _ in range(6):
        await crud.write("UPDATE satoshimachine.alert_deliveries SET next_us = 1", {})
        with suppress(RuntimeError):
            await deliver.send_due()
    rows = (await operator.api("GET", "deliveries?event=raised"))["data"]
    assert sorted(row["status"] for row in rows) == ["failed", "sent"]
    assert inbox.take() == []


async def test_quiet_hours_hold_back_what_can_wait(operator: Operator, inbox: Receiver) -> None:
    await channel(operator, inbox)
    night = {"quiet_hours": True, "quiet_from_minute": 0, "quiet_to_minute": 1439}
    await operator.api("PUT", "alert-settings", json=night)
    await operator.api("PUT", "settings", json={"time_zone": "UTC"})
    await alert_now("held:1", "cash_out_held", "warning", Words("Can wait", "Open it"))
    await alert_now("x", "halt", "critical", Words("Cannot wait", "Look"))
    assert [one["message"] for one in await look(inbox)] == ["Cannot wait"]
    waits = (await operator.api("GET", "deliveries?status=waiting"))["data"]
    assert [(one["message"], one["attempts"]) for one in waits] == [("Can wait", 0)]


async def test_the_dead_man_ping(operator: Operator, inbox: Receiver) -> None:
    await channel(operator, inbox, kind="ping")
    await operator.poll()
    await watch()
    await watch()
    assert [(one.method, one.path) for one in inbox.take()] == [("GET", "/hook")]
    row = crud.write
    await row("UPDATE satoshimachine.polls SET id = 'other', result = 'failed'", {})
    await watch()
    assert [one.path for one in inbox.take() if one.method == "GET"] == ["/hook/fail"]


@pytest.mark.parametrize("kind", ["slack", "discord", "ntfy"])
async def test_other_formats(operator: Operator, inbox: Receiver, kind: str) -> None:
    one = await channel(operator, inbox, kind=kind)
    assert (await operator.api("POST", f"channels/{one}/test"))["success"]
    (heard,) = inbox.take()
    assert b"This channel works." in heard.content


async def test_no_secret_comes_back_and_no_other_host_gets_it(
    operator: Operator, inbox: Receiver
) -> None:
    one = await channel(operator, inbox, secret="very-secret-key")
    rows = await crud.fetch_rows("SELECT * FROM satoshimachine.alert_channels")
    told = json.dumps(
        [
            await operator.api("GET", "channels"),
            await operator.api("GET", "audit?limit=50"),
            [dict(row) for row in rows],
        ],
        default=str,
    )
    assert "very-secret-key" not in told
    assert inbox.url not in told
    (shown,) = (await operator.api("GET", "channels"))["data"]
    assert (shown["host"], shown["has_secret"]) == ("127.0.0.1", True)
    same = {"name": "Renamed", "kind": "webhook"}
    assert (await operator.api("PUT", f"channels/{one}", json=same))["has_secret"]
    other = {**same, "url": "https://example.com/hook"}
    assert not (await operator.api("PUT", f"channels/{one}", json=other))["has_secret"]
    await operator.api("DELETE", f"channels/{one}")
    await operator.api("DELETE", f"channels/{one}", expect=404)


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "webhook"},
        {"kind": "webhook", "url": "ftp://example.com"},
        {"kind": "webhook", "url": "https://user:pass@example.com"},
        {"kind": "webhook", "url": "https://example.com:0/"},
        {"kind": "webhook", "url": "https:///nothing"},
        {"kind": "lnbits", "url": "https://example.com"},
        {"kind": "slack", "url": "https://example.com", "secret": "s"},
        {"kind": "pager", "url": "https://example.com"},
        {"kind": "ntfy", "url": "https://example.com", "level": 4},
        {"kind": "ntfy", "url": "https://example.com", "secret": "a\nb"},
        {"kind": "ntfy", "url": "https://example.com", "name": " "},
    ],
)
async def test_a_channel_that_cannot_be_is_refused(
    operator: Operator, body: dict[str, Any]
) -> None:
    given = {"name": "n", **body}
    answer = await operator.http.post(f"{BASE}/channels", json=given)
    assert answer.status_code in (400, 422), answer.text
    assert (await operator.api("GET", "channels"))["total"] == 0


async def test_rules_are_changed_one_by_one_and_go_back(
    operator: Operator, inbox: Receiver
) -> None:
    async def rule(kind: str) -> dict[str, Any]:
        found = (await operator.api("GET", "alert-settings"))["rules"]
        return next(one for one in found if one["kind"] == kind)

    assert (await rule("payouts_late"))["threshold"] == 24
    given = {"rules": {"payouts_late": {"threshold": 12, "severity": "critical"}}}
    await operator.api("PUT", "alert-settings", json=given)
    await operator.api("PUT", "alert-settings", json={"rules": {"halt": {"told": False}}})
    changed = await rule("payouts_late")
    assert (changed["threshold"], changed["severity"], changed["changed"]) == (12, "critical", True)
    await channel(operator, inbox)
    await alert_now("x", "halt", "critical", Words("Muted", "Look"))
    assert await look(inbox) == []
    await alert_now("y", "payouts_late", "warning", Words("Late", "Look"))
    assert (await open_alerts(operator))["payouts_late"][0]["severity"] == "critical"
    back = {"rules": {"payouts_late": {"default": True}}}
    await operator.api("PUT", "alert-settings", json=back)
    assert not (await rule("payouts_late"))["changed"]
    for wrong in (
        {"rules": {"payouts_late": {"threshold": 0}}},
        {"rules": {"halt": {"threshold": 1}}},
        {"rules": {"nosuch": {"told": True}}},
        {"quiet_from_minute": 1440},
    ):
        answer = await operator.http.put(f"{BASE}/alert-settings", json=wrong)
        assert answer.status_code in (400, 422), answer.text


# -- addresses ------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::1]", "[fd00::1]"),
        *("0.0.0.0", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "localhost"),
        *("224.0.0.1", "100.64.0.1", "[fe80::1]", "2130706433"),
    ],
)
async def test_private_and_local_addresses_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        await webhook.send(f"https://{host}:9/x", content=b"{}")


async def test_a_name_is_connected_to_the_address_that_was_looked_at(monkeypatch: Fixed) -> None:
    """A name that is public at the look and private at the connection reaches nothing new."""
    asked = []

    async def resolve(host: str, port: int) -> list[Any]:
        asked.append(host)
        return [webhook.ipaddress.ip_address("127.0.0.1")]

    monkeypatch.setattr(webhook, "resolve", resolve)
    async with receiver() as one:
        url = f"http://hooks.invalid:{one.port}/x"
        with pytest.raises(AddressRefused):
            await webhook.send(url, content=b"{}")
        assert one.take() == []
        await webhook.send(url, content=b"{}", allow_private=True)
        (heard,) = one.take()
        assert heard.headers["host"] == f"hooks.invalid:{one.port}"
    assert asked == ["hooks.invalid"] * 2, "resolved once a request"


async def test_redirects_long_answers_and_silence(inbox: Receiver) -> None:
    inbox.status, inbox.headers = 302, f"Location: {inbox.url}\r\n"
    with pytest.raises(DeliveryFailed, match="redirect"):
        await webhook.send(inbox.url, content=b"{}", allow_private=True)
    assert len(inbox.take()) == 1
    inbox.status, inbox.headers, inbox.answer = 200, "", b"x" * 50_000_000
    answer = await webhook.send(inbox.url, content=b"{}", allow_private=True)
    assert len(answer.text) <= webhook.SHOWN_MAX
    inbox.hangs = True
    with pytest.raises(DeliveryFailed, match="did not answer"):
        await webhook.send(inbox.url, content=b"{}", allow_private=True, timeout_s=0.2)
    with pytest.raises(AddressRefused):
        await webhook.send("http://8.8.8.8/x", content=b"{}")


# -- clients --------------------------------------------------------


async def test_clients_are_told_what_the_operator_saw(
    operator: Operator, inbox: Receiver, monkeypatch: Fixed
) -> None:
    from lnbits.core.crud.users import get_account, update_account
    from satmachineadmin.adapters import lnbits_notify

    client = await operator.add_client()
    mute = await operator.add_client()
    for one in (client, mute):
        await delete_wallet(operator.wallets[one])
    await operator.lamassu.insert([sample_rows.sale()])
    await operator.poll()
    assert (await operator.api("GET", "client-notices"))["total"] == 0
    pass_time(monkeypatch, timedelta(hours=25))
    row = await operator.api("GET", f"clients/{client}")
    account = await get_account(row["user_id"])
    assert account is not None
    account.extra.notifications.email_address = "client@example.com"
    await update_account(account)
    monkeypatch.setattr(lnbits_notify.settings, "lnbits_email_notifications_enabled", True)
    found = (await operator.api("GET", "client-notices"))["data"]
    ways = {one["client_id"]: (one["why"], one["ways"]) for one in found}
    assert ways == {client: ("late", ["email"]), mute: ("late", [])}

    sent: list[tuple[str, str]] = []

    async def mail(*given: Any) -> bool:
        sent.append((given[5][0], given[7]))
        return True

    monkeypatch.setattr(lnbits_notify, "send_email", mail)
    body = {"client_ids": [client, mute], "message": "Your payout is late; it is not lost."}
    answer = await operator.api("POST", "client-notices", json=body)
    assert answer == {"queued": 1, "not_reached": [mute]}
    await deliver.send_due()
    assert sent == [("client@example.com", body["message"])]
    told = (await operator.api("GET", "client-notices"))["data"]
    assert {one["client_id"]: bool(one["told_at"]) for one in told} == {client: True, mute: False}
    await operator.api("POST", "client-notices", json={**body, "client_ids": ["x"]}, expect=404)


async def test_lnbits_own_notifications_say_when_nothing_is_set_up(
    operator: Operator, inbox: Receiver
) -> None:
    one = await channel(operator, inbox, kind="lnbits", url=None)
    answer = await operator.api("POST", f"channels/{one}/test")
    assert (answer["success"], "no notifications" in answer["message"]) == (False, True)


async def test_facts_come_from_the_books(operator: Operator, monkeypatch: Fixed) -> None:
    """From the tables to the conditions: pending deposits, a failed share, a silent poller."""
    user = (await operator.api("GET", f"clients/{await operator.add_client()}"))["id"]
    body = {"client_id": user, "amount": "10", "currency": "GTQ"}
    await operator.api("POST", "deposits", json=body)
    await delete_wallet(operator.wallets[user])
    await operator.lamassu.insert([sample_rows.sale()])
    await operator.poll()
    watch_facts.forget()
    await watch()
    assert set(await open_alerts(operator)) == {"share_failed"}
    pass_time(monkeypatch, timedelta(days=8))
    await watch()
    wanted = {"share_failed", "share_unsettled", "payouts_late", "poll_late", "poll_silent"}
    assert set(await open_alerts(operator)) == wanted | {"deposit_waits", "deposit_overdue"}
    needs = {one["kind"] for one in (await operator.api("GET", "needs"))["data"]}
    assert not needs & {"deposit_waits", "deposit_overdue", "poll_late"}, "said once already"


async def test_alerts_of_before_become_history_once(
    operator: Operator, inbox: Receiver, monkeypatch: Fixed
) -> None:
    """The migration, run again as after a stop half way, and the task that LNbits runs."""
    from satmachineadmin import migrations, tasks
    from satmachineadmin.crud import db

    await channel(operator, inbox)
    for key in ("gone", "here"):
        await alert_now(key, "halt", "critical", Words(key, "Look"))
    old = "UPDATE satoshimachine.alerts SET resolved_us = 5 WHERE dedupe_key = 'gone'"
    await crud.write(old, {})
    for _ in range(2):
        async with db.connect() as conn:
            await migrations.m022_watch(conn)
    await tasks.watching()
    assert [one.json()["message"] for one in inbox.take()] == ["here"], "the old one is not told"
    await alert_now("gone", "halt", "critical", Words("gone again", "Look"))
    pass_time(monkeypatch, timedelta(minutes=6))
    assert [one["message"] for one in await look(inbox)] == ["gone again"]
    assert (await operator.api("GET", "alerts?state=resolved"))["total"] == 1
