"""The audit trail: every change has an entry with who, from where, before and after; chained."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from satmachineadmin import clock, migrations
from satmachineadmin.adapters.audit import record
from satmachineadmin.adapters.settlement import settlement
from satmachineadmin.database import BooksConnection
from satmachineadmin.dev import sample_rows
from satmachineadmin.domain.alert_said import Words
from satmachineadmin.services import audit_chain
from support.books import SCHEMA, without_triggers
from support.lnbits_app import make_account, make_wallet
from support.machine import change, fetch, our_routes
from support.operator import BASE, LONG_AGO, Operator

LOG = f"{SCHEMA}.audit_log"
# They store nothing: a simulation.
NOTHING_STORED = {("POST", "test-transaction")}
# Steps that follow one another; tests/integration/test_resuming.py looks at their entries.
STEPS = {("POST", f"resuming/{step}") for step in ("begin", "settle", "reconcile", "automatic")}


async def entries() -> list[dict[str, Any]]:
    return await fetch(f"SELECT * FROM {LOG} ORDER BY seq")


async def verify(operator: Operator, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await operator.api("POST", "audit/verify", json=body)
    return answer


async def damage(statement: str) -> None:
    """What somebody with the database's password can do, triggers and all."""
    async with without_triggers() as run:
        await run(statement)


class Everything:
    """One call of every route that changes something, each where it can succeed."""

    def __init__(self, operator: Operator):
        self.operator, self.api = operator, operator.api

    async def _failed_share(self) -> tuple[str, str]:
        """A share whose wallet is gone, and its cash-out, whose commission failed, too."""
        from lnbits.core.db import db as core_db

        client = await self.operator.add_client()
        for wallet in (self.operator.wallets[client], self.operator.commission_wallet):
            await core_db.execute(
                "UPDATE wallets SET deleted = true WHERE id = :id", {"id": wallet}
            )
        row = sample_rows.sale(fiat=1000)
        await self.operator.lamassu.insert([row])
        await self.operator.poll()
        await self.api("PUT", f"clients/{client}", json={"status": "inactive"})
        shares = await self.operator.shares(row["id"])
        [share] = [one for one in shares if one["status"] == "failed"]
        return str(share["id"]), str(share["cash_out_id"])

    async def calls(self) -> dict[tuple[str, str], Callable[[], Awaitable[Any]]]:
        api, operator = self.api, self.operator
        config = (await api("GET", "config"))["id"]
        user, wallet = await make_account()
        client = self.client = await operator.add_client()
        deposit = await api("POST", "deposits", json={"client_id": client, "amount": "10"})
        held = sample_rows.sale(fiat=1000, commission_percentage="7")
        sale = sample_rows.sale(fiat=1000)
        await operator.lamassu.insert([held])
        await operator.poll()
        share, cash_out = await self._failed_share()
        other, _ = await self._failed_share()
        operator.commission_wallet = await make_wallet("commission")
        key = (await api("GET", "host-key"))["ssh_host_key"]
        await operator.lamassu.insert([sale])
        new = {"user_id": user, "wallet_id": wallet}
        settled = {"status": "confirmed"}
        saved = operator.connection(password="not-to-be-seen")
        return {
            ("POST", "audit/verify"): lambda: api("POST", "audit/verify"),
            ("POST", "clients"): lambda: api("POST", "clients", json=new),
            ("PUT", "clients/{client_id}"): lambda: api(
                "PUT", f"clients/{client}", json={"username": "Ana"}
            ),
            ("POST", "deposits"): lambda: api(
                "POST", "deposits", json={"client_id": client, "amount": "5"}
            ),
            ("PUT", "deposits/{deposit_id}/status"): lambda: api(
                "PUT", f"deposits/{deposit['id']}/status", json=settled
            ),
            ("POST", "config"): lambda: api("POST", "config", json=saved),
            ("PATCH", "config"): lambda: api(
                "PATCH", "config", json=operator.connection(source_wallet_id=operator.source_wallet)
            ),
            ("PUT", "config/{config_id}"): lambda: api(
                "PUT", f"config/{config}", json=operator.connection()
            ),
            ("PUT", "polling"): lambda: api("PUT", "polling", json={"enabled": True}),
            ("PUT", "host-key"): lambda: api("PUT", "host-key", json={"ssh_host_key": key}),
            ("POST", "test-connection"): lambda: api("POST", "test-connection"),
            ("PUT", "settings"): lambda: api("PUT", "settings", json={"poll_interval_s": 301}),
            ("POST", "readiness"): lambda: api("POST", "readiness"),
            ("POST", "resume/{gate}"): self._resume,
            ("PUT", "setup/start"): lambda: api("PUT", "setup/start", json={"start_at": None}),
            ("POST", "payments/{share_id}/retry"): lambda: api(
                "POST", f"payments/{share}/retry", expect=409
            ),
            ("POST", "payments/{share_id}/cancel"): lambda: api(
                "POST", f"payments/{share}/cancel", json={"reason": "gone"}
            ),
            ("POST", "transactions/{any_id}/retry-commission"): lambda: api(
                "POST", f"transactions/{cash_out}/retry-commission"
            ),
            ("POST", "transactions/{any_id}/skip"): lambda: api(
                "POST", f"transactions/{held['id']}/skip", json={"reason": "not to be paid"}
            ),
            ("POST", "process-transaction/{lamassu_id}"): lambda: api(
                "POST", f"process-transaction/{sale['id']}"
            ),
            ("POST", "manual-poll"): lambda: api("POST", "manual-poll"),
            ("POST", "previews"): lambda: api(
                "POST", "previews", json={"action": "retry_share", "share_id": other}
            ),
            ("POST", "previews/{preview_id}/execute"): lambda: self._execute(other),
            ("POST", "reconciliations"): lambda: api("POST", "reconciliations", expect=202),
            ("POST", "reconciliations/{run_id}/cancel"): self._cancel_run,
            ("POST", "findings/{finding_id}/acknowledge"): lambda: self._finding("acknowledge"),
            ("POST", "findings/{finding_id}/notes"): lambda: self._finding("notes"),
            ("PUT", "approval"): lambda: api("PUT", "approval", json={"above_sats": None}),
            ("POST", "corrections/{correction_id}/reject"): self._reject,
            **self._alerts(),
            **self._runbook(),
            ("POST", "health/check"): lambda: api("POST", "health/check"),
            ("POST", "halts"): lambda: self._halt(),
            ("POST", "halts/{halt_id}/lift"): self._lift,
            ("POST", "weekly-reports"): lambda: api("POST", "weekly-reports"),
            ("DELETE", "config/{config_id}"): lambda: api("DELETE", f"config/{config}"),
            ("POST", "setup/arm"): self._arm,
        }

    def _alerts(self) -> dict[tuple[str, str], Any]:
        api, body = self.api, {"name": "Desk", "kind": "lnbits"}
        rules = {"rules": {"halt": {"told": True}}}
        note = {"client_ids": [self.client], "message": "It comes"}
        return {
            ("PUT", "alert-settings"): lambda: api("PUT", "alert-settings", json=rules),
            ("POST", "channels"): lambda: api("POST", "channels", json=body),
            ("PUT", "channels/{channel_id}"): lambda: self._channel("PUT", "", json=body),
            ("POST", "channels/{channel_id}/test"): lambda: self._channel("POST", "/test"),
            ("DELETE", "channels/{channel_id}"): lambda: self._channel("DELETE", ""),
            ("POST", "alerts/{alert_id}/acknowledge"): self._take,
            ("POST", "client-notices"): lambda: api("POST", "client-notices", json=note),
        }

    def _runbook(self) -> dict[tuple[str, str], Any]:
        api, one = self.api, "incidents/{incident_id}"
        begun = {"failure": "balance", "severity": "high", "note": "a drill"}
        ended = {"outcome": "false_alarm", "note": "it was a drill"}
        return {
            ("POST", "incidents"): lambda: api("POST", "incidents", json=begun),
            ("POST", f"{one}/phases"): lambda: self._incident("phases", {"phase": 1}),
            ("POST", f"{one}/notes"): lambda: self._incident("notes", {"note": "seen"}),
            ("POST", f"{one}/close"): lambda: self._incident("close", ended),
            ("PUT", "runbook/contacts/{role}"): lambda: api(
                "PUT", "runbook/contacts/owner", json={"name": "Eva", "phone": "555"}
            ),
            ("POST", "runbook/changes"): lambda: api(
                "POST", "runbook/changes", json={"name": "Eva", "note": "a new number"}
            ),
            ("POST", "runbook/signoffs"): lambda: api(
                "POST", "runbook/signoffs", json={"name": "Eva", "role": "owner"}
            ),
        }

    async def _incident(self, step: str, body: dict[str, Any]) -> None:
        one = (await self.api("GET", "incidents"))["data"][0]["id"]
        await self.api("POST", f"incidents/{one}/{step}", json=body)

    async def _channel(self, method: str, more: str, **body: Any) -> None:
        one = (await self.api("GET", "channels"))["data"][0]["id"]
        await self.api(method, f"channels/{one}{more}", **body)

    async def _take(self) -> None:
        from satmachineadmin.services.alerts import alert_now

        await alert_now("a test", "cash_out_held", "warning", Words("It waits", "Look"))
        one = (await self.api("GET", "alerts?state=unacknowledged"))["data"][0]["id"]
        await self.api("POST", f"alerts/{one}/acknowledge")

    async def _halt(self) -> str:
        asked = {"scope": "client", "subject": self.client, "reason": "a test"}
        return str((await self.api("POST", "halts", json=asked))["id"])

    async def _lift(self) -> None:
        active = (await self.api("GET", "halts"))["active"][0]["id"]
        await self.api("POST", f"halts/{active}/lift", json={"reason": "looked"})

    async def _execute(self, share: str) -> None:
        asked = {"action": "cancel_share", "share_id": share, "reason": "gone"}
        looked = await self.api("POST", "previews", json=asked)
        await self.api("POST", f"previews/{looked['preview_id']}/execute", json={})

    async def _reject(self) -> None:
        limit = {"above_sats": 0, "new_passphrase": "not-to-be-seen"}
        await self.api("PUT", "approval", json=limit)
        why = {"reason_code": "other", "note": "a test"}
        asked = {"action": "adjust_balance", "client_id": self.client, "amount": "5", **why}
        looked = await self.api("POST", "previews", json=asked)
        await self.api("POST", f"previews/{looked['preview_id']}/execute", json={})
        path = f"corrections/{looked['correction_id']}/reject"
        await self.api("POST", path, json={"reason": "not agreed"})

    async def _cancel_run(self) -> None:
        from satmachineadmin.models_reconciliation import Scope
        from satmachineadmin.services import reconcile

        await reconcile.stop_working()
        await change(f"UPDATE {SCHEMA}.reconciliation_runs SET status = 'done'")
        run_id = await reconcile.queue(Scope(), actor="nobody")
        await self.api("POST", f"reconciliations/{run_id}/cancel")

    async def _finding(self, route: str) -> None:
        from support.constraints_reconciliation import ROWS

        row = {**ROWS["findings"], "id": route, "fingerprint": route}
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        await change(f"INSERT INTO {SCHEMA}.findings ({names}) VALUES ({marks})", row)
        await self.api("POST", f"findings/{route}/{route}", json={"note": "looked at it"})

    async def _resume(self) -> None:
        from satmachineadmin.services.gates import RESTORE, close_gate

        await close_gate(RESTORE, "stopped for a test", "", {})
        await self.api("POST", "resume/restore", json={"reason": "looked"})

    async def _arm(self) -> None:
        """As at the first run: saved, tested, chosen, and never polled before."""
        from satmachineadmin import crud

        given = self.operator.connection()
        await self.api("PATCH", "config", json=given)
        key = await self.api("GET", "host-key")
        await self.api("PUT", "host-key", json={"ssh_host_key": key["ssh_host_key"]})
        await self.api("POST", "test-connection")
        chosen = {"funding_ln": "credit", "funding_btc": "credit", "split_rule": "markup"}
        terms = {"currency": "GTQ", "time_zone": "America/Guatemala", "max_daily_limit": 2000}
        await self.api("PUT", "settings", json={**chosen, **terms})
        await self.api("PUT", "setup/start", json={"start_at": LONG_AGO})
        await crud.delete_meta("setup_armed")
        await change(f"DELETE FROM {SCHEMA}.polls")
        start = (await self.api("GET", "setup"))["start_at"]
        await self.api("POST", "setup/arm", json={"start_at": start})


async def test_every_change_has_an_entry(
    operator: Operator, superuser: httpx.AsyncClient, lnbits_app: FastAPI
) -> None:
    """Every route that changes something appends to the trail: by whom, and from where."""
    who = (await superuser.get("/api/v1/auth")).json()["id"]
    calls = await Everything(operator).calls()
    changing = {
        (method, path.removeprefix(f"{BASE}/"))
        for method, path in our_routes(lnbits_app)
        if method != "GET"
    }
    assert set(calls) == changing - NOTHING_STORED - STEPS
    for route, call in calls.items():
        before = len(await entries())
        await call()
        mine = [e for e in (await entries())[before:] if e["actor"] == who]
        assert mine, f"{route} left no entry of its caller"
        assert all(entry["origin"].startswith("api ") for entry in mine), route
    everything = repr(await entries())
    assert "not-to-be-seen" not in everything
    assert "PRIVATE KEY" not in everything
    report = await verify(operator)
    assert report["ok"], report
    assert report["entries"] == len(await entries()) - 1


async def test_a_change_says_what_was_before(operator: Operator) -> None:
    client = await operator.add_client()
    await operator.api("PUT", f"clients/{client}", json={"username": "Ana"})
    await operator.api("PUT", "settings", json={"poll_interval_s": 400})
    newest_first = (await operator.api("GET", "audit"))["data"]
    found = {entry["action"]: entry for entry in reversed(newest_first)}
    assert found["client_updated"]["before"] == {"username": None}
    assert found["client_updated"]["after"] == {"username": "Ana"}
    assert found["settings_saved"]["before"] == {"poll_interval_s": 300}
    assert found["deposit_confirmed"]["before"] == {"status": "pending"}


@pytest.mark.parametrize(
    ("statement", "code", "bad"),
    [
        ("UPDATE {log} SET detail = '{{\"a\": 1}}' WHERE seq = 3", "changed", 3),
        ("UPDATE {log} SET at_us = at_us + 1 WHERE seq = 2", "changed", 2),
        ("UPDATE {log} SET origin = 'page 10.0.0.9' WHERE seq = 4", "changed", 4),
        ("DELETE FROM {log} WHERE seq = 3", "missing", 3),
        ("UPDATE {log} SET entry_hash = NULL, prev_hash = NULL WHERE seq = 5", "not_chained", 5),
        ("UPDATE {log} SET prev_hash = 'x' WHERE seq = 3", "other_before", 3),
    ],
)
async def test_an_edited_entry_is_found(
    operator: Operator, statement: str, code: str, bad: int
) -> None:
    await operator.add_client()
    await damage(statement.format(log=LOG))
    report = await verify(operator)
    assert (report["ok"], report["code"], report["bad_seq"]) == (False, code, bad)
    assert report["why"]
    [alert] = [a for a in (await operator.api("GET", "status"))["alerts"] if "audit" in a["kind"]]
    assert alert["severity"] == "critical"


async def test_a_shortened_trail_is_found_by_a_head_that_was_kept(operator: Operator) -> None:
    kept = (await operator.api("GET", "audit/head"))["hash"]
    assert (await verify(operator, known_hash=kept))["ok"]
    await damage(f"DELETE FROM {LOG} WHERE entry_hash = '{kept}' OR action = 'audit_verified'")
    assert (await verify(operator))["ok"], "what is left is right in itself"
    report = await verify(operator, known_hash=kept)
    assert (report["ok"], report["code"]) == (False, "head_unknown")


async def test_entries_from_before_the_chain_are_covered(operator: Operator) -> None:
    await damage(f"UPDATE {LOG} SET prev_hash = NULL, entry_hash = NULL, origin = NULL")
    old = len(await entries())
    await operator.add_client()
    report = await verify(operator)
    assert (report["ok"], report["chained_since"]) == (True, old + 1)
    await damage(f"UPDATE {LOG} SET actor = 'nobody' WHERE seq = 1")
    report = await verify(operator)
    assert (report["code"], report["bad_seq"]) == ("other_before", old + 1)


async def test_two_writers_do_not_fork_it(operator: Operator) -> None:
    """At the same time, through separate connections: one after the other, all in one chain."""

    async def write(number: int) -> None:
        async def work(conn: BooksConnection) -> None:
            await record(conn, "test", str(number), {}, now_us=clock.now_us())
            await asyncio.sleep(0.005)

        await settlement(work)

    before = len(await entries())
    await asyncio.gather(*(write(number) for number in range(12)))
    assert len(await entries()) == before + 12
    assert (await verify(operator))["ok"]


async def test_the_head_of_a_day_is_kept_once(operator: Operator) -> None:
    audit_chain._Noted.day = None
    await audit_chain.note_daily_head()
    head = await audit_chain.daily_head()
    count = len(await entries())
    audit_chain._Noted.day = None
    await audit_chain.note_daily_head()
    assert len(await entries()) == count
    assert head is not None
    assert head["hash"] == (await entries())[-2]["entry_hash"]
    assert (await operator.api("GET", "audit/head"))["daily"] == head
    assert (await verify(operator, known_hash=head["hash"]))["ok"]


async def test_it_is_searched_narrowed_and_taken_away(operator: Operator) -> None:
    client = await operator.add_client()
    await operator.api("PUT", f"clients/{client}", json={"username": "Ana Maria"})
    row = sample_rows.sale(fiat=100)
    await operator.lamassu.insert([row])
    await operator.poll()

    async def found(**asked: Any) -> set[str]:
        page = await operator.api("GET", "audit", params=asked)
        assert page["total"] == len(page["data"])
        return {one["action"] for one in page["data"]}

    assert await found(search="ana mar") == {"client_created", "client_updated"}
    assert await found(search=row["id"]) == {"cash_out_observed", "cash_out_settled"}
    assert await found(search="settled") == {"cash_out_settled"}
    assert await found(action="client_updated") == {"client_updated"}
    assert await found(subject=client) == {"client_created", "client_updated"}
    assert await found(to="2020-01-01") == set()
    assert "cash_out_settled" in await operator.api("GET", "audit/actions")
    page = await operator.api("GET", "audit", params={"limit": 2, "offset": 1})
    assert [one["seq"] for one in page["data"]] == [page["total"] - 1, page["total"] - 2]
    await operator.api("GET", "audit", expect=422, params={"detail": "x"})
    await operator.api("GET", "audit", expect=422, params={"from": "yesterday"})
    answer = await operator.http.get(f"{BASE}/exports/audit.csv")
    lines = answer.text.splitlines()
    assert lines[0].startswith("\ufeffrow,seq,time,at_us,actor,origin")
    assert len([one for one in lines if not one.startswith(("SUM", "END", "\ufeff"))]) == len(
        await entries()
    )
    assert (await entries())[-1]["entry_hash"] in answer.text


async def test_the_migration_runs_again(operator: Operator) -> None:
    from satmachineadmin.crud import db

    for _ in range(2):
        async with db.connect() as conn:
            await migrations.m018_audit_chain(conn)
    assert (await verify(operator))["ok"]
