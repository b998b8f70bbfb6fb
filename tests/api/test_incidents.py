"""The runbook in the product: what shows each failure now, incidents that stay as written,
contacts, signatures, and the reminder to read it again (SAT-57, SAT-60, SAT-61).
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from satmachineadmin.dev import sample_rows
from satmachineadmin.migrations import SCHEMA_VERSION
from satmachineadmin.models_reconciliation import Scope
from satmachineadmin.services import reconcile, watch
from support.books import SCHEMA
from support.machine import change, fetch, picture
from support.operator import BASE, Operator
from support.trouble import delete_wallet, open_alerts, pass_time, refused_poll

BEGUN = {"failure": "connection", "severity": "high", "note": "no poll since noon"}
TABLES = ("incidents", "incident_entries", "runbook_log")


async def pages(operator: Operator) -> dict[str, dict[str, Any]]:
    found = (await operator.api("GET", "runbook"))["failures"]
    return {page["name"]: page for page in found}


async def states(operator: Operator) -> dict[str, str]:
    return {name: page["state"] for name, page in (await pages(operator)).items()}


def signs(page: dict[str, Any]) -> set[str]:
    return {sign["name"] for sign in page["signs"] if sign["state"] != "ok"}


async def stored() -> dict[str, list[dict[str, Any]]]:
    return {
        table: [dict(row) for row in await fetch(f"SELECT * FROM {SCHEMA}.{table} ORDER BY id")]
        for table in TABLES
    }


async def begun(operator: Operator, **changes: Any) -> str:
    return str((await operator.api("POST", "incidents", json={**BEGUN, **changes}))["id"])


async def test_each_failure_turns_its_own_page(operator: Operator) -> None:
    client = await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    await operator.poll()
    await reconcile.run_now(Scope())
    before = await states(operator)
    assert "bad" not in {state for name, state in before.items() if name != "balance"}
    await operator.lamassu.stop_ssh()
    await refused_poll(operator)
    found = await pages(operator)
    assert {"ssh"} <= signs(found["connection"])
    assert {name for name, page in found.items() if page["state"] == "bad"} == {"connection"}
    facts = {fact["name"]: fact["value"] for fact in found["connection"]["facts"]}
    assert facts["poll_code"]
    assert facts["last_success"] < facts["last_poll"]
    await operator.lamassu.start_ssh()
    await delete_wallet(operator.wallets[client])
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    await operator.poll()
    found = await pages(operator)
    assert {"share_failed", "unsettled"} <= signs(found["unpaid"])
    facts = {fact["name"]: fact["value"] for fact in found["unpaid"]["facts"]}
    assert (facts["failed_shares"], facts["failed_sats"] > 0) == (1, True)
    assert found["unpaid"]["since"]


async def test_a_finding_stands_on_the_page_of_its_failure(operator: Operator) -> None:
    await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    await operator.poll()
    balance = f"UPDATE {SCHEMA}.ledger_balances SET balance = balance"
    await change(f"{balance} + 7 WHERE account = 'commission'")
    await reconcile.run_now(Scope())
    found = await pages(operator)
    (sign,) = [one for one in found["balance"]["signs"] if one["source"] == "finding"]
    assert (sign["name"], sign["count"], sign["sats"]) == ("balance_differs", 1, 7)
    assert found["balance"]["state"] == "bad"
    assert {found[name]["state"] for name in ("duplicate", "commission")} == {"ok"}
    await change(f"{balance} - 7 WHERE account = 'commission'")


async def test_a_wallet_that_is_gone(operator: Operator) -> None:
    await operator.poll()
    await delete_wallet(operator.commission_wallet)
    found = await pages(operator)
    assert (found["wallet"]["state"], signs(found["wallet"])) == ("bad", {"commission_wallet"})


async def test_the_five_phases_write_the_record(operator: Operator) -> None:
    one = await begun(operator)
    for phase in (1, 2, 3, 4, 5):
        body = {"phase": phase, "done": [1, 2], "note": f"phase {phase}"}
        found = await operator.api("POST", f"incidents/{one}/phases", json=body)
    assert [entry["phase"] for entry in found["entries"]] == [None, 1, 2, 3, 4, 5]
    ended = {"outcome": "mended", "note": "the router", "sats": 12, "clients": 1, "cash_outs": 3}
    closed = await operator.api("POST", f"incidents/{one}/close", json=ended)
    assert {name: closed[name] for name in ended if name != "note"} == {
        name: value for name, value in ended.items() if name != "note"
    }
    assert (closed["state"], closed["closed_at"] > closed["opened_at"]) == ("closed", True)
    for entry in closed["entries"]:
        evidence = entry["evidence"]
        assert evidence["at"]
        assert set(evidence) >= {"health", "checks", "cash_outs", "wallets", "audit_head"}
    log = await fetch(
        f"SELECT * FROM {SCHEMA}.audit_log WHERE subject = :one ORDER BY seq", {"one": one}
    )
    actions = ["incident_opened", *["incident_phase"] * 5, "incident_closed"]
    assert [row["action"] for row in log] == actions
    rows = {row["id"]: row for row in (await stored())["incident_entries"]}
    for entry, told in zip(closed["entries"], log, strict=True):
        digest = sha256(rows[entry["id"]]["evidence"].encode()).hexdigest()
        assert digest == entry["evidence_sha256"] == json.loads(told["detail"])["evidence_sha256"]
    heads = [entry["evidence"]["audit_head"]["seq"] for entry in closed["entries"]]
    assert heads == sorted(heads)
    listed = (await operator.api("GET", "incidents"))["data"]
    assert [(row["id"], row["state"]) for row in listed] == [(one, "closed")]


async def test_what_is_refused_changes_nothing(operator: Operator) -> None:
    one = await begun(operator)
    before = await picture()
    long = "x" * 501
    for path, status, body in (
        (f"incidents/{one}/phases", 409, {"phase": 2}),
        (f"incidents/{one}/phases", 422, {"phase": 6}),
        (f"incidents/{one}/phases", 422, {"phase": 1, "done": [0]}),
        (f"incidents/{one}/phases", 422, {"phase": 3, "done": [4]}),
        (f"incidents/{one}/phases", 422, {"phase": 1, "note": long}),
        (f"incidents/{one}/notes", 422, {"note": "  "}),
        (f"incidents/{one}/close", 409, {"outcome": "mended", "note": "too early"}),
        (f"incidents/{one}/close", 422, {"outcome": "forgotten", "note": "is none"}),
        (f"incidents/{one}/close", 422, {"outcome": "mended", "note": "sum", "sats": -1}),
        ("incidents", 422, {**BEGUN, "failure": "boredom"}),
        ("incidents", 422, {**BEGUN, "note": long}),
        ("incidents", 422, {**BEGUN, "evidence": {}}),
        ("runbook/signoffs", 422, {"role": "lamassu", "name": "Eva"}),
        ("runbook/signoffs", 422, {"role": "owner", "name": " "}),
        ("runbook/changes", 422, {"name": "Eva", "note": ""}),
    ):
        said = await operator.api("POST", path, expect=status, json=body)
        assert said["hint"], (path, body)
    for body in ({"phone": "5" * 41}, {"name": "a\nb"}, {"above_sats": -1}):
        await operator.api("PUT", "runbook/contacts/owner", expect=422, json=body)
    assert await picture() == before


async def test_a_phase_is_recorded_once_whoever_is_faster(operator: Operator) -> None:
    one = await begun(operator)
    answers = await asyncio.gather(
        *(operator.http.post(f"{BASE}/incidents/{one}/phases", json={"phase": 1}) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    key = {"Idempotency-Key": f"note-{one}"}
    for _ in range(2):
        body = {"note": "called the host"}
        await operator.api("POST", f"incidents/{one}/notes", json=body, headers=key)
    kinds = [row["kind"] for row in (await stored())["incident_entries"]]
    assert sorted(kinds) == ["note", "opened", "phase"]


async def test_entries_are_never_changed(operator: Operator) -> None:
    """By the product's own way or past it: what is written stays (C2 I9)."""
    one = await begun(operator)
    before = await stored()
    await operator.api("POST", f"incidents/{one}/phases", json={"phase": 1})
    body = {"outcome": "false_alarm", "note": "a cable"}
    await operator.api("POST", f"incidents/{one}/close", json=body)
    await operator.api("POST", "runbook/signoffs", json={"role": "owner", "name": "Eva"})
    after = await stored()
    for table, rows in before.items():
        assert [row for row in after[table] if row in rows] == rows, table
    for step, late in (("notes", {"note": "later"}), ("phases", {"phase": 2}), ("close", body)):
        said = await operator.api("POST", f"incidents/{one}/{step}", expect=409, json=late)
        assert "closed" in said["detail"]
    for table in TABLES:
        for words in (f"UPDATE {SCHEMA}.{table} SET id = id", f"DELETE FROM {SCHEMA}.{table}"):
            with pytest.raises(Exception, match="append-only"):
                await change(words)
    assert await stored() == after


async def test_contacts_changes_and_signatures(operator: Operator) -> None:
    eva = {"name": "Eva", "email": "eva@shop.example", "phone": "+502 555", "available": "always"}
    body = {**eva, "above_sats": 500_000, "after_minutes": 120}
    saved = await operator.api("PUT", "runbook/contacts/owner", json=body)
    assert saved.pop("updated_at")
    assert saved == {"role": "owner", **body}
    again = await operator.api("PUT", "runbook/contacts/owner", json={**eva, "phone": "+502 666"})
    assert (again["phone"], again["above_sats"]) == ("+502 666", None)
    found = await operator.api(
        "POST", "runbook/changes", json={"name": "Eva", "note": "a new number"}
    )
    roles = [row["role"] for row in found["contacts"]]
    assert roles == ["operator", "technical", "owner", "lamassu", "infrastructure", "accountant"]
    assert [row["note"] for row in found["changes"]] == ["a new number"]
    log = await fetch(f"SELECT detail FROM {SCHEMA}.audit_log WHERE action = 'contact_saved'")
    assert "555" not in str(log), "the trail forgets nothing: no numbers of people in it"


async def test_a_quarter_later_it_is_to_be_read_again(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh machine is not nagged; one that was signed or works is (SAT-61)."""
    await change(f"DELETE FROM {SCHEMA}.meta WHERE name = 'setup_armed'")
    pass_time(monkeypatch, timedelta(days=93))
    await watch.look()
    assert "runbook_review" not in await open_alerts(operator)
    await operator.api("POST", "runbook/signoffs", json={"role": "operator", "name": "Ana"})
    review = (await operator.api("GET", "runbook"))["review"]
    assert (review["late"], review["due_at"] is not None) == (False, True)
    pass_time(monkeypatch, timedelta(days=93 + 92, seconds=60))
    await watch.look()
    (alert,) = (await open_alerts(operator))["runbook_review"]
    assert alert["severity"] == "warning"
    needs = {need["kind"]: need for need in (await operator.api("GET", "needs"))["data"]}
    assert needs["runbook_review"]["act"] == "runbook"
    assert (await operator.api("GET", "runbook"))["review"]["late"]
    await operator.api("POST", "runbook/signoffs", json={"role": "owner", "name": "Eva"})
    await watch.look()
    assert "runbook_review" not in await open_alerts(operator)


async def test_the_evidence_has_the_incidents(operator: Operator) -> None:
    one = await begun(operator)
    answer = await operator.http.get(f"{BASE}/exports/evidence.zip")
    with ZipFile(BytesIO(answer.content)) as archive:
        found = {name.split("/")[-1]: archive.read(name).decode() for name in archive.namelist()}
    assert one in found["incidents.csv"]
    assert f"{one}:opened" in found["incident_entries.csv"]
    assert {"runbook_contacts.csv", "runbook_log.csv"} <= set(found)


async def test_what_a_restore_needs_to_know(operator: Operator) -> None:
    found = (await operator.api("GET", "runbook"))["backup"]
    assert len(found["parts"]) == 3
    assert found["schema_version"] == SCHEMA_VERSION
    assert found["restored_at"] is None
    assert found["audit_seq"] > 0
