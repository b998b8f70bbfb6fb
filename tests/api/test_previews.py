"""What moves money is shown to the sat, then done exactly so, once, or not at all."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from satmachineadmin.dev import sample_rows
from support.lnbits_app import make_wallet
from support.machine import change, fetch, picture
from support.operator import BASE, LONG_AGO, Operator, ago

Shown = dict[str, Any]


async def look(operator: Operator, action: str, expect: int = 200, **given: Any) -> Shown:
    """Ask for a preview."""
    body = {"action": action, **given}
    answer: Shown = await operator.api("POST", "previews", expect=expect, json=body)
    return answer


async def do(
    operator: Operator, shown: Shown, expect: int = 200, typed: int | None = None
) -> dict[str, Any]:
    """Execute it."""
    answer: dict[str, Any] = await operator.api(
        "POST",
        f"previews/{shown['preview_id']}/execute",
        expect=expect,
        json={"typed_amount_sats": typed},
    )
    return answer


async def wallet_sats() -> Counter[str]:
    """What every wallet of this LNbits holds."""
    from lnbits.core.db import db as core_db

    rows = await core_db.fetchall(
        "SELECT wallet_id, SUM(amount) AS msat FROM apipayments GROUP BY 1"
    )
    return Counter({row["wallet_id"]: int(row["msat"]) // 1000 for row in rows})


def moved_by(legs: list[dict[str, Any]]) -> Counter[str]:
    """What these legs change in each wallet."""
    changes: Counter[str] = Counter()
    for leg in legs:
        changes[leg["to_wallet_id"]] += leg["sats"]
        if leg["from_wallet_id"]:
            changes[leg["from_wallet_id"]] -= leg["sats"]
    return changes


def differences(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """Per wallet that changed: by how much."""
    found = {name: after[name] - before[name] for name in before.keys() | after.keys()}
    return {name: sats for name, sats in found.items() if sats}


async def books() -> dict[str, list[str]]:
    """All tables but the previews' own, and the entries that say who looked."""
    found = await picture()
    del found["previews"]
    looks = "('action', 'preview_shown')"
    found["audit_log"] = [entry for entry in found["audit_log"] if looks not in entry]
    return found


async def lose_wallet(wallet_id: str) -> None:
    """Its owner deletes a wallet."""
    from lnbits.core.db import db as core_db

    await core_db.execute("UPDATE wallets SET deleted = true WHERE id = :id", {"id": wallet_id})


async def failed_share(operator: Operator) -> tuple[str, str, str]:
    """A settled sale whose only share and whose commission failed: share, cash-out, client."""
    client = await operator.add_client()
    await lose_wallet(operator.wallets[client])
    await lose_wallet(operator.commission_wallet)
    row = sample_rows.sale(fiat=1000)
    await operator.lamassu.insert([row])
    await operator.poll()
    share = (await operator.shares(row["id"]))[0]
    assert share["status"] == "failed"
    return share["id"], share["cash_out_id"], client


async def mend(operator: Operator, client: str) -> None:
    """New wallets for both."""
    user = (await operator.api("GET", f"clients/{client}"))["user_id"]
    wallet, commission = await make_wallet("new", user), await make_wallet("commission")
    await operator.api("PUT", f"clients/{client}", json={"wallet_id": wallet})
    config = (await operator.api("GET", "config"))["id"]
    operator.commission_wallet = commission
    await operator.api("PUT", f"config/{config}", json=operator.connection())
    operator.wallets[client] = wallet


def check_sums(shown: Shown) -> None:
    """Legs, cash-outs and totals say the same."""
    totals, legs = shown["totals"], shown["legs"]
    settled = [one for one in shown["cash_outs"] if one["outcome"] == "settled"]
    for one in settled:
        assert one["total_sats"] == one["base_sats"] + one["commission_sats"]
        given = sum(share["sats"] for share in one["shares"])
        assert one["base_sats"] == given + one["operator_remainder_sats"]
    assert totals["settled"] == len(settled)
    assert totals["total_sats"] == sum(one["total_sats"] for one in settled)
    assert totals["shares_sats"] == sum(leg["sats"] for leg in legs if leg["kind"] == "share")
    sources = {leg["from_wallet_id"] for leg in legs if leg["from_wallet_id"]}
    sources |= {leg["to_wallet_id"] for leg in legs if not leg["from_wallet_id"]}
    change_sats = sum(moved_by(legs)[wallet] for wallet in sources)
    assert totals["source_wallet_change_sats"] == change_sats


async def random_world(operator: Operator, chance: random.Random) -> list[dict[str, Any]]:
    """Some clients, some deposits, some sales of every kind; returns the sales."""
    clients = []
    for _ in range(chance.randint(1, 5)):
        more: dict[str, Any] = {}
        if chance.random() < 0.4:
            more = {"dca_mode": "fixed", "fixed_mode_daily_limit": chance.randint(1, 900)}
        fiat = chance.choice(["0", "0.01", str(chance.randint(1, 4000))])
        clients.append(await operator.add_client(fiat, **more))
    if chance.random() < 0.4:
        await lose_wallet(operator.wallets[chance.choice(clients)])
    if chance.random() < 0.3:
        await operator.api("PUT", "settings", json={"settle_without_clients": True})
    if chance.random() < 0.3:
        rule = chance.choice(["margin", "ticker"])
        await operator.api("PUT", "settings", json={"split_rule": rule})
    sales = [
        sample_rows.sale(
            fiat=chance.randint(1, 2000),
            discount=chance.choice([None, 10, 100]),
            confirmed_at=ago(hours=chance.randint(1, 60), seconds=chance.random()),
        )
        for _ in range(chance.randint(1, 6))
    ]
    sales += [sample_rows.paid_not_dispensed(), sample_rows.fiat_zero()]
    await operator.lamassu.insert(sales)
    return sales


@pytest.mark.parametrize("seed", range(4))
async def test_a_poll_moves_exactly_the_legs_shown(operator: Operator, seed: int) -> None:
    chance = random.Random(seed)
    await random_world(operator, chance)
    if chance.random() < 0.5:  # something waits here already
        await change("UPDATE satoshimachine.lamassu_config SET source_wallet_id = NULL")
        await operator.http.post(f"{BASE}/manual-poll")
        await change(
            "UPDATE satoshimachine.lamassu_config SET source_wallet_id = :id",
            {"id": operator.source_wallet},
        )
    before = await books()
    shown = await look(operator, "poll")
    assert await books() == before
    check_sums(shown)
    sats = await wallet_sats()
    typed = shown["typed_amount_sats"]
    result = await do(operator, shown, typed=typed)
    after = await wallet_sats()
    assert differences(sats, after) == {k: v for k, v in moved_by(shown["legs"]).items() if v}
    assert result["done"], result
    for one in shown["cash_outs"]:
        now = await operator.cash_out(one["lamassu_transaction_id"])
        assert (now["status"], now["hold_code"]) == (one["status"], one["hold_code"])
        assert now["plan_hash"] == one["plan_hash"]
    once_more = await look(operator, "poll")
    assert (once_more["cash_outs"], once_more["legs"]) == ([], [])
    await operator.poll()
    assert await wallet_sats() == after


async def test_a_poll_with_nothing_new(operator: Operator) -> None:
    shown = await look(operator, "poll")
    assert (shown["cash_outs"], shown["legs"], shown["amount_sats"]) == ([], [], 0)
    await operator.lamassu.insert([sample_rows.sale()])
    assert (await do(operator, shown))["done"]
    assert not await wallet_sats()
    assert (await operator.api("GET", "status"))["last_poll"]["new_rows"] == 1


@pytest.mark.parametrize("seed", range(3))
async def test_processing_moves_exactly_the_legs_shown(operator: Operator, seed: int) -> None:
    chance = random.Random(100 + seed)
    sales = await random_world(operator, chance)
    await operator.add_client("500")
    wanted = chance.choice(sales)
    statement = {"reason": "seen", "fiat_amount": chance.randint(1, 300), "fiat_is_wrong": True}
    before = await books()
    shown = await look(operator, "process", lamassu_id=wanted["id"], statement=statement)
    assert await books() == before
    assert (len(shown["cash_outs"]), shown["can_execute"]) == (1, True)
    check_sums(shown)
    sats = await wallet_sats()
    await do(operator, shown, typed=shown["typed_amount_sats"])
    found = differences(sats, await wallet_sats())
    assert found == {k: v for k, v in moved_by(shown["legs"]).items() if v}
    assert (await operator.cash_out(wanted["id"]))["plan_hash"] == shown["cash_outs"][0][
        "plan_hash"
    ]


@pytest.mark.parametrize("action", ["poll", "process"])
async def test_executed_twice_it_pays_once(operator: Operator, action: str) -> None:
    await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    shown = await look(operator, action, **({"lamassu_id": row["id"]} if action != "poll" else {}))
    path = f"{BASE}/previews/{shown['preview_id']}/execute"
    answers = await asyncio.gather(*(operator.http.post(path) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    first = next(answer.json() for answer in answers if answer.status_code == 200)
    sats = await wallet_sats()
    assert differences(Counter(), sats) == {k: v for k, v in moved_by(shown["legs"]).items() if v}
    before = await picture()
    assert await do(operator, shown) == first
    assert await picture() == before
    done = [
        e
        for e in await fetch("SELECT * FROM satoshimachine.audit_log")
        if e["action"] == "preview_executed"
    ]
    assert [(e["subject"], e["actor"] != "system") for e in done] == [(shown["preview_id"], True)]


async def test_of_two_at_the_same_moment_one_executes(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have found it unused; the compare-and-set lets one through."""
    from satmachineadmin.services import preview

    await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale()])
    shown = await look(operator, "poll")
    both, arrived = asyncio.Event(), []

    async def wait_for_both() -> None:
        arrived.append(1)
        if len(arrived) == 2:
            both.set()
        await both.wait()

    monkeypatch.setattr(preview, "require_ready", wait_for_both)
    path = f"{BASE}/previews/{shown['preview_id']}/execute"
    answers = await asyncio.gather(*(operator.http.post(path) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_one_key_executes_once(operator: Operator) -> None:
    await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale()])
    shown = await look(operator, "poll")
    more = {"headers": {"Idempotency-Key": "a tap"}}
    path = f"previews/{shown['preview_id']}/execute"
    first = await operator.api("POST", path, **more)
    sats = await wallet_sats()
    assert await operator.api("POST", path, **more) == first
    assert await wallet_sats() == sats


async def pause(operator: Operator, client: str) -> None:
    await operator.api("PUT", f"clients/{client}", json={"status": "inactive"})


async def bring_cash(operator: Operator, client: str) -> None:
    await operator.deposit(client, "12.34")


async def lose(operator: Operator, client: str) -> None:
    await lose_wallet(operator.wallets[client])


async def another_rule(operator: Operator, _client: str) -> None:
    await operator.api("PUT", "settings", json={"split_rule": "margin"})


async def another_source(operator: Operator, _client: str) -> None:
    config = (await operator.api("GET", "config"))["id"]
    operator.source_wallet = await make_wallet("another")
    await operator.api("PUT", f"config/{config}", json=operator.connection())


CASES = [("process", happens) for happens in (pause, bring_cash, lose, another_source)]
CASES += [("poll", happens) for happens in (pause, another_rule)]


@pytest.mark.parametrize(
    ("action", "happens"), CASES, ids=[f"{action}-{one.__name__}" for action, one in CASES]
)
async def test_what_changed_since_is_refused(operator: Operator, action: str, happens: Any) -> None:
    client = await operator.add_client("300")
    await operator.add_client("700")
    rows = [sample_rows.sale(fiat=200, confirmed_at=ago(hours=h)) for h in (3, 2)]
    await operator.lamassu.insert(rows)
    given = {"lamassu_id": rows[0]["id"]} if action == "process" else {}
    shown = await look(operator, action, **given)
    await happens(operator, client)
    before, sats = await books(), await wallet_sats()
    if action == "process":
        answer = await do(operator, shown, 409)
        assert answer["code"] == "PREVIEW_OUTDATED"
        assert answer["hint"]
        assert await books() == before
    else:
        answer = await do(operator, shown)
        assert not answer["done"]
        assert [one["status"] for one in answer["cash_outs"]] == ["pending", "pending"]
    assert await wallet_sats() == sats
    await do(operator, await look(operator, action, **given))
    assert await wallet_sats() != sats


async def test_a_poll_pays_only_what_was_shown(operator: Operator) -> None:
    """What comes in meanwhile is taken in, and waits for the next poll."""
    await operator.add_client()
    shown_sale = sample_rows.sale(confirmed_at=ago(hours=2))
    await operator.lamassu.insert([shown_sale])
    shown = await look(operator, "poll")
    late = sample_rows.sale()
    await operator.lamassu.insert([late])
    assert (await do(operator, shown))["done"]
    assert (await operator.cash_out(shown_sale["id"]))["status"] == "completed"
    assert (await operator.cash_out(late["id"]))["status"] == "pending"
    assert (await operator.poll())["transactions_processed"] == 1


async def test_a_poll_does_not_retry_what_it_did_not_show(operator: Operator) -> None:
    share, _, client = await failed_share(operator)
    await mend(operator, client)
    await operator.lamassu.insert([sample_rows.sale(fiat=20)])
    shown = await look(operator, "poll")
    sats = await wallet_sats()
    await do(operator, shown)
    assert differences(sats, await wallet_sats()) == {
        k: v for k, v in moved_by(shown["legs"]).items() if v
    }
    rows = await fetch(
        "SELECT status FROM satoshimachine.dca_payments WHERE id = :id", {"id": share}
    )
    assert rows == [{"status": "failed"}]


@pytest.mark.parametrize("what", ["share", "commission"])
async def test_retrying_moves_exactly_the_leg_shown(operator: Operator, what: str) -> None:
    share, cash_out, client = await failed_share(operator)
    given = {"share_id": share} if what == "share" else {"cash_out_id": cash_out}
    before = await books()
    still = await look(operator, f"retry_{what}", **given)
    assert (still["can_execute"], still["legs"]) == (False, [])
    assert [remark["code"] for remark in still["remarks"]] == ["still_failed"]
    assert await books() == before
    assert (await do(operator, still, 409))["code"] == "STATE_CONFLICT"
    await mend(operator, client)
    before = await books()
    shown = await look(operator, f"retry_{what}", **given)
    assert await books() == before
    assert [leg["kind"] for leg in shown["legs"]] == [what]
    assert shown["amount_sats"] == shown["legs"][0]["sats"] > 0
    check_sums(shown)
    sats = await wallet_sats()
    await do(operator, shown)
    assert differences(sats, await wallet_sats()) == dict(moved_by(shown["legs"]))
    assert (await look(operator, f"retry_{what}", 409, **given))["code"] == "STATE_CONFLICT"


async def test_a_retry_to_another_wallet_than_shown_is_refused(operator: Operator) -> None:
    share, _, client = await failed_share(operator)
    await mend(operator, client)
    shown = await look(operator, "retry_share", share_id=share)
    await mend(operator, client)
    before = await books()
    assert (await do(operator, shown, 409))["code"] == "PREVIEW_OUTDATED"
    assert await books() == before


async def test_cancelling_and_skipping_move_no_wallet(operator: Operator) -> None:
    share, _, client = await failed_share(operator)
    held = sample_rows.fiat_zero()
    await operator.lamassu.insert([held])
    await operator.poll()
    row = await operator.cash_out(held["id"])
    before, sats = await books(), await wallet_sats()
    cancel = await look(operator, "cancel_share", share_id=share, reason="paid in cash")
    skip = await look(operator, "skip", cash_out_id=row["id"], reason="a test")
    assert await books() == before
    assert (cancel["legs"], skip["legs"]) == ([], [])
    assert cancel["amount_sats"] == cancel["cash_outs"][0]["shares"][0]["sats"] > 0
    assert skip["amount_sats"] == held["crypto_atoms"]
    remaining = await operator.remaining_minor(client)
    await do(operator, cancel)
    await do(operator, skip)
    assert await wallet_sats() == sats
    assert await operator.remaining_minor(client) == remaining + 100_000
    assert (await operator.cash_out(held["id"]))["status"] == "skipped"


async def test_a_large_sum_must_be_typed(operator: Operator) -> None:
    await operator.api("PUT", "settings", json={"typed_amount_above_sats": 1000})
    await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    shown = await look(operator, "poll")
    sum_sats = shown["totals"]["shares_sats"]
    assert shown["typed_amount_sats"] == shown["amount_sats"] == sum_sats > 1000
    for typed in (None, sum_sats - 1, 0):
        answer = await do(operator, shown, 422, typed)
        assert (answer["code"], answer["missing"]) == ("BAD_INPUT", ["typed_amount_sats"])
    assert not await wallet_sats()
    await do(operator, shown, typed=sum_sats)
    await operator.api("PUT", "settings", json={"typed_amount_above_sats": sum_sats})
    await operator.lamassu.insert([sample_rows.sale(fiat=10)])
    assert (await look(operator, "poll"))["typed_amount_sats"] is None


async def test_an_old_preview_is_refused(operator: Operator) -> None:
    await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale()])
    shown = await look(operator, "poll")
    await change("UPDATE satoshimachine.previews SET expires_us = expires_us - 600000001")
    before = await picture()
    assert (await do(operator, shown, 409))["code"] == "PREVIEW_OUTDATED"
    assert await picture() == before
    await change("UPDATE satoshimachine.previews SET expires_us = 1")
    await look(operator, "poll")
    assert (await do(operator, shown, 404))["code"] == "NOT_FOUND"


async def test_before_anything_is_armed_a_start_point_can_be_tried(operator: Operator) -> None:
    await operator.add_client()
    await operator.api("PUT", "polling", json={"enabled": False})
    await operator.api("PUT", "settings", json={"start_at": ago(hours=1).isoformat()})
    old, new = (sample_rows.sale(fiat=50, confirmed_at=ago(hours=h)) for h in (5, 2))
    await operator.lamassu.insert([old, new])
    assert (await look(operator, "poll", 409))["code"] == "POLLING_DISABLED"
    before = await picture()
    for start, wanted in ((ago(hours=6), [old, new]), (ago(hours=3), [new]), (ago(hours=1), [])):
        shown = await look(operator, "poll", start_at=start.isoformat())
        found = [one["lamassu_transaction_id"] for one in shown["cash_outs"]]
        assert found == [row["id"] for row in wanted]
        assert (shown["preview_id"], shown["can_execute"]) == (None, False)
        check_sums(shown)
    assert await picture() == before
    tomorrow = ago(days=-1).isoformat()
    assert (await look(operator, "poll", 422, start_at=tomorrow))["code"] == "BAD_INPUT"


async def test_a_long_list_is_planned_in_part_and_counted(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import observe, rehearsal

    monkeypatch.setattr(rehearsal, "PLANNED_MAX", 2)
    await operator.add_client()
    rows = [sample_rows.sale(fiat=20, confirmed_at=ago(hours=h)) for h in (6, 5, 4, 3, 2)]
    await operator.lamassu.insert(rows)
    shown = await look(operator, "poll")
    assert [one["lamassu_transaction_id"] for one in shown["cash_outs"]] == [
        rows[0]["id"],
        rows[1]["id"],
    ]
    assert (shown["totals"]["cash_outs"], shown["totals"]["waiting"]) == (5, 3)
    assert [remark["code"] for remark in shown["remarks"]] == ["more"]
    await do(operator, shown)
    states = [(await operator.cash_out(row["id"]))["status"] for row in rows]
    assert states == ["completed"] * 2 + ["pending"] * 3
    monkeypatch.setattr(observe, "ROWS_LOOKED_AT_MAX", 2)
    more = [sample_rows.sale(fiat=20, confirmed_at=ago(days=d)) for d in (4, 3, 2)]
    await operator.lamassu.insert(more)
    shown = await look(operator, "poll", start_at=LONG_AGO)
    assert [(r["code"], r.get("n")) for r in shown["remarks"]][-1] == ("not_read", 1)


async def test_what_must_wait_is_shown_with_its_reason(operator: Operator) -> None:
    await operator.api("PUT", "settings", json={"funding_ln": "prefunded"})
    await operator.add_client()
    rows = [sample_rows.sale(fiat=20, confirmed_at=ago(hours=h)) for h in (3, 2)]
    await operator.lamassu.insert(rows)
    shown = await look(operator, "poll")
    assert (shown["legs"], shown["totals"]["waiting"]) == ([], 2)
    assert "holds 0 sats" in shown["cash_outs"][0]["why"]
    assert [remark["code"] for remark in shown["remarks"]] == ["waits", "more"]


async def test_what_a_sale_needs_is_named_and_nothing_is_stored(operator: Operator) -> None:
    row = sample_rows.fiat_zero()
    await operator.lamassu.insert([row])
    before = await picture()
    answer = await look(operator, "process", 422, lamassu_id=row["id"])
    assert answer["missing"] == ["reason"]
    given = {"lamassu_id": row["id"], "statement": {"reason": "counted"}}
    answer = await look(operator, "process", 422, **given)
    assert answer["missing"] == ["fiat_amount", "fiat_is_wrong"]
    assert await picture() == before
    for action in ("process", "retry_share", "cancel_share", "retry_commission", "skip"):
        assert (await look(operator, action, 422))["missing"]
    assert (await look(operator, "everything", 422))["code"] == "BAD_INPUT"
    assert (await do(operator, {"preview_id": "nosuchid"}, 404))["code"] == "NOT_FOUND"


async def test_no_balance_is_held_and_pays_nothing(operator: Operator) -> None:
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    shown = await look(operator, "process", lamassu_id=row["id"])
    assert (shown["can_execute"], shown["cash_outs"][0]["hold_code"]) == (
        False,
        "no_client_balance",
    )
    shown = await look(operator, "poll")
    assert (shown["can_execute"], shown["legs"], shown["totals"]["held"]) == (True, [], 1)
    assert (await do(operator, shown))["done"]
    assert (await operator.cash_out(row["id"]))["hold_code"] == "no_client_balance"


async def test_a_settled_sale_is_not_paid_again(operator: Operator) -> None:
    await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    shown = await look(operator, "process", lamassu_id=row["id"])
    await operator.poll()
    sats = await wallet_sats()
    assert (await do(operator, shown, 409))["code"] == "PREVIEW_OUTDATED"
    again = await look(operator, "process", lamassu_id=row["id"])
    assert (again["can_execute"], again["legs"]) == (False, [])
    assert [remark["code"] for remark in again["remarks"]] == ["already_settled"]
    assert await wallet_sats() == sats


async def test_a_closed_gate_stops_previews_and_executions(operator: Operator) -> None:
    await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    shown = await look(operator, "process", lamassu_id=row["id"])
    from satmachineadmin.services.gates import close_gate

    await close_gate("halt", "stopped by a test", "resume it", {})
    assert (await look(operator, "poll", 503))["code"] == "NOT_READY"
    assert (await do(operator, shown, 503))["code"] == "NOT_READY"
    assert not await wallet_sats()
