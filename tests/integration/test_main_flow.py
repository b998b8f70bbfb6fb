"""Cash-outs reach the clients' wallets: the main job from a sale in Lamassu to sats in wallets."""

from __future__ import annotations

import hashlib

import pytest
from satmachineadmin.dev import sample_rows
from support.operator import Operator, ago


async def test_a_sale_reaches_the_wallets(operator: Operator) -> None:
    """Three clients with 3000 GTQ each share 266,800 sats at 3 % (peer.md a)."""
    clients = [await operator.add_client("3000") for _ in range(3)]
    row = sample_rows.sale(fiat=2000, commission="0.03", crypto_atoms=266_800)
    await operator.lamassu.insert([row])

    answer = await operator.poll()

    assert answer["success"] is True
    assert answer["transactions_processed"] == 1
    found = await operator.cash_out(row["id"])
    assert found["status"] == "completed"
    assert (found["base_sats"], found["commission_sats"]) == (259_029, 7_771)
    balances = await operator.balances()
    assert (balances["source"], balances["commission"]) == (0, 7_771)
    # 2000 GTQ over three is 666.67 twice and 666.66 once; the sats follow the fiat.
    assert sorted(balances[c] for c in clients) == [86_342, 86_343, 86_344]
    charged = [300_000 - await operator.remaining_minor(c) for c in clients]
    assert sum(charged) == 200_000
    assert max(charged) - min(charged) <= 1


@pytest.mark.parametrize("sats", [1_000, 1_000_000])
async def test_small_and_large_payments(operator: Operator, sats: int) -> None:
    """LSP-27 to LSP-30: 1,000 and 1,000,000 sats leave one wallet and arrive in another."""
    client = await operator.add_client("100000")
    row = sample_rows.sale(fiat=100, commission="0", crypto_atoms=sats)
    await operator.lamassu.insert([row])
    await operator.poll()
    assert (await operator.balances())[client] == sats
    (share,) = await operator.shares(row["id"])
    assert (share["amount_sats"], share["status"]) == (sats, "confirmed")


async def test_the_second_poll_pays_nothing(operator: Operator) -> None:
    client = await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale()])
    await operator.poll()
    before = await operator.balances()
    answer = await operator.poll()
    assert answer["transactions_processed"] == 0
    assert await operator.balances() == before
    assert before[client] > 0


async def test_a_share_has_a_payment_hash_the_client_can_verify(operator: Operator) -> None:
    from lnbits.core.crud.payments import get_wallet_payment

    client = await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    await operator.poll()
    (share,) = await operator.shares(row["id"])
    payment = await get_wallet_payment(operator.wallets[client], share["payment_hash"])
    assert payment is not None
    assert payment.success
    assert payment.is_in
    assert payment.preimage
    assert hashlib.sha256(bytes.fromhex(payment.preimage)).hexdigest() == share["payment_hash"]
    assert payment.external_id == f"satm:{row['id']}:share:{client}"
    assert payment.tag == "satmachineadmin"


async def test_sales_are_settled_oldest_first(operator: Operator) -> None:
    client = await operator.add_client("100")
    newer = sample_rows.sale(fiat=100, confirmed_at=ago(minutes=5))
    older = sample_rows.sale(fiat=100, confirmed_at=ago(minutes=50))
    await operator.lamassu.insert([newer, older])
    await operator.poll()
    assert (await operator.cash_out(older["id"]))["status"] == "completed"
    assert (await operator.cash_out(newer["id"]))["hold_code"] == "no_client_balance"
    assert await operator.remaining_minor(client) == 0
