"""The runbook's failures as drills: caused for real, found by the timers, told to a real receiver,
and mended by nothing but the steps of their page (docs/runbook.md; SAT-26, SAT-28, SAT-46).

A pass is what LNbits' task manager runs: the tick, the reconciliation, the schedules and the watch,
so much later by our clock. Every message is checked by its signature.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from lnbits.settings import settings
from satmachineadmin import crud, tasks
from satmachineadmin.dev import sample_rows
from satmachineadmin.dev.receiver import Receiver, receiver
from satmachineadmin.services import alert_rules, watch_facts
from support.damage import copy, damaged
from support.lnbits_app import make_wallet
from support.operator import Operator
from support.trouble import delete_wallet, markup_split, pass_time

S = "satoshimachine"
SECRET = "of the night desk"


@dataclass
class Drill:
    """An operator on duty, the timers, and what the receiver heard."""

    operator: Operator
    inbox: Receiver
    patch: pytest.MonkeyPatch
    gone_by: timedelta = timedelta()
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def later(self, **passed: float) -> None:
        """So much later every timer runs once."""
        self.gone_by += timedelta(**passed)
        pass_time(self.patch, self.gone_by)
        tasks.timer.next_due_us = 0
        for timer in (tasks.heartbeat, tasks.reconciling, tasks.scheduled, tasks.watching):
            await timer()
        for one in self.inbox.take():
            signed = one.headers["x-satm-timestamp"].encode() + b"." + one.content
            key = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
            assert one.headers["x-satm-signature"] == f"sha256={key}"
            self.heard.append(one.json())

    def told(self, kind: str, severity: str, hint: str) -> dict[str, Any]:
        """The message that an alert of this kind was raised."""
        found = [one for one in self.heard if (one["event"], one["kind"]) == ("raised", kind)]
        assert found, f"nobody was told of {kind}: {self.heard}"
        assert found[-1]["severity"] == severity
        assert hint in found[-1]["hint"], found[-1]["hint"]
        return found[-1]

    async def over(self, *alerts: dict[str, Any]) -> None:
        """All clear was told, nothing is left open, all checks are green and every sum is right."""
        cleared = {one["alert_id"] for one in self.heard if one["event"] == "clear"}
        for one in alerts:
            assert one["alert_id"] in cleared, f"{one['message']} was never called off"
        health = await self.operator.api("POST", "health/check")
        bad = [one for one in health["checks"] if one["state"] != "ok" and one["name"] != "disk"]
        assert not bad, bad
        assert (await self.operator.api("GET", "status"))["health"] == health["state"]
        left = (await self.operator.api("GET", "alerts"))["data"]
        assert not [one for one in left if one["severity"] != "info"], left
        assert (await self.reconciled())["mismatches"] == 0
        await self.operator.check_books()

    async def reconciled(self) -> dict[str, Any]:
        """Reconcile… over everything; the run when it has ended."""
        run = await self.operator.api("POST", "reconciliations", json={"kind": "everything"})
        for _ in range(400):
            found: dict[str, Any] = await self.operator.api("GET", f"reconciliations/{run['id']}")
            if found["status"] not in ("queued", "running"):
                assert (found["status"], found["errors"]) == ("done", 0), found
                return found
            await asyncio.sleep(0.02)
        raise TimeoutError(found)

    async def findings(self) -> Sequence[dict[str, Any]]:
        """The open ones, each with its evidence."""
        page = await self.operator.api("GET", "findings?status=open")
        return [await self.operator.api("GET", f"findings/{one['id']}") for one in page["data"]]

    async def sell(self, fiat: int = 500) -> dict[str, Any]:
        """A sale at the machine, which nobody has polled yet."""
        row = sample_rows.sale(fiat=fiat)
        await self.operator.lamassu.insert([row])
        return row

    async def stop(self) -> None:
        """The runbook's first of all."""
        await self.operator.api("PUT", "polling", json={"enabled": False})
        assert (await self.operator.api("GET", "status"))["polling_enabled"] is False


@pytest.fixture
async def drill(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Drill]:
    """Automatic work runs well, two clients, one sale paid, one channel."""
    watch_facts.forget()
    monkeypatch.setattr(tasks, "timer", tasks.Timer())
    async with receiver() as inbox:
        duty = Drill(operator, inbox, monkeypatch)
        await operator.api("PUT", "alert-settings", json={"allow_private_addresses": True})
        channel = {"name": "Night desk", "kind": "webhook", "url": inbox.url, "secret": SECRET}
        await operator.api("POST", "channels", json=channel)
        for _ in range(2):
            await operator.add_client("9000")
        await operator.api("PUT", "polling", json={"enabled": True})
        await duty.sell()
        await duty.later(minutes=0)
        assert (await operator.api("GET", "status"))["cash_outs"]["completed"] == 1
        assert duty.heard == []
        yield duty
    await crud.write(f"DELETE FROM {S}.operator_settings WHERE name = 'watch'", {})
    await alert_rules.read_settings()


async def test_somebody_was_paid_twice(drill: Drill) -> None:
    """Section 1: a share's payment stands in a second wallet, too: sats that came from nowhere."""
    operator = drill.operator
    row = await drill.sell()
    await drill.later(minutes=6)
    before = await operator.balances()
    leg, *_ = await crud.fetch_rows(
        f"SELECT checking_id_in, to_wallet_id, amount_sats FROM {S}.settlement_legs"
        f" WHERE leg_key LIKE '{row['id']}:share%' ORDER BY leg_key LIMIT 10"
    )
    other = next(one for one in operator.wallets.values() if one != leg["to_wallet_id"])
    its = f"checking_id = '{leg['checking_id_in']}'"
    await damaged(await copy("apipayments", its, wallet_id=f"'{other}'"))
    assert sum((await operator.balances()).values()) == sum(before.values()) + leg["amount_sats"]
    await drill.later(hours=24)
    alert = drill.told("reconciliation_difference", "critical", "which sides differ")
    assert f"differ by {leg['amount_sats']} sats" in alert["message"]

    await drill.stop()
    assert (await drill.reconciled())["mismatches"] == 1
    (finding,) = await drill.findings()
    assert finding["code"] == "wallet_row_doubled"
    assert "Take" in finding["what_to_do"], finding["what_to_do"]
    await damaged(f"DELETE FROM apipayments WHERE {its} AND wallet_id = '{other}'")
    assert (await drill.reconciled())["mismatches"] == 0
    assert await operator.balances() == before
    gate = drill.told("restore", "critical", "compare and resume")
    await operator.api("POST", "resume/restore", json={"reason": "only the forged row was wrong"})
    await operator.resume()
    await drill.later(minutes=6)
    await drill.over(alert, gate)


async def test_lamassu_cannot_be_reached(drill: Drill) -> None:
    """Section 2: nothing is paid and nothing is lost, however long it lasts."""
    operator = drill.operator
    row = await drill.sell()
    await operator.lamassu.stop_ssh()
    await drill.later(minutes=6)
    first = drill.told("poll_failed", "warning", "that host and port are right")
    assert (await operator.api("GET", "health"))["state"] == "bad"
    assert (await operator.api("GET", "status"))["health"] == "bad", "in the first line, too"
    await drill.later(hours=25)
    second = drill.told("poll_silent", "critical", "Test the connection")

    tested = await operator.api("POST", "test-connection")
    failed = next(step for step in tested["steps"] if step["ok"] is False)
    assert (failed["name"], bool(failed["hint"])) == ("ssh_reached", True)
    await operator.lamassu.start_ssh()
    assert (await operator.api("POST", "test-connection"))["success"]
    assert (await operator.poll())["transactions_processed"] == 1
    assert (await operator.cash_out(row["id"]))["status"] == "completed"
    assert (await operator.api("GET", "status"))["state"] == "live"
    await drill.later(minutes=6)
    await drill.over(first, second)


async def test_the_host_key_changed(drill: Drill) -> None:
    """Section 2, step 4: nothing goes to a server that nobody accepted."""
    operator = drill.operator
    row = await drill.sell()
    await operator.lamassu.rotate_host_key()
    await drill.later(minutes=6)
    alert = drill.told("host_key_changed", "critical", "reinstalled")
    halt = drill.told("halt", "critical", "reinstalled")
    shown = await operator.api("GET", "host-key")
    await operator.api("PUT", "host-key", json={"ssh_host_key": shown["ssh_host_key"]})
    await operator.resume()
    assert (await operator.poll())["transactions_processed"] == 1
    assert (await operator.cash_out(row["id"]))["status"] == "completed"
    await drill.later(minutes=6)
    await drill.over(alert, halt)


async def test_a_share_was_not_paid(drill: Drill) -> None:
    """Section 3: the client's wallet is gone; what is theirs waits in the source wallet."""
    operator = drill.operator
    client = sorted(operator.wallets)[0]
    await delete_wallet(operator.wallets[client])
    row = await drill.sell()
    await drill.later(minutes=6)
    alert = drill.told("share_failed", "critical", "change the client's wallet")
    await drill.later(minutes=20)
    late = drill.told("share_unsettled", "critical", "each says what it met")

    (failed,) = [one for one in await operator.shares(row["id"]) if one["status"] == "failed"]
    assert "deleted" in failed["error_message"]
    held = await operator.api("GET", f"clients/{client}")
    operator.wallets[client] = await make_wallet("a new one", held["user_id"])
    body = {"wallet_id": operator.wallets[client]}
    await operator.api("PUT", f"clients/{client}", json=body)
    assert (await operator.api("POST", f"payments/{failed['id']}/retry"))["status"] == "confirmed"
    assert (await operator.balances())[client] == failed["amount_sats"]
    await drill.later(minutes=6)
    await drill.over(alert, late)


async def test_a_balance_is_off(drill: Drill) -> None:
    """Section 4: somebody with SQL gave a client fiat."""
    operator = drill.operator
    client = sorted(operator.wallets)[0]
    account = f"account = 'client:{client}' AND unit = 'GTQ'"
    before = await operator.remaining_minor(client)
    await damaged(f"UPDATE {S}.ledger_balances SET balance = balance + 12345 WHERE {account}")
    await drill.later(hours=24)
    alert = drill.told("reconciliation_difference", "critical", "which sides differ")

    await drill.stop()
    (finding,) = await drill.findings()
    assert (finding["code"], finding["client_id"]) == ("balance_differs", client)
    assert "Put the old value back" in finding["what_to_do"]
    assert finding["expected"].startswith(f"{before} GTQ")
    assert (await operator.api("POST", "audit/verify"))["ok"]
    await damaged(f"UPDATE {S}.ledger_balances SET balance = {before} WHERE {account}")
    assert (await drill.reconciled())["mismatches"] == 0
    after = await operator.api("GET", f"findings/{finding['id']}")
    assert after["status"] == "resolved"
    await operator.resume()
    await drill.later(minutes=6)
    await drill.over(alert)


async def test_the_commission_is_wrong(drill: Drill) -> None:
    """Section 5: a stored split is not what its own rule gives."""
    operator = drill.operator
    row = await drill.sell()
    await drill.later(minutes=6)
    _, commission = markup_split(row)
    moved = (
        f"UPDATE {S}.lamassu_transactions SET commission_sats = commission_sats + {{0}},"
        " base_sats = base_sats - {0}, operator_remainder_sats = operator_remainder_sats - {0}"
        f" WHERE lamassu_transaction_id = '{row['id']}'"
    )
    await damaged(moved.format(-7))
    await drill.later(minutes=6)
    alert = drill.told("commission_anomaly", "warning", "Open it and compare")
    assert row["id"] in alert["message"]
    await drill.stop()
    assert (await operator.api("GET", "reports/books"))["wrong"]["splits"] == 1
    await damaged(moved.format(7))
    assert (await operator.cash_out(row["id"]))["commission_sats"] == commission
    await operator.resume()
    await drill.later(minutes=6)
    await drill.over(alert)


async def test_the_source_wallet_was_deleted_by_mistake(drill: Drill) -> None:
    """Section 6, step 1: nothing is settled meanwhile, and LNbits brings it back."""
    operator = drill.operator
    await delete_wallet(operator.source_wallet)
    row = await drill.sell()
    await drill.later(minutes=6)
    alert = drill.told("wallet_unusable", "critical", "Choose another wallet")
    assert (await operator.cash_out(row["id"]))["status"] == "pending"
    path = f"/users/api/v1/user/{settings.super_user}/wallet/{operator.source_wallet}/undelete"
    assert (await operator.http.put(path)).is_success
    await operator.api("POST", "readiness")
    assert (await operator.poll())["transactions_processed"] == 1
    await drill.later(minutes=6)
    await drill.over(alert)


async def test_the_commission_wallet_was_deleted(drill: Drill) -> None:
    """Section 6, step 2: clients are paid all the same."""
    operator = drill.operator
    await delete_wallet(operator.commission_wallet)
    row = await drill.sell()
    await drill.later(minutes=6)
    alert = drill.told("wallet_unusable", "critical", "Choose another wallet")
    late = drill.told("commission_failed", "warning", "Choose another commission wallet")
    assert len(drill.heard) == 2, "each trouble is told once"
    found = await operator.cash_out(row["id"])
    assert (found["status"], found["commission_status"]) == ("completed", "failed")
    operator.commission_wallet = await make_wallet("another")
    await operator.api("POST", "config", json=operator.connection())
    await operator.api("POST", f"transactions/{row['id']}/retry-commission")
    assert (await operator.cash_out(row["id"]))["commission_status"] == "paid"
    await drill.later(minutes=6)
    await drill.over(alert, late)
