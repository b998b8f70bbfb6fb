"""Health: every check with its state, since when, and the next step; and what changes each."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from satmachineadmin import clock
from satmachineadmin.adapters import disk
from satmachineadmin.dev import sample_rows
from satmachineadmin.models_reconciliation import Scope, ScopeKind
from satmachineadmin.services import health, health_said, health_source, reconcile
from support.damage import damaged
from support.machine import change, picture
from support.operator import Operator
from support.trouble import delete_wallet, open_alerts, pass_time, refused_poll

S = "satoshimachine"
NAMES = {
    *("heartbeat", "ssh", "host_key", "database", "clock", "last_sale", "unsettled", "held"),
    *("source_wallet", "commission_wallet", "runway", "reconciliation", "audit_chain", "trial"),
    *("lnbits", "schema", "disk", "database_size", "halts"),
}


async def checks(operator: Operator, *, look: bool = False) -> dict[str, dict[str, Any]]:
    """By name; `look`: look for real and store."""
    path, method = ("health/check", "POST") if look else ("health", "GET")
    answer = await operator.api(method, path)
    for check in answer["checks"]:
        assert check["detail"] == of_code(check), check
    return {check["name"]: check for check in answer["checks"]}


def of_code(check: dict[str, Any]) -> str:
    """The sentence that the page of an English reader makes of the code and its facts."""
    if check["code"] in health_said.SAID:
        return health_said.SAID[check["code"]][0].format(**check["facts"])
    assert check["code"].split(".")[0] in (health_said.ERROR, health_said.GATE)
    return str(check["facts"]["message"])


async def test_all_is_well_after_a_look_and_a_get_changes_nothing(operator: Operator) -> None:
    await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    await operator.poll()
    await reconcile.run_now(Scope(ScopeKind.EVERYTHING))
    before = await picture()
    unlooked = await operator.api("GET", "health")
    assert await picture() == before
    assert unlooked["checked_at"] is None
    found = await checks(operator, look=True)
    assert set(found) >= NAMES
    # The role of the embedded Lamassu, and the disk of whoever runs this, are their own matter.
    bad = {n: c for n, c in found.items() if c["state"] in ("bad", "unknown") and n != "disk"}
    assert not bad
    assert all(check["since"] for check in found.values())
    assert (await operator.api("GET", "health"))["checked_at"]


async def test_a_state_keeps_its_moment_until_it_changes(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`since` is stored: it is the moment of the change, not of the last look."""
    room = SimpleNamespace(free_bytes=10**12, total_bytes=10**13)
    monkeypatch.setattr(disk, "room", lambda: room)
    first = (await checks(operator, look=True))["disk"]
    pass_time(monkeypatch, timedelta(hours=3))
    assert (await checks(operator, look=True))["disk"] == first
    room.free_bytes = 10**9
    worse = (await checks(operator, look=True))["disk"]
    assert (worse["state"], worse["since"] > first["since"]) == ("warn", True)
    room.free_bytes = 10**8
    await checks(operator, look=True)
    (alert,) = (await open_alerts(operator))["health"]
    assert ("disk" in alert["message"], alert["hint"]) == (True, "Make room on LNbits' disk.")
    room.free_bytes = 10**12
    await checks(operator, look=True)
    assert "health" not in await open_alerts(operator)


async def test_a_quiet_machine_is_no_fault_and_a_silent_poller_is(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heartbeat is the poll's, not the sale's (C-SAT-g, SAT-5)."""
    await operator.poll()
    found = await checks(operator)
    assert (found["heartbeat"]["state"], found["last_sale"]["state"]) == ("ok", "ok")
    pass_time(monkeypatch, timedelta(seconds=659))
    assert (await checks(operator))["heartbeat"]["state"] == "ok"
    pass_time(monkeypatch, timedelta(seconds=664))  # two intervals and a minute
    assert (await checks(operator))["heartbeat"]["state"] == "warn"
    pass_time(monkeypatch, timedelta(hours=25))
    late = (await checks(operator))["heartbeat"]
    assert (late["state"], late["hint"][:8]) == ("bad", "Poll now")


async def test_the_way_to_the_server_by_the_last_poll_and_by_a_real_look(
    operator: Operator,
) -> None:
    await operator.poll()
    await operator.lamassu.stop_ssh()
    await refused_poll(operator)
    found = await checks(operator)
    assert (found["ssh"]["state"], found["database"]["state"]) == ("bad", "unknown")
    await operator.lamassu.start_ssh()
    found = await checks(operator, look=True)
    assert found["ssh"]["state"] == "ok"
    assert found["database"]["state"] in ("ok", "warn")
    await operator.lamassu.rotate_host_key()
    await refused_poll(operator)
    found = await checks(operator)
    assert (found["host_key"]["state"], found["ssh"]["state"]) == ("bad", "bad")
    assert found["database"]["state"] == "unknown"


async def test_what_waits_is_warned_of_and_gets_bad_with_age(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share that cannot arrive alerts, and stops nobody (SAT-44)."""
    client = await operator.add_client()
    await delete_wallet(operator.wallets[client])
    odd = sample_rows.sale(fiat=100, commission_percentage="1.5")
    await operator.lamassu.insert([sample_rows.sale(fiat=100), odd])
    await operator.poll()
    found = await checks(operator)
    assert (found["unsettled"]["state"], found["held"]["state"]) == ("warn", "warn")
    assert "0 cash-outs and 1 shares" in found["unsettled"]["detail"]
    pass_time(monkeypatch, timedelta(minutes=16))
    found = await checks(operator)
    assert (found["unsettled"]["state"], found["held"]["state"]) == ("bad", "warn")
    pass_time(monkeypatch, timedelta(hours=25))
    assert (await checks(operator))["held"]["state"] == "bad"


async def test_wallets_clock_and_books(operator: Operator) -> None:
    await operator.poll()
    await change(f"UPDATE {S}.meta SET value = '61000000' WHERE name = 'clock_difference_us'")
    await delete_wallet(operator.commission_wallet)
    found = await checks(operator, look=True)
    assert (found["clock"]["state"], found["commission_wallet"]["state"]) == ("warn", "bad")
    assert (found["source_wallet"]["state"], found["runway"]["state"]) == ("ok", "ok")
    await delete_wallet(operator.source_wallet)
    assert (await checks(operator))["source_wallet"]["state"] == "bad"
    await damaged(f"UPDATE {S}.audit_log SET actor = 'nobody' WHERE seq = 1")
    found = await checks(operator, look=True)
    assert (found["audit_chain"]["state"], "Entry 1" in found["audit_chain"]["detail"]) == (
        "bad",
        True,
    )


async def test_what_cannot_be_read_is_unknown_and_stops_no_other_check(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "room", gone)
    found = await checks(operator)
    assert (found["disk"]["state"], found["schema"]["state"]) == ("unknown", "ok")
    assert health.worst(["ok", "unknown"]) == "unknown"
    assert health.worst(["ok", "bad", "unknown"]) == "bad"


def test_how_long() -> None:
    minute, hour = health_source.MINUTE_US, health_source.HOUR_US
    assert [health_source.span(us) for us in (-5, minute, hour + minute, 25 * hour)] == [
        *("0 min", "1 min", "1 h 1 min", "1 d 1 h"),
    ]
    assert clock.now_us() > 0
