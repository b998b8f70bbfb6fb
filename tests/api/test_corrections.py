"""Corrections: shown to the sat, done once, by entries only; the books stay right after each."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from satmachineadmin.adapters import ledger
from satmachineadmin.dev import sample_rows
from satmachineadmin.services.invariants import broken_promises
from support.lnbits_app import make_wallet, wallet_balance_sats
from support.machine import change, fetch, picture
from support.operator import Operator, ago
from support.trouble import delete_wallet

Shown = dict[str, Any]
WHY = {"reason_code": "other", "note": "found while counting"}


async def look(operator: Operator, action: str, expect: int = 200, **given: Any) -> Shown:
    body = {"action": action, **WHY, **given}
    answer: Shown = await operator.api("POST", "previews", expect=expect, json=body)
    return answer


async def execute(operator: Operator, shown: Shown, expect: int = 200, **typed: Any) -> Any:
    path = f"previews/{shown['preview_id']}/execute"
    sums = {name: shown.get(name) for name in ("typed_amount_sats", "typed_amount")}
    return await operator.api("POST", path, expect=expect, json={**sums, **typed})


async def correct(operator: Operator, action: str, **given: Any) -> Shown:
    """Look, do, and see that every promise holds."""
    shown = await look(operator, action, **given)
    assert shown["can_execute"], shown
    await execute(operator, shown)
    assert await broken_promises() == []
    return shown


async def corrections(operator: Operator, **asked: Any) -> list[dict[str, Any]]:
    page = await operator.api("GET", "corrections", params=asked)
    return list(page["data"])


async def held(account: str, unit: str = "sat") -> int:
    rows = await fetch(
        "SELECT balance FROM satoshimachine.ledger_balances WHERE account = :a AND unit = :u",
        {"a": account, "u": unit},
    )
    return int(rows[0]["balance"]) if rows else 0


async def sell(operator: Operator, fiat: int = 1000, **more: Any) -> str:
    row = sample_rows.sale(fiat=fiat, **more)
    await operator.lamassu.insert([row])
    await operator.poll()
    return str(row["id"])


async def sheet(operator: Operator, client: str) -> dict[str, Any]:
    answer: dict[str, Any] = await operator.api("GET", f"clients/{client}/sheet")
    return answer


def changes(shown: Shown) -> dict[str, tuple[Any, Any]]:
    return {one["code"]: (one["before"], one["after"]) for one in shown["changes"]}


async def test_a_balance_goes_up_and_down_and_never_below_zero(operator: Operator) -> None:
    client = await operator.add_client("100")
    shown = await correct(operator, "adjust_balance", client_id=client, amount="20.50")
    assert shown["amount"] == "+20.50 GTQ"
    assert changes(shown) == {"balance": ("100.00", "120.50")}
    await correct(operator, "adjust_balance", client_id=client, amount="-120.50")
    assert await operator.remaining_minor(client) == 0
    refused = await look(operator, "adjust_balance", 409, client_id=client, amount="-0.01")
    assert "has 0.00 GTQ left" in refused["detail"]
    assert "recovered from later shares" in refused["hint"]
    await look(operator, "adjust_balance", 422, client_id=client, amount="0.001")
    await look(operator, "adjust_balance", 422, client_id=client, amount="0")
    balance = (await operator.api("GET", f"clients/{client}/balance"))["balances"][0]
    assert (balance["total_deposits"], balance["adjusted"]) == ("100.00", "-100.00")
    assert balance["total_payments"] == "0.00"
    done = await corrections(operator, client_id=client)
    assert [one["amount"] for one in done] == ["-120.50", "20.50"]
    assert done[0]["before"] == {"balance": "120.50", "currency": "GTQ"}


async def test_a_corrected_balance_counts_from_its_moment_on(operator: Operator) -> None:
    """By the rule of deposits: what counts only after a sale takes no part in it."""
    late, early = await operator.add_client("0"), await operator.add_client("0")
    await correct(operator, "adjust_balance", client_id=late, amount="500")
    await correct(
        operator,
        "adjust_balance",
        client_id=early,
        amount="500",
        effective_at="2026-01-01T00:00:00Z",
    )
    lamassu_id = await sell(operator, 100, confirmed_at=ago(minutes=20))
    assert [share["client_id"] for share in await operator.shares(lamassu_id)] == [early]
    assert await operator.remaining_minor(late) == 50_000


async def test_what_was_paid_too_much_is_kept_of_later_shares(operator: Operator) -> None:
    client = await operator.add_client("10000")
    first = await sell(operator, 1000)
    full = (await operator.shares(first))[0]["amount_sats"]
    claimed = full + full // 4
    shown = await correct(
        operator, "recover_overpayment", client_id=client, sats=claimed, pace_percent=50
    )
    assert changes(shown) == {"owed": (0, claimed)}
    before = await held(ledger.OPERATOR)
    second = await sell(operator, 1000)
    share = (await operator.shares(second))[0]
    assert (share["amount_sats"], share["withheld_sats"]) == (full - full // 2, full // 2)
    assert share["fiat_minor"] == 100_000, "charged in full"
    assert await held(ledger.OPERATOR) == before + full // 2
    third = (await operator.shares(await sell(operator, 1000)))[0]
    fourth = (await operator.shares(await sell(operator, 1000)))[0]
    assert third["withheld_sats"] == full // 2
    assert fourth["withheld_sats"] == claimed - 2 * (full // 2)
    fifth = (await operator.shares(await sell(operator, 1000)))[0]
    assert (fifth["amount_sats"], fifth["withheld_sats"]) == (full, 0)
    found = await sheet(operator, client)
    assert found["claimed_back_sats"] == 0
    assert [one["sats"] for one in found["claim_entries"]][-1] == claimed
    told = await operator.api("GET", f"transactions/{second}/explanation")
    assert told["parts"][0]["withheld_sats"] == full // 2
    assert await broken_promises() == []


async def test_a_cancelled_share_gives_what_was_kept_of_it_back(operator: Operator) -> None:
    client = await operator.add_client("10000")
    await correct(operator, "recover_overpayment", client_id=client, sats=9000, pace_percent=10)
    await delete_wallet(operator.wallets.pop(client))
    lamassu_id = await sell(operator, 500)
    [share] = await operator.shares(lamassu_id)
    kept = share["withheld_sats"]
    assert (await sheet(operator, client))["claimed_back_sats"] == 9000 - kept
    shown = await correct(operator, "cancel_share", share_id=share["id"])
    assert shown["remarks"][0]["wallet_id"] == operator.source_wallet
    assert (await sheet(operator, client))["claimed_back_sats"] == 9000
    assert await operator.remaining_minor(client) == 1_000_000
    await correct(operator, "write_off", client_id=client, sats=1000)
    await correct(operator, "write_off", client_id=client)
    assert (await sheet(operator, client))["claimed_back_sats"] == 0
    refused = await look(operator, "write_off", 409, client_id=client)
    assert "owes 0 sats" in refused["detail"]


async def test_a_missing_share_is_paid_and_charged(operator: Operator) -> None:
    """Out of the operator's remainder: somebody's cash was written down too late."""
    forgotten = await operator.add_client("300", username="Ana")
    await operator.api("PUT", f"clients/{forgotten}", json={"status": "inactive"})
    await operator.add_client("700")
    lamassu_id = await sell(operator, 1000)
    remainder = await held(ledger.OPERATOR)
    shown = await correct(
        operator,
        "pay_missing",
        client_id=forgotten,
        cash_out_id=lamassu_id,
        sats=remainder,
        amount="300",
    )
    assert await wallet_balance_sats(operator.wallets[forgotten]) == remainder
    assert await operator.remaining_minor(forgotten) == 0
    [leg] = shown["legs"]
    assert leg["key"].startswith(f"{lamassu_id}:correction:")
    assert leg["to_whom"] == "Ana"
    assert changes(shown)["account_operator"] == (remainder, 0)
    more = {"client_id": forgotten, "cash_out_id": lamassu_id, "sats": 1}
    refused = await look(operator, "pay_missing", 409, **more)
    assert "0 sats are the operator's by the ledger" in refused["detail"]
    shown = await correct(operator, "pay_missing", account="commission", **more)
    assert shown["legs"][0]["from_wallet_id"] == operator.commission_wallet
    assert (await sheet(operator, forgotten))["corrected_sats"] == remainder + 1


async def test_a_share_whose_row_was_deleted_is_put_back(operator: Operator) -> None:
    client = await operator.add_client("1000")
    lamassu_id = await sell(operator, 100)
    before = await fetch("SELECT * FROM satoshimachine.dca_payments")
    await change("DELETE FROM satoshimachine.dca_payments")
    assert await broken_promises()
    shown = await correct(operator, "pay_missing", client_id=client, cash_out_id=lamassu_id)
    assert shown["legs"] == []
    after = await fetch("SELECT * FROM satoshimachine.dca_payments")
    names = set(before[0]) - {"id", "updated_us"}
    assert {n: after[0][n] for n in names} == {n: before[0][n] for n in names}


async def test_a_failed_share_goes_to_another_wallet(operator: Operator) -> None:
    client = await operator.add_client("1000")
    await delete_wallet(operator.wallets.pop(client))
    [share] = await operator.shares(await sell(operator, 100))
    wallet = await make_wallet("of a relative")
    shown = await correct(
        operator, "settle_to_wallet", share_id=share["id"], wallet_id=wallet, note="as they asked"
    )
    assert await wallet_balance_sats(wallet) == share["amount_sats"] == shown["amount_sats"]
    await look(operator, "settle_to_wallet", 409, share_id=share["id"], wallet_id=wallet)


async def test_a_batch_is_paid_as_a_whole_or_not_at_all(operator: Operator) -> None:
    clients = [await operator.add_client("100") for _ in range(4)]
    await sell(operator, 1000)
    operators = await held(ledger.OPERATOR)
    given = [{"client_id": one, "sats": 100 + n} for n, one in enumerate(clients)]
    shown = await look(operator, "compensate", clients=given)
    assert shown["amount_sats"] == 406
    assert len(shown["legs"]) == 4
    before = await picture()
    gone = sorted(clients)[-1]
    wallet = operator.wallets[gone]
    await delete_wallet(wallet)
    await execute(operator, shown, 409)
    after = await picture()
    for name in before.keys() - {"previews"}:
        assert after[name] == before[name], name
    await change("SELECT 1")
    await _undelete(wallet)
    await correct(operator, "compensate", clients=given)
    assert await held(ledger.OPERATOR) == operators - 406
    rows = await corrections(operator)
    assert len(rows) == 5, "one for each and one for the batch"
    assert len({one["batch_id"] for one in rows if one["client_id"]}) == 1
    too_many = [{"client_id": f"c{n}", "sats": 1} for n in range(201)]
    await look(operator, "compensate", 422, clients=too_many)
    await look(operator, "compensate", 422, clients=[given[0], given[0]])


async def _undelete(wallet: str) -> None:
    from lnbits.core.db import db as core_db

    await core_db.execute("UPDATE wallets SET deleted = false WHERE id = :id", {"id": wallet})


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM apipayments WHERE checking_id = :id",
        "UPDATE apipayments SET amount = amount - 1000 WHERE checking_id = :id",
        "UPDATE apipayments SET status = 'failed' WHERE checking_id = :id",
        "UPDATE apipayments SET payment_hash = 'x' WHERE checking_id = :id",
    ],
)
async def test_a_wallet_row_is_put_back_as_it_was(operator: Operator, damage: str) -> None:
    from lnbits.core.db import db as core_db

    client = await operator.add_client("1000")
    await sell(operator, 100)
    [leg] = await fetch("SELECT * FROM satoshimachine.settlement_legs WHERE kind = 'share'")
    facts = "SELECT checking_id, wallet_id, amount, fee, status, payment_hash, preimage, tag"
    query = f"{facts} FROM apipayments ORDER BY checking_id"
    before = [dict(row) for row in await core_db.fetchall(query)]
    refused = await look(operator, "restore_wallet_row", 409, leg_key=leg["leg_key"])
    assert "as they should be" in refused["detail"]
    await core_db.execute(damage, {"id": leg["checking_id_in"]})
    assert [dict(row) for row in await core_db.fetchall(query)] != before
    shown = await correct(operator, "restore_wallet_row", leg_key=leg["leg_key"])
    assert [one["of"] for one in shown["changes"]] == [leg["checking_id_in"]]
    assert [dict(row) for row in await core_db.fetchall(query)] == before
    assert await wallet_balance_sats(operator.wallets[client]) == leg["amount_sats"]


async def test_while_money_work_is_stopped_only_rows_are_put_back(operator: Operator) -> None:
    from lnbits.core.db import db as core_db
    from satmachineadmin.services.gates import HALT, close_gate

    client = await operator.add_client("1000")
    await sell(operator, 100)
    [leg] = await fetch("SELECT * FROM satoshimachine.settlement_legs WHERE kind = 'share'")
    gone = {"id": leg["checking_id_in"]}
    await core_db.execute("DELETE FROM apipayments WHERE checking_id = :id", gone)
    await close_gate(HALT, "stopped for a test", "", {})
    refused = await look(operator, "adjust_balance", 503, client_id=client, amount="1")
    assert refused["code"] == "NOT_READY"
    await correct(operator, "restore_wallet_row", leg_key=leg["leg_key"])


async def test_many_guesses_at_once_are_no_more_than_a_few(operator: Operator) -> None:
    set_up = {"above_sats": 10, "new_passphrase": "seven grey horses"}
    await operator.api("PUT", "approval", json=set_up)
    path = "/satmachineadmin/api/v1/dca/approval"
    guesses = [{"above_sats": None, "passphrase": f"guess {number}"} for number in range(9)]
    answers = await asyncio.gather(*(operator.http.put(path, json=one) for one in guesses))
    assert sorted(answer.status_code for answer in answers) == [409] * 4 + [422] * 5
    assert (await operator.api("GET", "approval"))["locked_until"]


async def test_each_needs_a_reason_and_is_done_once(operator: Operator) -> None:
    client = await operator.add_client("100")
    body = {"action": "adjust_balance", "client_id": client, "amount": "1"}
    for missing in ({"note": "no code"}, {"reason_code": "other"}):
        answer = await operator.api("POST", "previews", expect=422, json={**body, **missing})
        assert answer["missing"]
    shown = await look(operator, "adjust_balance", client_id=client, amount="1")
    first = await execute(operator, shown)
    assert await execute(operator, shown) == first
    assert await operator.remaining_minor(client) == 10_100
    outdated = await look(operator, "adjust_balance", client_id=client, amount="1")
    await correct(operator, "adjust_balance", client_id=client, amount="5")
    refused = await execute(operator, outdated, 409)
    assert refused["code"] == "PREVIEW_OUTDATED"
    entries = (await operator.api("GET", "audit", params={"subject": client}))["data"]
    found = [one for one in entries if one["action"] == "corrected_adjust_balance"]
    assert len(found) == 2
    assert found[0]["before"]["balance"] == "101.00"


async def test_nothing_is_left_of_a_correction_that_breaks_in_the_middle(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import corrections as service

    client = await operator.add_client("100")
    await sell(operator, 1000)
    shown = await look(operator, "compensate", client_id=client, sats=5)
    before = await picture()

    async def broken(*_: Any, **__: Any) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(service, "record", broken)
    answer = await execute(operator, shown, 503)
    assert answer["code"] == "DATABASE_FAILED"
    assert await picture() == before


async def test_a_second_person_agrees_above_the_limit(operator: Operator) -> None:
    client = await operator.add_client("100")
    await sell(operator, 1000)
    await operator.api("PUT", "approval", expect=422, json={"above_sats": 10})
    secret = "seven grey horses"
    await operator.api("PUT", "approval", json={"above_sats": 10, "new_passphrase": secret})
    state = await operator.api("GET", "approval")
    assert (state["above_sats"], state["has_passphrase"]) == (10, True)
    small = await correct(operator, "compensate", client_id=client, sats=10)
    assert not small["approval"]["needed"]
    shown = await look(operator, "compensate", client_id=client, sats=11)
    assert shown["approval"]["needed"]
    before = await operator.balances()
    answer = await execute(operator, shown)
    assert (answer["done"], answer["proposed"]) == (False, shown["correction_id"])
    assert await operator.balances() == before
    [waiting] = await corrections(operator, status="proposed")
    needs = (await operator.api("GET", "needs"))["data"]
    assert [one["act"] for one in needs if one["kind"] == "corrections_proposed"] == ["audit"]
    again = await look(operator, "approve_correction", correction_id=waiting["id"])
    assert again["legs"] == shown["legs"]
    for _ in range(4):
        await execute(operator, again, 422, passphrase="wrong")
    await execute(operator, again, 422)
    await execute(operator, again, passphrase=secret)
    assert await broken_promises() == []
    after = await operator.balances()
    assert after[client] == before[client] + 11
    [done] = [one for one in await corrections(operator) if one["id"] == waiting["id"]]
    assert done["status"] == "executed"
    assert done["approved_at"]
    await operator.api("PUT", "approval", expect=422, json={"above_sats": None})
    wrong = {"above_sats": None, "passphrase": "wrong"}
    for _ in range(5):
        await operator.api("PUT", "approval", expect=422, json=wrong)
    locked = {"above_sats": None, "passphrase": secret}
    assert "too often" in (await operator.api("PUT", "approval", expect=409, json=locked))["detail"]
    everything = repr([await fetch(f"SELECT * FROM satoshimachine.{t}") for t in ("audit_log",)])
    assert secret not in everything


async def test_a_proposed_one_can_be_rejected(operator: Operator) -> None:
    client = await operator.add_client("100")
    await operator.api("PUT", "approval", json={"above_sats": 0, "new_passphrase": "long enough"})
    shown = await look(operator, "adjust_balance", client_id=client, amount="50")
    assert shown["approval"]["needed"], "nobody knows what it is worth before any sale"
    await execute(operator, shown)
    path = f"corrections/{shown['correction_id']}/reject"
    await operator.api("POST", path, json={"reason": "not agreed"})
    await operator.api("POST", path, expect=409, json={"reason": "not agreed"})
    await look(operator, "approve_correction", 409, correction_id=shown["correction_id"])
    assert await operator.remaining_minor(client) == 10_000


async def test_the_promises_hold_after_any_sequence(operator: Operator) -> None:
    """Random corrections and sales: each is done or refused, and nothing is ever wrong."""
    chance = random.Random(7)
    clients = [await operator.add_client("2000") for _ in range(3)]
    cash_outs = [await sell(operator, 300)]
    done = 0
    for _ in range(24):
        client = chance.choice(clients)
        action, given = chance.choice(
            [
                ("adjust_balance", {"amount": str(chance.randint(-900, 900))}),
                ("recover_overpayment", {"sats": chance.randint(1, 50_000), "pace_percent": 40}),
                ("write_off", {"sats": chance.randint(1, 20_000)}),
                ("compensate", {"sats": chance.randint(1, 4_000)}),
                ("compensate", {"sats": chance.randint(1, 900), "account": "commission"}),
                ("pay_missing", {"cash_out_id": chance.choice(cash_outs), "sats": 5}),
                ("sale", {}),
            ]
        )
        if action == "sale":
            cash_outs.append(await sell(operator, chance.randint(50, 3000)))
            continue
        body = {"action": action, **WHY, "client_id": client, **given}
        answer = await operator.http.post("/satmachineadmin/api/v1/dca/previews", json=body)
        if answer.is_success:
            await execute(operator, answer.json())
            done += 1
        else:
            assert answer.status_code in (409, 422), answer.text
    assert done > 8
    assert await broken_promises() == []
