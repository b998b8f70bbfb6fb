"""A database put back from a backup: found at the start, nothing is paid before a look."""

from __future__ import annotations

from pathlib import Path

import pytest
from satmachineadmin.adapters import marker
from satmachineadmin.dev import sample_rows
from satmachineadmin.services import gates, readiness
from support.operator import Operator

SALE = {"fiat": 2000, "commission": "0.03", "crypto_atoms": 266_800}


async def _pay_one(operator: Operator) -> str:
    await operator.add_client("30000")
    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    await operator.poll()
    return str(row["id"])


async def _stopped(operator: Operator, because: str) -> None:
    """The next start: the check finds it, a new sale stays pending, the page says why."""
    readiness.forget()
    await operator.lamassu.insert([sample_rows.sale(**SALE)])
    answer = await operator.poll()
    assert answer["transactions_processed"] == 0
    status = await operator.api("GET", "status")
    assert status["state"] == "halted"
    assert because in status["state_message"]
    assert any(alert["severity"] == "critical" for alert in status["alerts"])


async def _resumed(operator: Operator) -> None:
    await operator.api("POST", "resume/restore", json={"reason": "both looked at"})
    readiness.forget()
    answer = await operator.poll()
    assert answer["transactions_processed"] == 1
    assert (await operator.api("GET", "status"))["state"] == "live"


async def test_a_ledger_behind_its_marker(operator: Operator) -> None:
    await _pay_one(operator)
    marker.advance(10_000)
    await _stopped(operator, "had reached 10000")
    await _resumed(operator)


async def test_a_missing_and_a_copied_marker(operator: Operator) -> None:
    await _pay_one(operator)
    content = marker.path().read_text()
    marker.path().unlink()
    await _stopped(operator, "is missing")
    await _resumed(operator)
    content = marker.path().read_text()
    copy = marker.path().with_suffix(".copy")
    copy.write_text(content)
    copy.replace(marker.path())
    await _stopped(operator, "copied or restored")
    await _resumed(operator)


async def test_a_normal_restart_asks_nothing(operator: Operator) -> None:
    await _pay_one(operator)
    readiness.forget()
    lines = await readiness.check_all()
    assert all(line.ok for line in lines), lines
    assert not await gates.gate_states()


@pytest.mark.parametrize("blank", [False, True])
async def test_killed_before_the_first_marker(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, blank: bool
) -> None:
    """The very first commit of a ledger, or the marker's own making, was the last thing done."""
    marker.path().unlink(missing_ok=True)
    if blank:
        marker.path().touch()
    readiness.forget()
    assert all(line.ok for line in await readiness.check_all())
    with monkeypatch.context() as killed:
        killed.setattr(marker, "advance", lambda seq: None)
        await _pay_one(operator)
    readiness.forget()
    assert all(line.ok for line in await readiness.check_all())
    assert not await gates.gate_states()


async def test_wallets_older_than_the_ledger(operator: Operator) -> None:
    """Core's database put back: the ledger knows movements that the wallets do not."""
    from lnbits.core.db import db as core_db

    await _pay_one(operator)
    saved = await core_db.fetchall("SELECT * FROM apipayments WHERE amount = 7771000")
    assert len(saved) == 1
    await core_db.execute("UPDATE apipayments SET amount = 7771001 WHERE amount = 7771000")
    await _stopped(operator, "1 rows are missing in the wallets")
    await core_db.execute("UPDATE apipayments SET amount = 7771000 WHERE amount = 7771001")
    await _resumed(operator)


async def test_a_ledger_older_than_the_wallets(operator: Operator) -> None:
    """Our database put back: the same sale would be paid again. It halts instead (design.md 4)."""
    from lnbits.core.db import db as core_db
    from lnbits.core.models import Payment

    lamassu_id = await _pay_one(operator)
    row = sample_rows.sale(**SALE)
    # The wallets already hold a share of a sale that the ledger has not settled.
    from satmachineadmin.adapters.wallet_rows import leg_ids

    ids = leg_ids(f"{row['id']}:funding", b"any secret")
    known = await core_db.fetchone(
        "SELECT * FROM apipayments WHERE external_id = :x",
        {"x": f"satm:{lamassu_id}:funding"},
        Payment,
    )
    foreign = known.copy(update={"checking_id": ids.checking_id_in, "external_id": None})
    await core_db.insert("apipayments", foreign)
    readiness.forget()
    await operator.lamassu.insert([row])
    await operator.poll()
    status = await operator.api("GET", "status")
    assert status["state"] == "halted"
    assert "unknown to the ledger" in status["state_message"]
    await operator.api("POST", "resume/restore", json={"reason": "looked at"})
    answer = await operator.api("POST", "manual-poll", expect=500)
    assert answer["code"] == "WALLET_ROW_COLLISION"
    assert (await operator.cash_out(row["id"]))["status"] == "failed"
    assert "halt" in await gates.gate_states()
    await operator.api("POST", f"transactions/{row['id']}/skip", json={"reason": "paid before"})
    await core_db.execute(
        "DELETE FROM apipayments WHERE checking_id = :id", {"id": ids.checking_id_in}
    )
    await operator.resume("paid before the restore")
    await operator.poll()


async def test_a_halt_stops_everything_until_resumed(operator: Operator) -> None:
    from satmachineadmin.errors import InvariantViolation

    await operator.add_client("30000")
    await gates.halt(InvariantViolation("a sum does not hold"))
    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    assert (await operator.poll())["transactions_processed"] == 0
    answer = await operator.api("POST", f"process-transaction/{row['id']}", expect=503)
    assert answer["detail"] == "a sum does not hold"
    assert (await operator.api("GET", "status"))["state"] == "halted"
    short = await operator.api("POST", "resume/halt", expect=409, json={"reason": "mended"})
    assert (short["code"], "Setup, Health" in short["hint"]) == ("STATE_CONFLICT", True)
    await operator.resume("mended")
    assert (await operator.cash_out(row["id"]))["status"] == "completed"


@pytest.mark.sqlite_only
async def test_a_stale_super_journal_is_cleared_and_a_moved_one_refused(
    operator: Operator,
) -> None:
    """A kill leaves names behind; only one of another path means that half a commit is lost."""
    from lnbits.core.db import db as core_db

    stale = Path(f"{core_db.path}-mj00000001")
    stale.write_bytes(f"{Path(core_db.path).resolve()}-journal\0".encode())
    empty = Path(f"{core_db.path}-mj00000002")
    empty.write_bytes(b"")
    await _pay_one(operator)
    readiness.forget()
    await operator.poll()
    assert not stale.exists()
    assert not empty.exists()
    moved = Path(f"{core_db.path}-mj00000003")
    moved.write_bytes(b"/elsewhere/database.sqlite3-journal\0")
    try:
        readiness.forget()
        answer = await operator.api("POST", "manual-poll", expect=503)
        assert "were moved" in answer["detail"]
        assert "same path" in answer["hint"]
    finally:
        moved.unlink()
    await operator.poll()
