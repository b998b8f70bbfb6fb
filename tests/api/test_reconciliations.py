"""The routes of reconciliations and findings, and when a run is due."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import datetime, timezone
from typing import Any

import pytest
from satmachineadmin import crud, tasks
from satmachineadmin.dev import sample_rows
from satmachineadmin.services import gates, reconcile_schedule
from support.damage import damaged
from support.operator import BASE, Operator, ago
from support.trouble import open_alerts, pass_time

S = "satoshimachine"


async def ended(operator: Operator, run_id: str) -> dict[str, Any]:
    for _ in range(400):
        run: dict[str, Any] = await operator.api("GET", f"reconciliations/{run_id}")
        if run["status"] not in ("queued", "running"):
            return run
        await asyncio.sleep(0.05)
    raise TimeoutError(run)


async def test_from_a_finding_to_its_sides_and_a_note(operator: Operator) -> None:
    client = await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale(fiat=100 * n) for n in (1, 2, 3)])
    await operator.poll()
    assert (await operator.api("GET", "health"))["reconciliation"] is None
    share = (await crud.fetch_rows(f"SELECT id, cash_out_id FROM {S}.dca_payments LIMIT 1"))[0]
    off = f"UPDATE {S}.dca_payments SET amount_sats = amount_sats + 1 WHERE id = '{share['id']}'"
    await damaged(off)
    started = await operator.api("POST", "reconciliations", expect=202)
    assert started["status"] in ("queued", "running")
    run = await ended(operator, started["id"])
    assert (run["total"], run["matches"], run["mismatches"]) == (3 + 0, 2, 1)
    assert run["mismatches_by_link"] == {"shares": 1}
    items = await operator.api("GET", f"reconciliations/{run['id']}/items?verdict=mismatch")
    assert [row["code"] for row in items["data"]] == ["share_differs"]

    page = await operator.api("GET", "findings?status=open")
    (finding,) = page["data"]
    assert (finding["client_id"], finding["difference_sats"]) == (client, 1)
    assert finding["mend"][-1] == "acknowledge"
    sides = await operator.api("GET", f"transactions/{share['cash_out_id']}/sides")
    assert sides["verdict"] == "mismatch"
    assert sides["first_difference"]["link"] == "shares"
    marked = {one["link"]: one["verdict"] for one in sides["links"]}
    assert (marked["source"], marked["plan"], marked["shares"]) == ("match", "match", "mismatch")
    assert {row["typename"] for row in sides["wallet_rows"]} == {
        "IncomingPayment",
        "OutgoingPayment",
    }
    file = await operator.http.get(f"{BASE}/exports/findings.csv?status=open")
    lines = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert [line["finding_id"] for line in lines][:1] == [finding["id"]]
    assert lines[0]["difference_sats"] == "1"
    health = await operator.api("GET", "health")
    assert (health["status"], health["findings"]["open"]) == ("attention", 1)
    assert health["reconciliation"]["mismatches"] == 1
    assert health["reconciliation_mismatches_total"] >= 1
    assert "reconciliation_mismatch" in await open_alerts(operator)

    path = f"findings/{finding['id']}"
    await operator.api("POST", f"{path}/notes", json={"note": "asked"}, expect=200)
    known = await operator.api("POST", f"{path}/acknowledge", json={"note": "it was me"})
    assert known["status"] == "acknowledged"
    assert [note["kind"] for note in known["notes"]] == ["raised", "note", "acknowledged"]
    await operator.api("POST", f"{path}/acknowledge", json={"note": "again"}, expect=409)
    await damaged(off.replace("+ 1", "- 1"))
    body = {"kind": "cash_out", "cash_out": share["cash_out_id"]}
    again = await operator.api("POST", "reconciliations", json=body)
    assert (await ended(operator, again["id"]))["matches"] == 1
    assert (await operator.api("GET", path))["resolution"] == "resolved by itself"
    assert "reconciliation_mismatch" not in await open_alerts(operator)
    for narrow in (
        {"kind": "client", "client": client},
        {"kind": "machine", "machine": sample_rows.MACHINE},
        {"kind": "dates", "from_day": f"{ago(days=1):%Y-%m-%d}"},
        {"kind": "since_last", "page_rows": 5000},
    ):
        begun = await operator.api("POST", "reconciliations", json=narrow)
        found = await ended(operator, begun["id"])
        assert (found["status"], found["mismatches"], found["errors"]) == ("done", 0, 0), narrow


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "client"},
        {"kind": "nothing"},
        {"kind": "cash_out", "cash_out": "a\nb"},
        {"kind": "everything", "more": 1},
    ],
)
async def test_a_scope_that_is_none_is_refused(operator: Operator, body: dict[str, Any]) -> None:
    await operator.api("POST", "reconciliations", json=body, expect=422)
    assert (await operator.api("GET", "reconciliations"))["total"] == 0


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def test_the_last_slot() -> None:
    slot = reconcile_schedule.last_slot
    now = at("2026-11-20T00:29:00")  # a Friday
    assert slot(now, 0) == at("2026-11-20T00:00:00")
    assert slot(now, 30) == at("2026-11-19T00:30:00")
    assert slot(now, 0, weekday=6) == at("2026-11-15T00:00:00")
    assert slot(now, 30, weekday=4) == at("2026-11-13T00:30:00")


async def kinds() -> list[tuple[str, str, str]]:
    rows = await crud.fetch_rows(
        f"SELECT cause, kind, status FROM {S}.reconciliation_runs ORDER BY queued_us LIMIT 99"
    )
    return [(row["cause"], row["kind"], row["status"]) for row in rows]


async def test_daily_weekly_after_a_restore_and_an_upgrade(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = at("2026-11-19T10:00:00") - datetime.now(timezone.utc)  # a Thursday
    pass_time(monkeypatch, moment)
    await tasks.reconciling()
    first = ("timer", "everything", "done")
    assert await kinds() == [first]
    await tasks.reconciling()
    assert await kinds() == [first]
    pass_time(monkeypatch, moment + (at("2026-11-20T00:01:00") - at("2026-11-19T10:00:00")))
    await tasks.reconciling()
    daily = ("timer", "since_last", "done")
    assert await kinds() == [first, daily]
    # LNbits was down for days: the weekly one that was missed is done once.
    pass_time(monkeypatch, moment + (at("2026-11-24T12:00:00") - at("2026-11-19T10:00:00")))
    await tasks.reconciling()
    await tasks.reconciling()
    assert await kinds() == [first, daily, first]
    await gates.close_gate("restore", "a test", "none", {})
    await operator.api("POST", "resume/restore", json={"reason": "looked"})
    await tasks.reconciling()
    assert (await kinds())[3:] == [("restore", "everything", "done")]
    monkeypatch.setattr(reconcile_schedule, "SCHEMA_VERSION", 999)
    await tasks.reconciling()
    assert (await kinds())[4:] == [("upgrade", "everything", "done")]
    monkeypatch.undo()
    await operator.api("PUT", "settings", json={"reconcile_minute_utc": 1440}, expect=422)
