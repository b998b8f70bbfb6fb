"""What is done by the clock: due, missed, in the way of nobody, and what it leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from satmachineadmin import clock, crud
from satmachineadmin.dev import sample_rows
from satmachineadmin.services import reconcile, resuming, schedules
from support.operator import Operator
from support.trouble import pass_time


async def by_name(operator: Operator) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in (await operator.api("GET", "schedules"))["data"]}


async def test_due_once_also_after_weeks_and_never_during_a_tick(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAT-46, SAT-58: missed ones are done once."""
    assert await crud.take_lease("tick", "somebody", clock.now_us(), clock.now_us() + 10**9)
    assert await schedules.run_due() == []
    await crud.give_lease("tick", "somebody")
    assert await schedules.run_due() == ["health", "weekly"]
    assert await schedules.run_due() == []
    pass_time(monkeypatch, timedelta(hours=1, minutes=59))
    assert "health" not in await schedules.run_due()  # on a Saturday night, Sunday has begun by now
    pass_time(monkeypatch, timedelta(hours=2, minutes=1))
    assert "health" in await schedules.run_due()
    pass_time(monkeypatch, timedelta(days=30))
    assert await schedules.run_due() == ["health", "weekly"]
    assert await schedules.run_due() == []
    found = await by_name(operator)
    assert set(found) == {"reconciliation", "health", "weekly"}
    assert found["health"]["next_at"] > found["health"]["last_at"]
    assert found["weekly"]["next_at"] > found["weekly"]["last_at"]


async def test_a_day_of_closer_watch(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """SAT-28: every 30 minutes, and a reconciliation after every third cash-out."""
    await operator.add_client("30000")
    await schedules.run_due()
    now_us = clock.now_us()
    until = {"from_us": now_us, "until_us": now_us + resuming.WATCH_US}
    await crud.set_meta(resuming.META_WATCH, until)
    for expected in ([], [], ["reconciliation"]):
        await operator.lamassu.insert([sample_rows.sale(fiat=100)])
        await operator.poll()
        assert await schedules.run_due() == expected
    await reconcile.work_off()
    assert await schedules.run_due() == []
    pass_time(monkeypatch, timedelta(minutes=31))
    assert await schedules.run_due() == ["health"]
    pass_time(monkeypatch, timedelta(hours=25))
    await schedules.run_due()
    pass_time(monkeypatch, timedelta(hours=26))
    assert await schedules.run_due() == []


async def test_the_weekly_audit_has_its_eight_items_and_stays(operator: Operator) -> None:
    """SAT-58."""
    await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    await operator.poll()
    made = await operator.api("POST", "weekly-reports", expect=201)
    states = {item["name"]: item["state"] for item in made["items"]}
    assert [item["number"] for item in made["items"]] == list(range(1, 9))
    assert set(states.values()) == {"ok"}, states
    assert (await operator.api("GET", f"weekly-reports/{made['id']}")) == made
    listed = await operator.api("GET", "weekly-reports")
    assert (listed["total"], listed["data"][0]["state"]) == (1, "ok")
    base = "/satmachineadmin/api/v1/dca/weekly-reports"
    file = await operator.http.get(f"{base}/{made['id']}/file")
    assert file.json() == made
    assert "attachment" in file.headers["Content-Disposition"]
    await operator.api("GET", "weekly-reports/nosuch", expect=404)
