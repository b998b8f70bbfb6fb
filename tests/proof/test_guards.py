"""Guards that nothing else meets: each is called where a second mistake would bring it up.

prove/mutants.py removes them one by one; these tests must notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from lnbits.core.db import db as core_db
from satmachineadmin import crud
from satmachineadmin.adapters import ledger, marker, settlement, wallet_rows
from satmachineadmin.adapters.ledger import Entry
from satmachineadmin.adapters.settlement import Rollback
from satmachineadmin.database import BooksConnection, one_connection, own
from satmachineadmin.database import db as ext_db
from satmachineadmin.database_beside import glances
from satmachineadmin.dev import sample_rows
from satmachineadmin.domain.plan import Leg, LegKind
from satmachineadmin.errors import (
    DatabaseBusy,
    InvariantViolation,
    NotReady,
    StateConflict,
    WalletRowCollision,
)
from support.lnbits_app import make_wallet
from support.operator import Operator
from support.trouble import limit_lnbits

SALE = {"fiat": 2000, "commission": "0.03", "crypto_atoms": 266_800}
TOTAL, BASE, COMMISSION = 266_800, 259_029, 7_771
LEG = Leg("guard:share:c", LegKind.SHARE, "guard-from", "guard-to", 21)


async def settled_sale(operator: Operator, clients: int = 1) -> str:
    """A sale that was paid; the cash-out's id."""
    for _ in range(clients):
        await operator.add_client("30000")
    row = sample_rows.sale(**SALE)
    await operator.lamassu.insert([row])
    await operator.poll()
    return str((await operator.cash_out(row["id"]))["id"])


async def in_vain(work: Any) -> Any:
    """Run it in a settlement that is rolled back at its end."""

    async def and_back(conn: BooksConnection) -> Any:
        raise Rollback(await work(conn))

    return await settlement.settlement(and_back)


# ---- ledger ---------------------------------------------------------------------------------


async def test_a_posting_that_does_not_sum_to_zero_is_refused(operator: Operator) -> None:
    one_side = [Entry(ledger.OPERATOR, ledger.SAT, 5, "guard")]
    with pytest.raises(InvariantViolation, match="sum to zero"):
        await in_vain(lambda conn: ledger.post(conn, "guard", one_side, now_us=1))


async def test_an_account_never_falls_below_zero(operator: Operator) -> None:
    entries = [
        Entry(ledger.OPERATOR, ledger.SAT, -5, "guard"),
        Entry(ledger.COMMISSION, ledger.SAT, 5, "guard"),
    ]
    with pytest.raises(InvariantViolation, match="below zero"):
        await in_vain(lambda conn: ledger.post(conn, "guard", entries, now_us=1))


async def test_an_account_twice_in_a_posting_adds_up(operator: Operator) -> None:
    """Each entry starts where the one before it ended."""
    entries = [
        Entry(ledger.SOLD, ledger.SAT, -7, "guard"),
        Entry(ledger.OPERATOR, ledger.SAT, 5, "guard"),
        Entry(ledger.OPERATOR, ledger.SAT, 2, "guard"),
    ]

    async def work(conn: BooksConnection) -> Any:
        await ledger.post(conn, "guard", entries, now_us=1)
        return await conn.row(
            "SELECT balance FROM satoshimachine.ledger_balances WHERE account = 'operator'"
        )

    assert (await in_vain(work))["balance"] == 7


async def test_the_marker_moves_with_every_commit(operator: Operator) -> None:
    await settled_sale(operator)
    (found,) = await crud.fetch_rows("SELECT MAX(seq) AS seq FROM satoshimachine.ledger_entries")
    assert f'"ledger_seq": {found["seq"]},' in marker.path().read_text()


async def test_a_damaged_marker_is_doubt(operator: Operator) -> None:
    marker.path().write_text("{")
    assert "damaged" in str(marker.doubt(1))


# ---- wallet rows ----------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["_in", "_out"])
async def test_a_wallet_row_that_is_there_halts(operator: Operator, side: str) -> None:
    """In any wallet: core's own constraint would let it through in another one."""
    name = wallet_rows.leg_ids(LEG.key, b"").checking_id_in.removesuffix("_in") + side

    async def work(conn: BooksConnection) -> None:
        template = dict(wallet_rows._template("guard", 1_000_000))
        taken = {**template, "checking_id": name, "wallet_id": "somebody else's"}
        await conn.insert_rows("apipayments", [taken])
        await wallet_rows.write_legs(
            conn, [LEG], cash_out_id="guard", secret=b"s", memo="guard", now_us=1_000_000
        )

    with pytest.raises(WalletRowCollision):
        await in_vain(work)


def test_ids_follow_from_key_and_secret() -> None:
    """A replay meets its own rows; nobody without the secret can make the preimage."""
    one = wallet_rows.leg_ids("a", b"secret")
    assert one == wallet_rows.leg_ids("a", b"secret")
    other_key, other_secret = wallet_rows.leg_ids("b", b"secret"), wallet_rows.leg_ids("a", b"x")
    for name in ("checking_id_in", "checking_id_out", "preimage", "payment_hash"):
        assert getattr(one, name) != getattr(other_key, name)
    assert one.checking_id_in == other_secret.checking_id_in
    assert one.preimage != other_secret.preimage
    assert one.checking_id_in.startswith("internal_satm_")


async def test_a_wallet_that_never_was_cannot_be_used(operator: Operator) -> None:
    found = await in_vain(lambda conn: wallet_rows.wallet_problems(conn, ["nobody's"]))
    assert found == {"nobody's": "the wallet does not exist"}


async def test_a_balance_is_lnbits_own(operator: Operator) -> None:
    """Pending payments out and fees are spent, pending payments in are not there yet."""
    wallet = await make_wallet("guard")

    async def work(conn: BooksConnection) -> Any:
        template = dict(wallet_rows._template("guard", 1_000_000))
        kinds = [(9_000, 0, "success"), (-2_000, -7, "pending"), (500, 0, "pending")]
        rows = [
            {**template, "wallet_id": wallet, "checking_id": f"guard-{amount}"}
            | {"amount": amount, "fee": fee, "status": status}
            for amount, fee, status in kinds
        ]
        await conn.insert_rows("apipayments", rows)
        (view,) = await conn.rows(
            "SELECT balance FROM balances WHERE wallet_id = :id", {"id": wallet}
        )
        return int(view["balance"]), await wallet_rows.balances_msat(conn, [wallet])

    view, ours = await in_vain(work)
    assert ours == {wallet: 6_993}
    assert view == 6_993


async def test_a_payment_over_lnbits_maximum_is_owed(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_lnbits(monkeypatch, lnbits_max_incoming_payment_amount_sats=BASE - 1)
    await settled_sale(operator)
    (found,) = await crud.fetch_rows("SELECT failed_sats FROM satoshimachine.lamassu_transactions")
    assert found["failed_sats"] == BASE


# ---- the transaction ------------------------------------------------------------------------


@pytest.mark.parametrize("lock", [core_db.lock, ext_db.lock], ids=["core", "ours"])
async def test_a_settlement_waits_for_both_locks(operator: Operator, lock: asyncio.Lock) -> None:
    async with lock:
        task = asyncio.ensure_future(in_vain(lambda conn: asyncio.sleep(0)))
        await asyncio.sleep(0.1)
        waited = not task.done()
    await task
    assert waited


async def test_the_locks_are_taken_in_cores_order(operator: Operator) -> None:
    """Ours first: LNbits holds ours when it takes its own, while it migrates an extension."""
    async with core_db.lock:
        task = asyncio.ensure_future(in_vain(lambda conn: asyncio.sleep(0)))
        await asyncio.sleep(0.1)
        first = ext_db.lock.locked()
    await task
    assert first


async def test_what_is_rolled_back_is_gone(operator: Operator) -> None:
    await in_vain(lambda conn: crud.set_meta("guard", 1, conn))
    assert await crud.get_meta("guard") is None


async def test_a_cancelled_settlement_ends_first(operator: Operator) -> None:
    """The caller goes only when the transaction has ended."""
    ended = []

    async def work(conn: BooksConnection) -> None:
        await crud.set_meta("guard", 1, conn)
        await asyncio.sleep(0.1)
        ended.append(True)

    await _cancelled(settlement.settlement(work))
    assert ended
    assert await crud.get_meta("guard") == 1


async def test_a_cancelled_write_of_our_own_ends_first(operator: Operator) -> None:
    ended = []

    async def work(conn: BooksConnection) -> None:
        await crud.set_meta("guard", 1, conn)
        await asyncio.sleep(0.1)
        ended.append(True)

    await _cancelled(own(work))
    assert ended
    assert await crud.get_meta("guard") == 1


async def _cancelled(work: Any) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.sqlite_only
async def test_a_short_foreign_lock_is_waited_out(operator: Operator) -> None:
    """Longer than SQLite itself waits, shorter than our patience."""
    raw = sqlite3.connect(core_db.path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")

    async def let_go() -> None:
        await asyncio.sleep(0.4)
        raw.execute("ROLLBACK")
        raw.close()

    going = asyncio.ensure_future(let_go())
    try:
        await settlement.settlement(lambda conn: crud.set_meta("guard", 1, conn))
    finally:
        await going
    assert await crud.get_meta("guard") == 1


@pytest.mark.sqlite_only
async def test_the_write_lock_is_taken_before_anything_is_read(operator: Operator) -> None:
    """On both files: nobody writes between what a plan reads and what it writes."""

    async def work(conn: BooksConnection) -> list[str]:
        refused = []
        for path in (core_db.path, ext_db.path):
            with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as raw:
                try:
                    raw.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    refused.append(path)
        return refused

    assert await in_vain(work) == [core_db.path, ext_db.path]


@pytest.mark.sqlite_only
async def test_an_unsafe_journal_of_our_own_file_is_refused(operator: Operator) -> None:
    await _journal(ext_db.path, "WAL")
    try:
        with pytest.raises(NotReady, match="satoshimachine"):
            await in_vain(lambda conn: asyncio.sleep(0))
    finally:
        await _journal(ext_db.path, "DELETE")


async def _journal(path: str, mode: str) -> None:
    async with ext_db.lock:
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as raw:
            raw.execute(f"PRAGMA journal_mode = {mode}")


@pytest.mark.sqlite_only
async def test_a_failed_settlement_leaves_a_new_connection(operator: Operator) -> None:
    """What it had written is gone, and no lock stays behind."""

    async def fails(conn: BooksConnection) -> None:
        await crud.set_meta("guard", 1, conn)
        raise StateConflict("on purpose")

    async with one_connection():
        with pytest.raises(StateConflict):
            await settlement.settlement(fails)
        await settlement.settlement(lambda conn: crud.set_meta("after", 1, conn))
    assert await crud.get_meta("guard") is None
    assert await crud.get_meta("after") == 1


async def test_reads_beside_each_other_all_end_before_an_error_is_raised(
    operator: Operator,
) -> None:
    """No connection is closed or kept while another look still works on it."""
    ended: list[int] = []

    def look(number: int, pause_s: float, error: Exception | None = None) -> Any:
        async def work(conn: BooksConnection) -> int:
            await asyncio.sleep(pause_s)
            found = await conn.rows(f"SELECT {number} AS n FROM satoshimachine.meta LIMIT 1")
            ended.append(number)
            if error is not None:
                raise error
            return int(found[0]["n"])

        return work

    await settlement.settlement(lambda conn: crud.set_meta("looked", 1, conn))
    async with one_connection():
        assert await glances([look(1, 0.05), look(2, 0)]) == [1, 2]
        assert ended == [2, 1]  # they ran at the same time, and the answers have the works' order
        with pytest.raises(StateConflict):
            await glances([look(3, 0, StateConflict("on purpose")), look(4, 0.05)])
        assert ended[2:] == [3, 4]
        assert await glances([look(5, 0)]) == [5]
        await settlement.settlement(lambda conn: crud.set_meta("looked", 2, conn))
    assert await crud.get_meta("looked") == 2


@pytest.mark.sqlite_only
async def test_a_replaced_file_is_not_written(operator: Operator) -> None:
    """A backup is put back while a tick keeps its connection: the file of now is written."""
    path = Path(ext_db.path)
    async with one_connection():
        await settlement.settlement(lambda conn: crud.set_meta("before", 1, conn))
        async with ext_db.lock:
            copy = path.with_suffix(".put-back")
            copy.write_bytes(path.read_bytes())
            copy.replace(path)
        await settlement.settlement(lambda conn: crud.set_meta("after", 1, conn))
    with contextlib.closing(sqlite3.connect(path)) as raw:
        found = raw.execute("SELECT COUNT(*) FROM meta WHERE name = 'after'").fetchone()
    assert found == (1,)


@pytest.mark.postgres_only
async def test_a_locked_wallet_row_means_try_again(operator: Operator) -> None:
    """Somebody holds the cash-out's row: RETRY within seconds, never an endless wait."""
    import asyncpg
    from lnbits.settings import settings

    other = await asyncpg.connect(settings.lnbits_database_url)
    try:
        await other.execute("BEGIN")
        await other.execute("LOCK TABLE satoshimachine.meta IN ACCESS EXCLUSIVE MODE")
        busy = settlement.settlement(lambda conn: crud.set_meta("guard", 1, conn))
        with pytest.raises(DatabaseBusy):
            await asyncio.wait_for(busy, 8)
    finally:
        await other.close()
