"""Where the sats come from, and wallets that cannot give or take them (design.md 2 and 3.6).

One bad wallet never costs a client anything, and nothing is credited that is there already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from lnbits.settings import settings as lnbits_settings
from satmachineadmin.dev import sample_rows
from support.lnbits_app import fund_wallet, make_account, make_wallet
from support.operator import Operator, ago
from support.trouble import (
    block_outgoing,
    delete_wallet,
    limit_lnbits,
    markup_split,
    open_alerts,
    sats_in,
    set_column,
    settings,
    share_wallet,
    state_of,
)

BASE, COMMISSION = 259_029, 7_771  # 266800 sats at 3 % (peer.md)
TOTAL = BASE + COMMISSION


def sale(**columns: Any) -> dict[str, Any]:
    """2000 GTQ for 266800 sats at 3 %."""
    return sample_rows.sale(
        **{"fiat": 2000, "commission": "0.03", "crypto_atoms": TOTAL, **columns}
    )


async def sell(operator: Operator, *rows: dict[str, Any]) -> dict[str, Any]:
    """These sales and a poll."""
    await operator.lamassu.insert(rows)
    return await operator.poll()


async def connect(operator: Operator, **changes: Any) -> None:
    """Save the connection again with other wallets."""
    await operator.api("POST", "config", json=operator.connection(**changes))


async def waits(operator: Operator, row: dict[str, Any], words: str) -> None:
    """The cash-out is pending, says why, and a critical alert says what to do."""
    found = await operator.cash_out(row["id"])
    assert (found["status"], found["hold_code"]) == ("pending", None)
    assert words in found["error_message"]
    (alert,) = (await open_alerts(operator))["settlement_waits"]
    assert alert["severity"] == "critical"
    assert words in alert["message"]
    assert alert["hint"]


async def deliver(operator: Operator, *clients: str) -> dict[str, int]:
    """What lies in these clients' wallets, deleted or not."""
    return {client: await sats_in(operator.wallets[client]) for client in clients}


# ---- prefunded ------------------------------------------------------------------------


async def test_prefunded_pays_only_from_what_is_there(operator: Operator) -> None:
    """The sats came into this wallet already: none is credited (lamassu.md 4)."""
    clients = [await operator.add_client() for _ in range(3)]
    await settings(operator, funding_ln="prefunded")
    await fund_wallet(operator.source_wallet, TOTAL + 100)
    row = sale()
    await sell(operator, row)
    balances = await operator.balances()
    assert (balances["source"], balances["commission"]) == (100, COMMISSION)
    assert sum(balances[c] for c in clients) == BASE
    found = await operator.cash_out(row["id"])
    assert (found["funding_mode"], found["confirmed_sats"]) == ("prefunded", BASE)


async def test_prefunded_needs_no_more_than_what_leaves(operator: Operator) -> None:
    """Base that nobody's deposit covers stays where it is, so it need not be there twice."""
    client = await operator.add_client("1000")
    await settings(operator, funding_ln="prefunded")
    row = sale()
    share = BASE * 1000 // 2000
    await fund_wallet(operator.source_wallet, share + COMMISSION)
    await sell(operator, row)
    assert await state_of(operator, row["id"]) == ("completed", None)
    assert (await operator.balances())[client] == share
    assert await sats_in(operator.source_wallet) == 0


async def test_a_short_prefunded_wallet_waits_and_nobody_overtakes(operator: Operator) -> None:
    """design.md 3.5: the newer, smaller one could be paid and is not; topped up, both are."""
    client = await operator.add_client("10000")
    await settings(operator, funding_ln="prefunded")
    await fund_wallet(operator.source_wallet, TOTAL - 1)
    large = sale(confirmed_at=ago(minutes=9))
    small = sample_rows.sale(confirmed_at=ago(minutes=5))
    answer = await sell(operator, large, small)
    assert answer["transactions_processed"] == 0
    assert answer["report"]["left_pending"] == 2
    assert f"{TOTAL} are needed" in answer["message"]
    await waits(operator, large, f"holds {TOTAL - 1} sats and {TOTAL} are needed")
    assert (await operator.cash_out(small["id"]))["error_message"] is None
    assert (await operator.balances())[client] == 0
    assert await sats_in(operator.source_wallet) == TOTAL - 1
    await operator.poll()
    assert (await open_alerts(operator))["settlement_waits"][0]["times"] == 2
    assert (await operator.cash_out(large["id"]))["attempts"] == 2

    base, commission = markup_split(small)
    await fund_wallet(operator.source_wallet, 1 + base + commission)
    assert (await operator.poll())["transactions_processed"] == 2
    assert not await open_alerts(operator)
    assert (await operator.balances())[client] == BASE + base
    assert await sats_in(operator.source_wallet) == 0
    assert (await operator.cash_out(large["id"]))["error_message"] is None


async def test_a_waiting_sale_can_be_skipped_so_that_others_go_on(operator: Operator) -> None:
    client = await operator.add_client("10000")
    await settings(operator, funding_ln="prefunded")
    small = sample_rows.sale(confirmed_at=ago(minutes=5))
    await fund_wallet(operator.source_wallet, sum(markup_split(small)))
    large = sale(confirmed_at=ago(minutes=9))
    await sell(operator, large, small)
    await operator.api("POST", f"transactions/{large['id']}/skip", json={"reason": "paid by hand"})
    assert (await operator.poll())["transactions_processed"] == 1
    assert not await open_alerts(operator)
    assert (await operator.balances())[client] == markup_split(small)[0]


async def test_what_is_owed_is_not_spent_on_the_next_sale(operator: Operator) -> None:
    """design.md 3.6: prefunded keeps the sats of failed shares for those they belong to."""
    gone, well = await operator.add_client(), await operator.add_client()
    await settings(operator, funding_ln="prefunded")
    await fund_wallet(operator.source_wallet, TOTAL)
    await delete_wallet(operator.wallets[gone])
    first = sale(confirmed_at=ago(minutes=9))
    await sell(operator, first)
    owed = (await operator.cash_out(first["id"]))["failed_sats"]
    assert owed == await sats_in(operator.source_wallet) > 0

    second = sample_rows.sale()
    total = sum(markup_split(second))
    await fund_wallet(operator.source_wallet, total - 1)
    await sell(operator, second)
    await waits(operator, second, f"holds {owed + total - 1} sats and {owed + total} are needed")
    before = await deliver(operator, gone, well)
    await fund_wallet(operator.source_wallet, 1)
    await operator.poll()
    assert await state_of(operator, second["id"]) == ("completed", None)
    assert (await deliver(operator, well))[well] > before[well]
    still_owed = owed + (await operator.cash_out(second["id"]))["failed_sats"]
    assert await sats_in(operator.source_wallet) == still_owed


async def test_owed_commission_is_kept_too(operator: Operator) -> None:
    await operator.add_client()
    await settings(operator, funding_ln="prefunded")
    await fund_wallet(operator.source_wallet, TOTAL)
    await delete_wallet(operator.commission_wallet)
    await sell(operator, sale(confirmed_at=ago(minutes=9)))
    assert await sats_in(operator.source_wallet) == COMMISSION
    second = sample_rows.sale()
    total = sum(markup_split(second))
    await fund_wallet(operator.source_wallet, total - 1)
    await sell(operator, second)
    await waits(operator, second, f"and {COMMISSION + total} are needed")
    await connect(operator, commission_wallet_id=None)
    await fund_wallet(operator.source_wallet, 1)
    await operator.poll()
    assert await state_of(operator, second["id"]) == ("completed", None)


# ---- credit ---------------------------------------------------------------------------


@pytest.mark.parametrize("with_commission_wallet", [True, False])
@pytest.mark.parametrize(("fiat", "share"), [("3000", BASE), ("500", BASE * 500 // 2000)])
async def test_credit_leaves_exactly_the_operators_part(
    operator: Operator, with_commission_wallet: bool, fiat: str, share: int
) -> None:
    """design.md 3.7: the total is credited; what nobody owns stays, recorded either way."""
    client = await operator.add_client(fiat)
    if not with_commission_wallet:
        await connect(operator, commission_wallet_id=None)
    row = sale()
    await sell(operator, row)
    found = await operator.cash_out(row["id"])
    assert found["commission_status"] == ("paid" if with_commission_wallet else "kept")
    assert found["operator_remainder_sats"] == BASE - share
    balances = await operator.balances()
    kept = 0 if with_commission_wallet else COMMISSION
    assert balances["source"] == BASE - share + kept
    assert balances["commission"] == COMMISSION - kept
    assert balances[client] == share


async def test_credit_touches_nothing_that_was_in_the_wallet(operator: Operator) -> None:
    await operator.add_client()
    await fund_wallet(operator.source_wallet, 5_000)
    await sell(operator, sale())
    assert await sats_in(operator.source_wallet) == 5_000


async def test_lightning_prefunded_beside_bitcoin_credited(operator: Operator) -> None:
    """Explicit per coin: the machine's own LNbits wallet, and coins that arrived elsewhere."""
    client = await operator.add_client("10000")
    await settings(operator, funding_ln="prefunded", funding_btc="credit")
    lightning = sale(confirmed_at=ago(minutes=5))
    on_chain = sample_rows.on_chain(
        fiat=2000, commission="0.03", crypto_atoms=TOTAL, confirmed_at=ago(minutes=9)
    )
    answer = await sell(operator, lightning, on_chain)
    assert answer["transactions_processed"] == 1
    assert await state_of(operator, on_chain["id"]) == ("completed", None)
    await waits(operator, lightning, "holds 0 sats")
    await fund_wallet(operator.source_wallet, TOTAL)
    await operator.poll()
    modes = [(await operator.cash_out(r["id"]))["funding_mode"] for r in (lightning, on_chain)]
    assert modes == ["prefunded", "credit"]
    balances = await operator.balances()
    assert (balances["source"], balances["commission"]) == (0, 2 * COMMISSION)
    assert balances[client] == 2 * BASE


# ---- the source wallet cannot be used --------------------------------------------------

Trouble = tuple[Callable[[Operator], Awaitable[None]], Callable[[Operator], Awaitable[None]], str]


async def unset_source(operator: Operator) -> None:
    await connect(operator, source_wallet_id=None)


async def set_source(operator: Operator) -> None:
    await connect(operator)


async def delete_source(operator: Operator) -> None:
    await delete_wallet(operator.source_wallet)


async def new_source(operator: Operator) -> None:
    operator.source_wallet = await make_wallet("another source")
    await connect(operator)


async def share_source(operator: Operator) -> None:
    await share_wallet(operator.source_wallet)


async def unshare_source(operator: Operator) -> None:
    await share_wallet(operator.source_wallet, "lightning")


SOURCE_TROUBLE: dict[str, Trouble] = {
    "not_set": (unset_source, set_source, "No source wallet is set"),
    "deleted": (delete_source, new_source, "the wallet was deleted"),
    "shared": (share_source, unshare_source, "the wallet is shared"),
}


@pytest.mark.parametrize("name", SOURCE_TROUBLE)
async def test_an_unusable_source_wallet_waits_and_loses_nothing(
    operator: Operator, name: str
) -> None:
    """peer.md f: `success, processed 1`, then lost for good."""
    trouble, mend, words = SOURCE_TROUBLE[name]
    client = await operator.add_client()
    row = sale()
    await trouble(operator)
    answer = await sell(operator, row)
    assert answer["transactions_processed"] == 0
    await waits(operator, row, words)
    assert await operator.remaining_minor(client) == 300_000
    await mend(operator)
    assert (await operator.poll())["transactions_processed"] == 1
    assert not await open_alerts(operator)
    balances = await operator.balances()
    assert (balances["source"], balances["commission"], balances[client]) == (0, COMMISSION, BASE)


async def test_an_unknown_wallet_is_refused_at_the_save(operator: Operator) -> None:
    """SAT-24: validated before it is saved."""
    for field in ("source_wallet_id", "commission_wallet_id"):
        refused = await operator.api(
            "POST", "config", expect=422, json=operator.connection(**{field: "nowhere"})
        )
        assert "does not exist" in refused["detail"]
    same = operator.connection(commission_wallet_id=operator.source_wallet)
    await operator.api("POST", "config", expect=422, json=same)


async def test_incoming_only_mode_waits(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """design.md 4: a global limit of LNbits leaves the cash-out pending."""
    client = await operator.add_client()
    row = sale()
    block_outgoing(monkeypatch)
    await sell(operator, row)
    await waits(operator, row, "incoming-only mode")
    assert not any((await operator.balances()).values())
    block_outgoing(monkeypatch, False)
    await operator.poll()
    assert not await open_alerts(operator)
    assert (await operator.balances())[client] == BASE


# ---- commission -----------------------------------------------------------------------


async def failed_commission(operator: Operator) -> tuple[str, dict[str, Any]]:
    """A settled sale whose commission wallet is gone; the client has all."""
    client = await operator.add_client("10000")
    await delete_wallet(operator.commission_wallet)
    row = sale()
    await sell(operator, row)
    return client, row


async def test_a_deleted_commission_wallet_costs_nobody_anything(operator: Operator) -> None:
    """The commission waits in the source wallet and goes to the new wallet (peer.md f)."""
    client, row = await failed_commission(operator)
    found = await operator.cash_out(row["id"])
    assert (found["status"], found["commission_status"]) == ("completed", "failed")
    assert "deleted" in found["commission_message"]
    assert (await deliver(operator, client))[client] == BASE
    assert await sats_in(operator.source_wallet) == COMMISSION
    await operator.poll()
    assert (await operator.cash_out(row["id"]))["commission_status"] == "failed"

    operator.commission_wallet = await make_wallet("another commission")
    await connect(operator)
    await operator.poll()
    found = await operator.cash_out(row["id"])
    assert (found["commission_status"], found["commission_message"]) == ("paid", None)
    balances = await operator.balances()
    assert (balances["source"], balances["commission"]) == (0, COMMISSION)
    await operator.poll()
    assert (await operator.balances())["commission"] == COMMISSION


async def test_a_failed_commission_raises_an_alert(operator: Operator) -> None:
    """SAT-21, SAT-24: the operator is told that their commission does not arrive."""
    await failed_commission(operator)
    alerts = [a for found in (await open_alerts(operator)).values() for a in found]
    assert any("commission" in alert["message"].lower() for alert in alerts), alerts
    operator.commission_wallet = await make_wallet("another commission")
    await connect(operator)
    await operator.poll()
    assert not await open_alerts(operator)


async def test_a_failed_commission_is_retried_by_hand(operator: Operator) -> None:
    _, row = await failed_commission(operator)
    refused = await operator.api("POST", f"transactions/{row['id']}/retry-commission", expect=409)
    assert refused["code"] == "STILL_FAILED"
    operator.commission_wallet = await make_wallet("another commission")
    await connect(operator)
    answer = await operator.api("POST", f"transactions/{row['id']}/retry-commission")
    assert answer["commission_status"] == "paid"
    again = await operator.api("POST", f"transactions/{row['id']}/retry-commission", expect=409)
    assert again["code"] == "STATE_CONFLICT"
    assert (await operator.balances())["commission"] == COMMISSION


async def test_a_commission_wallet_that_is_set_later_takes_only_later_commissions(
    operator: Operator,
) -> None:
    """What was kept stays kept: it is recorded as the operator's own."""
    await operator.add_client("10000")
    await connect(operator, commission_wallet_id=None)
    await sell(operator, sale(confirmed_at=ago(minutes=9)))
    await connect(operator)
    await sell(operator, sale())
    balances = await operator.balances()
    assert (balances["source"], balances["commission"]) == (COMMISSION, COMMISSION)


# ---- a client's wallet cannot take it --------------------------------------------------


async def three_clients_one_gone(operator: Operator) -> tuple[list[str], dict[str, Any]]:
    """Three with 3000 GTQ each; the second one's wallet is deleted before a sale of 2000 GTQ."""
    clients = sorted([await operator.add_client() for _ in range(3)])
    await delete_wallet(operator.wallets[clients[1]])
    row = sale()
    await sell(operator, row)
    return clients, row


async def new_wallet_of(operator: Operator, client: str) -> str:
    user_id = (await operator.api("GET", f"clients/{client}"))["user_id"]
    return await make_wallet("another", user_id)


async def test_one_deleted_wallet_costs_the_others_nothing(operator: Operator) -> None:
    """The others get to the sat what they get when all is well (peer.md f)."""
    clients, row = await three_clients_one_gone(operator)
    # 66667 centavos to the first by id and 66667, 66666 to the others; the sats follow the fiat.
    shares = {s["client_id"]: s for s in await operator.shares(row["id"])}
    assert {s["fiat_minor"] for s in shares.values()} == {66_666, 66_667}
    assert sum(s["fiat_minor"] for s in shares.values()) == 200_000
    assert sum(s["amount_sats"] for s in shares.values()) == BASE
    gone = clients[1]
    statuses = [shares[c]["status"] for c in clients]
    assert statuses == ["confirmed", "failed", "confirmed"]
    for client in (clients[0], clients[2]):
        assert (await sats_in(operator.wallets[client])) == shares[client]["amount_sats"]
    owed = shares[gone]["amount_sats"]
    assert await sats_in(operator.wallets[gone]) == 0
    assert await sats_in(operator.source_wallet) == owed
    assert await sats_in(operator.commission_wallet) == COMMISSION
    assert await operator.remaining_minor(gone) == 300_000 - shares[gone]["fiat_minor"]
    found = await operator.cash_out(row["id"])
    assert (found["status"], found["failed_sats"]) == ("completed", owed)
    status = await operator.api("GET", "status")
    assert (status["failed_shares"], status["failed_sats"]) == (1, owed)
    (alert,) = (await open_alerts(operator))["share_failed"]
    assert (alert["severity"], gone in alert["message"]) == ("critical", True)
    assert str(owed) in alert["message"]


async def test_the_shares_are_those_of_a_day_when_all_is_well(operator: Operator) -> None:
    """The same sale with and without a deleted wallet: equal shares for the others."""
    clients = sorted([await operator.add_client("10000") for _ in range(3)])
    await sell(operator, sale(confirmed_at=ago(minutes=9)))
    well = await deliver(operator, *clients)
    await delete_wallet(operator.wallets[clients[1]])
    again = sale()
    await sell(operator, again)
    # Balances differ by a centavo now, shares by a sat at most.
    shares = {s["client_id"]: s["amount_sats"] for s in await operator.shares(again["id"])}
    after = await deliver(operator, *clients)
    assert after[clients[1]] == well[clients[1]]
    for client in (clients[0], clients[2]):
        assert after[client] - well[client] == shares[client]
    assert all(abs(shares[c] - well[c]) <= 1 for c in clients)


async def test_the_next_tick_pays_to_the_clients_new_wallet(operator: Operator) -> None:
    """design.md 2: retried by every tick to the client's current wallet, once."""
    clients, row = await three_clients_one_gone(operator)
    gone = clients[1]
    (failed,) = [s for s in await operator.shares(row["id"]) if s["status"] == "failed"]
    await operator.poll()
    (same,) = [s for s in await operator.shares(row["id"]) if s["status"] == "failed"]
    assert same["attempts"] > failed["attempts"]

    operator.wallets[gone] = await new_wallet_of(operator, gone)
    body = {"wallet_id": operator.wallets[gone]}
    await operator.api("PUT", f"clients/{gone}", json=body)
    answer = await operator.poll()
    assert answer["report"]["retried"] == 1
    assert (await operator.balances())[gone] == failed["amount_sats"]
    assert await sats_in(operator.source_wallet) == 0
    assert "share_failed" not in await open_alerts(operator)
    found = await operator.cash_out(row["id"])
    assert (found["failed_sats"], found["confirmed_sats"]) == (0, BASE)
    assert (await operator.poll())["report"]["retried"] == 0
    assert (await operator.balances())[gone] == failed["amount_sats"]


async def test_a_failed_share_is_retried_by_hand(operator: Operator) -> None:
    """SAT-11: the retry route; the wallet came back."""
    from lnbits.core.crud.wallets import delete_wallet as mark_deleted

    clients, row = await three_clients_one_gone(operator)
    (failed,) = [s for s in await operator.shares(row["id"]) if s["status"] == "failed"]
    refused = await operator.api("POST", f"payments/{failed['id']}/retry", expect=409)
    assert (refused["code"], "deleted" in refused["detail"]) == ("STILL_FAILED", True)
    user_id = (await operator.api("GET", f"clients/{clients[1]}"))["user_id"]
    await mark_deleted(user_id, operator.wallets[clients[1]], deleted=False)
    answer = await operator.api("POST", f"payments/{failed['id']}/retry")
    assert answer["status"] == "confirmed"
    again = await operator.api("POST", f"payments/{failed['id']}/retry", expect=409)
    assert again["code"] == "STATE_CONFLICT"
    assert (await operator.balances())[clients[1]] == failed["amount_sats"]


async def test_cancelling_a_failed_share_restores_the_fiat(operator: Operator) -> None:
    """By entry, not by edit; the sats become the operator's, and no retry pays them."""
    clients, row = await three_clients_one_gone(operator)
    gone = clients[1]
    (failed,) = [s for s in await operator.shares(row["id"]) if s["status"] == "failed"]
    body = {"reason": "the client left"}
    await operator.api("POST", f"payments/{failed['id']}/cancel", expect=422, json={})
    answer = await operator.api("POST", f"payments/{failed['id']}/cancel", json=body)
    assert answer["status"] == "cancelled"
    assert await operator.remaining_minor(gone) == 300_000
    found = await operator.cash_out(row["id"])
    assert found["operator_remainder_sats"] == failed["amount_sats"]
    assert found["drawn_minor"] == 200_000 - failed["fiat_minor"]
    assert "share_failed" not in await open_alerts(operator)
    again = await operator.api("POST", f"payments/{failed['id']}/cancel", expect=409, json=body)
    assert again["code"] == "STATE_CONFLICT"
    await operator.api("POST", f"payments/{failed['id']}/retry", expect=409)
    assert await operator.remaining_minor(gone) == 300_000
    assert (await operator.poll())["report"]["retried"] == 0
    assert await sats_in(operator.source_wallet) == failed["amount_sats"]


async def test_a_spent_source_wallet_delays_the_retry_and_no_sale(operator: Operator) -> None:
    """The operator spent what was owed: the share waits, new sales are paid, the poll is good."""
    clients, row = await three_clients_one_gone(operator)
    gone = clients[1]
    (failed,) = [s for s in await operator.shares(row["id"]) if s["status"] == "failed"]
    await fund_wallet(operator.source_wallet, -failed["amount_sats"])
    operator.wallets[gone] = await new_wallet_of(operator, gone)
    await operator.api("PUT", f"clients/{gone}", json={"wallet_id": operator.wallets[gone]})
    answer = await sell(operator, sample_rows.sale())
    assert answer["transactions_processed"] == 1
    assert (await operator.cash_out(row["id"]))["failed_sats"] == failed["amount_sats"]
    await fund_wallet(operator.source_wallet, failed["amount_sats"])
    await operator.poll()
    assert (await operator.cash_out(row["id"]))["failed_sats"] == 0


async def test_a_lost_source_wallet_stops_only_its_own_retries(operator: Operator) -> None:
    """Each failed share by itself: the wallet that holds one is gone, the other one's is not, and
    the poll itself is good.
    """
    clients, old = await three_clients_one_gone(operator)
    gone = clients[1]
    await delete_wallet(operator.source_wallet)
    lost_wallet = operator.source_wallet
    operator.source_wallet = await make_wallet("another source")
    await connect(operator)
    new = sale(confirmed_at=ago(seconds=1))
    answer = await sell(operator, new)
    assert answer["transactions_processed"] == 1
    assert (await operator.api("GET", "polls"))["data"][0]["result"] == "ok"

    operator.wallets[gone] = await new_wallet_of(operator, gone)
    await operator.api("PUT", f"clients/{gone}", json={"wallet_id": operator.wallets[gone]})
    await operator.poll()
    failed = [s for s in await operator.shares(new["id"]) if s["status"] == "failed"]
    assert failed == []
    owed = (await operator.cash_out(old["id"]))["failed_sats"]
    assert owed == await sats_in(lost_wallet) > 0


async def test_incoming_only_mode_delays_retries_and_the_poll_is_good(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed share waits like everything else; that is no failure of the poll."""
    clients, row = await three_clients_one_gone(operator)
    gone = clients[1]
    operator.wallets[gone] = await new_wallet_of(operator, gone)
    await operator.api("PUT", f"clients/{gone}", json={"wallet_id": operator.wallets[gone]})
    block_outgoing(monkeypatch)
    answer = await operator.poll()
    assert answer["report"]["retried"] == 0
    block_outgoing(monkeypatch, False)
    assert (await operator.poll())["report"]["retried"] == 1
    assert (await operator.cash_out(row["id"]))["failed_sats"] == 0


# ---- limits of LNbits -----------------------------------------------------------------


async def test_a_wallet_over_its_maximum_balance_is_owed(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Per wallet: the full one's share fails, the funding leg is exempt (design.md 4)."""
    full, empty = await operator.add_client(), await operator.add_client()
    await fund_wallet(operator.wallets[full], 100_000)
    limit_lnbits(monkeypatch, lnbits_wallet_limit_max_balance=200_000)
    row = sale()
    await sell(operator, row)
    shares = {s["client_id"]: s for s in await operator.shares(row["id"])}
    assert (shares[full]["status"], shares[empty]["status"]) == ("failed", "confirmed")
    balances = await operator.balances()
    assert (balances[full], balances[empty]) == (100_000, shares[empty]["amount_sats"])
    assert (balances["commission"], balances["source"]) == (
        COMMISSION,
        shares[full]["amount_sats"],
    )
    await fund_wallet(operator.wallets[full], -50_000)
    await operator.poll()
    assert (await operator.balances())[full] == 50_000 + shares[full]["amount_sats"]
    assert (await operator.balances())["source"] == 0


async def test_exactly_up_to_the_maximum_balance(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await operator.add_client()
    limit_lnbits(monkeypatch, lnbits_wallet_limit_max_balance=BASE)
    await sell(operator, sale())
    assert (await operator.balances())[client] == BASE


async def test_a_full_commission_wallet(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await operator.add_client()
    await fund_wallet(operator.commission_wallet, 300_000)
    limit_lnbits(monkeypatch, lnbits_wallet_limit_max_balance=300_000)
    row = sale()
    await sell(operator, row)
    assert (await operator.cash_out(row["id"]))["commission_status"] == "failed"
    assert (await operator.balances())[client] == BASE
    await fund_wallet(operator.commission_wallet, -COMMISSION)
    await operator.poll()
    assert (await operator.cash_out(row["id"]))["commission_status"] == "paid"
    assert (await operator.balances())["commission"] == 300_000


# ---- one wallet in two roles ----------------------------------------------------------


async def test_a_client_whose_wallet_is_the_source_wallet(operator: Operator) -> None:
    """The operator is a client: charged and recorded, the sats stay where they are."""
    other = await operator.add_client()
    body = {"user_id": lnbits_settings.super_user, "wallet_id": operator.source_wallet}
    own = (await operator.api("POST", "clients", json=body))["id"]
    await operator.deposit(own, "3000")
    row = sale()
    await sell(operator, row)
    shares = {s["client_id"]: s["amount_sats"] for s in await operator.shares(row["id"])}
    assert set(shares) == {own, other}
    assert sum(shares.values()) == BASE
    assert await sats_in(operator.source_wallet) == shares[own]
    assert (await operator.balances())[other] == shares[other]
    assert await operator.remaining_minor(own) == 200_000


async def test_a_client_whose_wallet_is_the_commission_wallet(operator: Operator) -> None:
    body = {"user_id": lnbits_settings.super_user, "wallet_id": operator.commission_wallet}
    own = (await operator.api("POST", "clients", json=body))["id"]
    await operator.deposit(own, "3000")
    await sell(operator, sale())
    assert await sats_in(operator.commission_wallet) == TOTAL
    assert await sats_in(operator.source_wallet) == 0


async def two_in_one_wallet(operator: Operator) -> tuple[str, str]:
    """The companion may write any wallet into a client's row."""
    first, second = await operator.add_client(), await operator.add_client()
    await set_column(second, wallet_id=operator.wallets[first])
    return first, second


async def test_two_clients_with_one_wallet(operator: Operator) -> None:
    first, second = await two_in_one_wallet(operator)
    row = sale()
    await sell(operator, row)
    assert await sats_in(operator.wallets[first]) == BASE
    assert await sats_in(operator.wallets[second]) == 0
    assert len(await operator.shares(row["id"])) == 2
    assert await operator.remaining_minor(first) == await operator.remaining_minor(second)


async def test_two_clients_fill_one_wallet_only_to_its_maximum(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room is one room: what the first one takes is not there for the second."""
    first, _ = await two_in_one_wallet(operator)
    limit_lnbits(monkeypatch, lnbits_wallet_limit_max_balance=200_000)
    row = sale()
    await sell(operator, row)
    statuses = sorted(s["status"] for s in await operator.shares(row["id"]))
    assert statuses == ["confirmed", "failed"]
    assert await sats_in(operator.wallets[first]) <= 200_000


async def test_two_clients_with_one_wallet_are_two_payments(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LNbits' largest payment limits each payment, not their sum."""
    first, _ = await two_in_one_wallet(operator)
    limit_lnbits(monkeypatch, lnbits_max_incoming_payment_amount_sats=150_000)
    row = sale()
    await sell(operator, row)
    assert (await operator.cash_out(row["id"]))["failed_sats"] == 0
    assert await sats_in(operator.wallets[first]) == BASE


async def test_a_shared_wallet_cannot_be_a_clients(operator: Operator) -> None:
    """Refused when chosen; a share to one that became shared is owed."""
    user_id, wallet_id = await make_account()
    await share_wallet(wallet_id)
    body = {"user_id": user_id, "wallet_id": wallet_id}
    await operator.api("POST", "clients", expect=422, json=body)
    client = await operator.add_client()
    await share_wallet(operator.wallets[client])
    row = sale()
    await sell(operator, row)
    (share,) = await operator.shares(row["id"])
    assert (share["status"], "shared" in share["error_message"]) == ("failed", True)
    await share_wallet(operator.wallets[client], "lightning")
    await operator.poll()
    assert (await operator.balances())[client] == BASE
