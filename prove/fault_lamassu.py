"""A Lamassu put back from a backup: rows vanish, ids mean something else, time runs back."""

from __future__ import annotations

from typing import Any

from lnbits.settings import settings as lnbits_settings
from satmachineadmin.dev import sample_rows

from .fault_bench import SALE, Bench, Outcome, check, patched
from .fault_cells import BOTH, scene

RESTORED = "restored Lamassu"
CHANGED = "source_changed (warning)"


async def _tick(bench: Bench) -> None:
    error = await bench.attempt()
    check(error is None, f"the tick failed: {error!r}")


async def _stored_unpaid(bench: Bench) -> None:
    """The new sale is stored and waits, because LNbits lets nothing out for the moment."""
    with patched(lnbits_settings, "lnbits_only_allow_incoming_payments", True):
        await _tick(bench)
    check(await bench.state() == "pending", await bench.state())


async def _found(bench: Bench, before: Any, state: str, alert: str) -> Outcome:
    outcome = Outcome(sale=await bench.state(), alerts=await bench.alerts())
    check(outcome.sale == state, f"the sale is {outcome.sale}")
    check(alert in outcome.alerts, f"the alerts are {outcome.alerts}")
    check(await bench.sums() == before, "sats moved")
    outcome.notes = ["nothing moved, nothing was taken back"]
    return outcome


async def _gone(bench: Bench) -> None:
    await bench.lamassu.execute("DELETE FROM cash_out_txs WHERE id::text = $1", bench.sale["id"])


@scene(RESTORED, "a paid sale is gone", on=BOTH)
async def paid_is_gone(bench: Bench) -> Outcome:
    """the row of a sale that was paid is no longer there, and comes back later"""
    await _tick(bench)
    before = await bench.sums()
    await _gone(bench)
    await _tick(bench)
    outcome = await _found(bench, before, "completed", CHANGED)
    await bench.lamassu.insert([bench.sale])
    await bench.paid_once()
    check(CHANGED not in await bench.alerts(), "the alert stands although the row is back")
    outcome.recovery = "the alert goes when the row is back; nothing is paid again"
    return outcome


@scene(RESTORED, "a waiting sale is gone", on=BOTH)
async def waiting_is_gone(bench: Bench) -> Outcome:
    """the row of a sale that waits to be paid is no longer there, and comes back later"""
    await _stored_unpaid(bench)
    before = await bench.sums()
    await _gone(bench)
    await _tick(bench)
    outcome = await _found(bench, before, "held (source_changed)", "cash_out_held (warning)")
    await bench.lamassu.insert([bench.sale])
    outcome.recovery = "the row is back"
    await bench.recovers(outcome)
    return outcome


@scene(RESTORED, "the id of a paid sale is another sale's", on=BOTH)
async def paid_id_reused(bench: Bench) -> Outcome:
    """a new sale, twice as large, has the id of one that was paid"""
    await _tick(bench)
    before = await bench.sums()
    other = sample_rows.sale(**{**SALE, "fiat": 200, "crypto_atoms": 533_600})
    await _gone(bench)
    await bench.lamassu.insert([{**other, "id": bench.sale["id"]}])
    await _tick(bench)
    outcome = await _found(bench, before, "completed", CHANGED)
    await _gone(bench)
    await bench.lamassu.insert([bench.sale])
    await bench.paid_once()
    outcome.recovery = "the operator compares; nothing is paid for this id again"
    return outcome


@scene(RESTORED, "the id of a waiting sale is another sale's", on=BOTH)
async def waiting_id_reused(bench: Bench) -> Outcome:
    """a new sale, twice as large, has the id of one that waits to be paid"""
    await _stored_unpaid(bench)
    before = await bench.sums()
    await bench.lamassu.update(bench.sale["id"], crypto_atoms=533_600, fiat="200")
    await _tick(bench)
    outcome = await _found(bench, before, "held (source_changed)", "cash_out_held (warning)")
    await bench.lamassu.update(bench.sale["id"], crypto_atoms=266_800, fiat="100")
    outcome.recovery = "the row is as it was"
    await bench.recovers(outcome)
    return outcome


@scene(RESTORED, "a paid sale is unpaid again", on=BOTH)
async def paid_is_older(bench: Bench) -> Outcome:
    """the row of a paid sale is back in its state before the payment, and moves on again"""
    await _tick(bench)
    before = await bench.sums()
    older = {"status": "notSeen", "confirmed_at": None, "dispense": False}
    later = {name: bench.sale[name] for name in (*older, "dispense_confirmed")}
    await bench.lamassu.update(bench.sale["id"], **older, dispense_confirmed=False)
    await _tick(bench)
    outcome = await _found(bench, before, "completed", CHANGED)
    await bench.lamassu.update(bench.sale["id"], **later)
    await bench.paid_once()
    check(CHANGED not in await bench.alerts(), "the alert stands although the row is back")
    outcome.recovery = "the alert goes when the row is as it was; nothing is paid again"
    return outcome
