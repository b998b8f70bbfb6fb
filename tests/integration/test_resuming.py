"""The way back to work: each step only after the one before it, and every one on record."""

from __future__ import annotations

import asyncio
from typing import Any

from satmachineadmin import tasks
from satmachineadmin.dev import sample_rows
from satmachineadmin.errors import InvariantViolation
from satmachineadmin.services import gates, resuming
from support.operator import Operator

BASE = "resuming"


async def step(operator: Operator, name: str, expect: int | None = None, **body: Any) -> Any:
    more = {"json": body} if body else {}
    return await operator.api("POST", f"{BASE}/{name}", expect=expect, **more)


async def reconciled(operator: Operator) -> dict[str, Any]:
    for _ in range(400):
        found: dict[str, Any] = await operator.api("GET", BASE)
        if found["run"] and found["run"]["status"] not in ("queued", "running"):
            return found
        await asyncio.sleep(0.05)
    raise TimeoutError(found)


async def test_from_a_halt_back_to_automatic_work(operator: Operator) -> None:
    """SAT-28: between the steps nothing is paid by itself."""
    await operator.add_client("30000")
    await gates.halt(InvariantViolation("a sum does not hold"))
    body = {"scope": "everything", "reason": "look first"}
    await operator.api("POST", "halts", json=body)
    sales = [sample_rows.sale(fiat=100) for _ in range(3)]
    await operator.lamassu.insert(sales)
    for name in ("settle", "reconcile", "automatic"):
        assert (await step(operator, name, expect=409))["code"] == "STATE_CONFLICT"
    assert (await operator.api("GET", BASE))["needed"] is True

    await operator.lamassu.stop_ssh()
    red = await step(operator, "begin", expect=409, reason="the sum was mended")
    assert "Not green yet: ssh" in red["detail"]
    assert (await operator.api("GET", "halts"))["active"]
    await operator.lamassu.start_ssh()
    begun = await step(operator, "begin", reason="the sum was mended")
    assert (begun["step"], begun["needed"]) == ("by_hand", False)
    assert (await operator.api("GET", "halts"))["active"] == []
    assert not await gates.gate_states()

    await tasks.tick("timer")
    assert (await operator.api("GET", "status"))["cash_outs"]["pending"] == 3
    settled = await step(operator, "settle")
    assert settled["settled"] == sales[0]["id"]
    assert (await step(operator, "settle", expect=409))["code"] == "STATE_CONFLICT"
    await tasks.tick("timer")
    assert (await operator.api("GET", "status"))["cash_outs"]["pending"] == 2
    refused = await step(operator, "automatic", expect=409)
    assert "has not ended" in refused["detail"]
    await step(operator, "reconcile")
    assert (await reconciled(operator))["run"]["mismatches"] == 0
    await operator.api("PUT", "polling", json={"enabled": False})
    done = await step(operator, "automatic")
    assert (done["step"], done["watched_until"] is not None) == (None, True)
    await operator.poll()
    assert (await operator.api("GET", "status"))["cash_outs"]["completed"] == 3

    trail = await operator.api("GET", "audit?limit=100")
    actions = [entry["action"] for entry in trail["data"]]
    assert actions.count("resuming") == 3
    assert {"resumed", "halt_opened", "halt_lifted"} <= set(actions)


async def test_a_new_halt_ends_it_and_nothing_waits_is_fine(operator: Operator) -> None:
    await operator.add_client()
    assert (
        "Nothing is stopped" in (await step(operator, "begin", expect=409, reason="why"))["detail"]
    )
    halt = {"scope": "settlement", "reason": "look first"}
    await operator.api("POST", "halts", json=halt)
    await step(operator, "begin", reason="all is well")
    settled = await step(operator, "settle")
    assert (settled["settled"], settled["step"]) == (None, "reconcile")
    await operator.api("POST", "halts", json={**halt, "reason": "again"})
    assert (await operator.api("GET", BASE))["step"] is None
    assert (await step(operator, "reconcile", expect=409))["code"] == "STATE_CONFLICT"
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    await operator.poll()
    assert (await operator.api("GET", "status"))["cash_outs"]["pending"] == 1


async def test_the_poll_button_says_that_work_is_being_resumed(operator: Operator) -> None:
    await operator.add_client()
    await operator.api("POST", "halts", json={"scope": "settlement", "reason": "look"})
    await step(operator, "begin", reason="all is well")
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    await operator.poll()
    assert (await operator.api("GET", "status"))["cash_outs"]["pending"] == 1
    assert resuming.WATCH_US == 24 * 3_600 * 1_000_000


async def test_the_switch_is_a_switch_only_where_a_person_stopped_it(operator: Operator) -> None:
    """SAT-28: what stopped by itself goes the guided way; a person's stop needs none."""
    on = {"enabled": True}
    await operator.add_client()
    await operator.api("PUT", "polling", json={"enabled": False})
    await operator.api("POST", "halts", json={"scope": "intake", "reason": "a look at it"})
    await operator.api("PUT", "polling", json=on)
    await operator.api("PUT", "polling", json={"enabled": False})
    await gates.halt(InvariantViolation("a sum does not hold"))
    config = operator.connection(polling_enabled=True)
    for method, path, body in (("PUT", "polling", on), ("POST", "config", config)):
        refused = await operator.api(method, path, expect=409, json=body)
        assert refused["detail"] == "Work stopped by itself: a sum does not hold"
        assert "Setup, Health" in refused["hint"]
    assert (await operator.api("GET", "status"))["polling_enabled"] is False
    await operator.api("PUT", "polling", json={"enabled": False})
    halt = (await operator.api("GET", "halts"))["active"][0]
    await operator.api("POST", f"halts/{halt['id']}/lift", json={"reason": "well"})
    await operator.resume()
    await operator.api("PUT", "polling", json={"enabled": False})
    await operator.api("PUT", "polling", json=on)
