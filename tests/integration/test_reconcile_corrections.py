"""Reconciliation after corrections: nothing is found that is right, and damage to them is."""

from __future__ import annotations

from typing import Any

import pytest
from lnbits.core.db import db as core_db
from satmachineadmin import crud
from satmachineadmin.dev import sample_rows
from satmachineadmin.models_reconciliation import Scope
from satmachineadmin.services import reconcile
from support.damage import damaged
from support.operator import Operator, ago
from support.trouble import delete_wallet

S = "satoshimachine"
WHY = {"reason_code": "other", "note": "found while counting"}


async def correct(operator: Operator, action: str, **given: Any) -> dict[str, Any]:
    body = {"action": action, **WHY, **given}
    shown: dict[str, Any] = await operator.api("POST", "previews", json=body)
    await operator.api("POST", f"previews/{shown['preview_id']}/execute", json={})
    return shown


async def found() -> list[Any]:
    """Every finding that is not resolved, after a whole run."""
    run = await reconcile.find(await reconcile.run_now(Scope()))
    assert (run["status"], run["errors"]) == ("done", 0)
    return await crud.fetch_rows(
        f"SELECT * FROM {S}.findings WHERE status <> 'resolved' ORDER BY code LIMIT 100"
    )


@pytest.fixture
async def corrected(operator: Operator) -> Operator:
    """Sales before and after corrections of every kind."""
    client = await operator.add_client("900")
    gone = [await operator.add_client("500") for _ in range(2)]
    for one in gone:
        await delete_wallet(operator.wallets.pop(one))
    first = sample_rows.sale(fiat=2000, confirmed_at=ago(minutes=50))
    await operator.lamassu.insert([first])
    await operator.poll()
    failed = [s for s in await operator.shares(first["id"]) if s["status"] == "failed"]
    await correct(operator, "adjust_balance", client_id=client, amount="400")
    await correct(operator, "recover_overpayment", client_id=client, sats=90_000, pace_percent=30)
    await correct(operator, "compensate", client_id=client, sats=40)
    await correct(operator, "cancel_share", share_id=failed[0]["id"])
    wallet = operator.wallets[client]
    await correct(operator, "settle_to_wallet", share_id=failed[1]["id"], wallet_id=wallet)
    await correct(operator, "write_off", client_id=client, sats=100)
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    await operator.poll()
    return operator


async def test_what_was_corrected_is_no_finding(corrected: Operator) -> None:
    rows = await crud.fetch_rows(f"SELECT withheld_sats FROM {S}.dca_payments")
    assert any(row["withheld_sats"] for row in rows)
    assert await found() == []


async def test_damage_to_a_correction_is_found_and_mended(corrected: Operator) -> None:
    [leg] = await crud.fetch_rows(f"SELECT * FROM {S}.correction_legs")
    await core_db.execute(
        "DELETE FROM apipayments WHERE checking_id = :id", {"id": leg["checking_id_in"]}
    )
    await damaged(f"UPDATE {S}.receivables SET owed_sats = owed_sats - 1")
    missing, claim = sorted(await found(), key=lambda one: one["subject_kind"], reverse=True)
    assert (missing["code"], missing["subject_id"]) == ("wallet_row_missing", leg["leg_key"])
    assert claim["code"] == "claim_differs"
    await correct(corrected, "restore_wallet_row", leg_key=leg["leg_key"], finding_id=missing["id"])
    finding = await corrected.api("GET", f"findings/{missing['id']}")
    assert (finding["status"], bool(finding["correction_id"])) == ("resolved", True)
    await damaged(f"UPDATE {S}.receivables SET owed_sats = owed_sats + 1")
    assert await found() == []


async def test_a_share_row_that_is_put_back_ends_its_finding(corrected: Operator) -> None:
    await damaged(
        f"DELETE FROM {S}.dca_payments WHERE id = (SELECT MIN(id) FROM {S}.dca_payments"
        " WHERE status = 'confirmed' AND withheld_sats IS NOT NULL)"
    )
    claim, finding = await found()  # what was kept of it is not explained any more, either
    assert (claim["code"], finding["code"]) == ("claim_differs", "share_missing")
    [gone] = await crud.fetch_rows(
        f"SELECT l.leg_key, l.cash_out_id FROM {S}.settlement_legs l WHERE l.kind = 'share'"
        f" AND NOT EXISTS (SELECT 1 FROM {S}.dca_payments s WHERE s.leg_key = l.leg_key)"
    )
    client = gone["leg_key"].rsplit(":", 1)[-1]
    await correct(
        corrected,
        "pay_missing",
        client_id=client,
        cash_out_id=gone["cash_out_id"],
        finding_id=finding["id"],
    )
    assert await found() == []
