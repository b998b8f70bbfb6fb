"""The tie-out over random books of the real processor: every defect is named, and nothing else.

Issue 5, item 11. The books are made by polls of a real Lamassu; the defects are those of somebody
who has SQL on either side.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from satmachineadmin import crud
from satmachineadmin.adapters.compare_process import CompareProcess
from satmachineadmin.dev import sample_rows
from satmachineadmin.domain.tie_books import compare_books
from satmachineadmin.domain.tie_out import compare_snapshot, differences
from satmachineadmin.domain.tie_slice import Slice
from satmachineadmin.errors import DatabaseBusy, DatabaseFailed, StateConflict
from satmachineadmin.models_reconciliation import Scope, ScopeKind
from satmachineadmin.services import (
    findings,
    reconcile,
    reconcile_compare,
    reconcile_orphans,
    reconcile_run,
    reconcile_whole,
)
from satmachineadmin.services.alerts import open_alerts
from satmachineadmin.services.reconcile_questions import QUESTIONS
from satmachineadmin.services.reconcile_sides import read_sides
from support.damage import copy, damaged, rolled_back
from support.operator import Operator, ago
from support.trouble import delete_wallet

S = "satoshimachine"
SEED = 5_2026
SALES = 30
EVERYTHING = Scope()
SINCE = Scope(ScopeKind.SINCE_LAST)


@pytest.fixture
async def operator(superuser: Any, lamassu: Any, clean_books: None) -> Operator:
    """An operator whose books may be found damaged at the end."""
    from satmachineadmin.adapters import marker
    from satmachineadmin.services import readiness

    await lamassu.empty()
    marker.path().unlink(missing_ok=True)
    readiness.forget()
    at_work = Operator(superuser, lamassu)
    await at_work.set_up()
    return at_work


async def books(operator: Operator, sales: int = SALES) -> list[dict[str, Any]]:
    """Sales of all kinds, settled for clients of all kinds, one of which cannot be paid."""
    chance = random.Random(SEED)
    for number in range(5):
        await operator.add_client(f"{chance.randrange(4_000, 9_000)}")
        if number == 1:
            await operator.add_client("900", "USD")
    gone = await operator.add_client("700")
    await delete_wallet(operator.wallets.pop(gone))
    rows = [
        sample_rows.sale(
            fiat=chance.randrange(2, 60) * 10,
            commission=chance.choice(("0.03", "0.055", "0.0799")),
            discount=chance.choice((None, None, 10, 25)),
            confirmed_at=ago(hours=3 + sales - number),
        )
        for number in range(sales)
    ]
    odd = sample_rows.sale(fiat=500, commission=None, confirmed_at=ago(minutes=30))
    await operator.lamassu.insert([*rows, odd])
    await operator.poll()
    return rows


async def settled() -> list[Any]:
    """The settled cash-outs, oldest first."""
    return await crud.fetch_rows(
        f"SELECT * FROM {S}.lamassu_transactions WHERE status = 'completed'"
        " ORDER BY processed_us, id LIMIT 1000"
    )


async def run(scope: Scope = EVERYTHING) -> Any:
    return await reconcile.find(await reconcile.run_now(scope))


async def open_findings() -> list[Any]:
    return await crud.fetch_rows(
        f"SELECT * FROM {S}.findings WHERE status = 'open' ORDER BY link, code, id LIMIT 1000"
    )


def share_of(cash_out: Any, more: str = "") -> str:
    return (
        f"(SELECT MIN(id) FROM {S}.dca_payments WHERE cash_out_id = '{cash_out['id']}'"
        f" AND status = 'confirmed' {more})"
    )


def leg_of(cash_out: Any) -> str:
    return (
        f"(SELECT MIN(leg_key) FROM {S}.settlement_legs"
        f" WHERE cash_out_id = '{cash_out['id']}' AND kind = 'share')"
    )


def wallet_row_of(cash_out: Any, side: str) -> str:
    return (
        f"(SELECT checking_id_{side} FROM {S}.settlement_legs WHERE leg_key = {leg_of(cash_out)})"
    )


async def test_every_defect_is_found_and_nothing_else(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared in a process beside LNbits, as in a large run; the other tests compare here."""
    monkeypatch.setattr(reconcile_compare, "PROCESS_FROM", 0)
    await books(operator)
    clean = await run()
    assert (clean["status"], clean["mismatches"], clean["errors"]) == ("done", 0, 0)
    assert clean["in_flight"] == 1  # the held one
    assert await open_findings() == []

    found = await settled()
    assert len(found) == SALES
    at = iter(found)
    wanted: list[tuple[str, str]] = []
    statements: list[str] = []

    def seed(link: str, code: str, *sql: str) -> None:
        wanted.append((link, code))
        statements.extend(sql)

    one = next(at)
    seed("shares", "share_missing", f"DELETE FROM {S}.dca_payments WHERE id = {share_of(one)}")
    one = next(at)
    doubled = await copy(
        f"{S}.dca_payments", f"id = {share_of(one)}", id="'doubled'", leg_key="leg_key || 'x'"
    )
    seed("shares", "share_doubled", doubled)
    for sql in (
        "amount_sats = amount_sats + 1",
        "fiat_minor = fiat_minor - 1",
        "status = 'failed', payment_hash = NULL",
        "wallet_id = 'somebody'",
        "currency = 'USD'",
    ):
        one = next(at)
        seed(
            "shares",
            "share_differs",
            f"UPDATE {S}.dca_payments SET {sql} WHERE id = {share_of(one)}",
        )
    one = next(at)
    seed(
        "snapshot",
        "snapshot_differs",
        f"UPDATE {S}.lamassu_transactions SET fiat_code = 'USD' WHERE id = '{one['id']}'",
    )
    one = next(at)
    seed(
        "plan",
        "plan_hash",
        f"UPDATE {S}.lamassu_transactions SET plan_hash = '{found[-1]['plan_hash']}'"
        f" WHERE id = '{one['id']}'",
    )
    one = next(at)
    seed(
        "plan",
        "plan_outcome",
        f"UPDATE {S}.lamassu_transactions SET commission_sats = commission_sats - 1,"
        f" base_sats = base_sats + 1, operator_remainder_sats = operator_remainder_sats + 1"
        f" WHERE id = '{one['id']}'",
    )
    one = next(at)
    seed(
        "plan",
        "plan_outcome",
        f"UPDATE {S}.lamassu_transactions SET status = 'skipped', operator_reason = 'x'"
        f" WHERE id = '{one['id']}'",
    )
    for sql in ("amount_sats = amount_sats + 1", "to_wallet_id = 'somebody'"):
        one = next(at)
        seed(
            "legs",
            "leg_differs",
            f"UPDATE {S}.settlement_legs SET {sql} WHERE leg_key = {leg_of(one)}",
        )
    one = next(at)
    seed("legs", "leg_missing", f"DELETE FROM {S}.settlement_legs WHERE leg_key = {leg_of(one)}")
    for side in ("in", "out"):
        one = next(at)
        seed(
            "wallets",
            "wallet_row_missing",
            f"DELETE FROM apipayments WHERE checking_id = {wallet_row_of(one, side)}",
        )
        for sql in ("amount = amount + 1000", "wallet_id = 'somebody'", "status = 'failed'"):
            one = next(at)
            seed(
                "wallets",
                "wallet_row_differs",
                f"UPDATE apipayments SET {sql} WHERE checking_id = {wallet_row_of(one, side)}",
            )
    one = next(at)
    twice = await copy(
        "apipayments", f"checking_id = {wallet_row_of(one, 'in')}", wallet_id="'elsewhere'"
    )
    seed("wallets", "wallet_row_doubled", twice)
    one = next(at)
    same = await copy(
        "apipayments", f"checking_id = {wallet_row_of(one, 'in')}", checking_id="'another'"
    )
    seed("wallets", "duplicate_hash", same)
    one = next(at)
    orphan = await copy(
        "apipayments",
        f"checking_id = {wallet_row_of(one, 'in')}",
        checking_id="'internal_satm_forged_in'",
        payment_hash="'forged'",
    )
    seed("wallets", "wallet_row_unknown", orphan)
    seed("audit", "audit_chain", f"UPDATE {S}.audit_log SET actor = 'somebody' WHERE seq = 3")
    lost = next(at)
    seed("source", "source_unknown")  # this cash-out, all of it, is deleted here
    last = next(at)
    seed(
        "ledger",
        "ledger_differs",
        f"DELETE FROM {S}.ledger_entries WHERE cash_out_id = '{last['id']}'"
        " AND account = 'commission'",
    )
    rows_of_lost = [
        f"DELETE FROM apipayments WHERE checking_id IN (SELECT checking_id_{side}"
        f" FROM {S}.settlement_legs WHERE cash_out_id = '{lost['id']}')"
        for side in ("in", "out")
    ]
    tables = ("dca_payments", "settlement_legs")
    statements += rows_of_lost
    statements += [
        f"DELETE FROM {S}.{table} WHERE cash_out_id = '{lost['id']}'" for table in tables
    ]
    statements.append(f"DELETE FROM {S}.lamassu_transactions WHERE id = '{lost['id']}'")
    statements.append(
        f"UPDATE {S}.ledger_balances SET balance = balance + 1 WHERE account = 'commission'"
    )
    await damaged(*statements)
    changed = next(at)
    await operator.lamassu.execute(
        "UPDATE cash_out_txs SET crypto_atoms = crypto_atoms + 100"
        f" WHERE id = '{changed['lamassu_transaction_id']}'"
    )
    wanted.append(("source", "source_changed"))
    after = await run()
    got = [(row["link"], row["code"]) for row in await open_findings()]
    # The ledger's own chain and the balance that was edited; each by its subject.
    wanted += [("balances", "balance_differs"), ("balances", "chain_broken")]
    wanted += [("balances", "ledger_gap"), ("ledger", "entries_nowhere")]
    assert sorted(got) == sorted(wanted)
    assert after["errors"] == 0
    assert after["mismatches"] == len(wanted)
    before = await open_findings()

    # Where the slices end changes nothing, nor that two of them are looked at beside each other.
    monkeypatch.setattr(reconcile_whole, "ENTRIES_PER_SLICE", 7)
    monkeypatch.setattr(reconcile_orphans, "ROWS_PER_SLICE", 5)
    sliced = await run()
    again = await open_findings()
    assert [row["id"] for row in again] == [row["id"] for row in before]
    assert {row["last_run_id"] for row in again} == {sliced["id"]}
    counted = [json.loads(one["results"])["looked_at"] for one in (sliced, after)]
    # Two rows of one id at the end of a slice are looked at together and counted as one.
    rows = [one.pop("wallet_rows", 0) for one in counted]  # PostgreSQL does not count them
    assert counted[0] == counted[1]
    assert 0 <= rows[1] - rows[0] <= 1


# Columns that say nothing of money: what is shown, when a row was written, what LNbits uses itself.
INFORMATION = {
    "dca_payments": "id error_message attempts updated_us created_at transaction_time cash_out_us"
    " origin",
    "settlement_legs": "moved_us",
    "ledger_entries": "posting created_us seq balance_before balance_after",  # the chain's own
    "lamassu_transactions": "machine_name hold_code error_message attempts announced_us"
    " observed_us clock_difference_us changed_row changed_us operator_reason operator_by"
    " processed_us commission_message origin effective_commission halt_id",
    "apipayments": "bolt11 extension fiat_provider preimage tag webhook webhook_status memo time"
    " extra expiry created_at updated_at labels external_id",
}
KEYS = {
    "dca_payments": "id",
    "settlement_legs": "leg_key",
    "ledger_entries": "seq",
    "lamassu_transactions": "id",
    "apipayments": "checking_id",
}


async def test_every_column_of_every_side_is_looked_at(operator: Operator) -> None:
    """Whatever single value is changed behind our back, both the scan and the close look see it."""
    await books(operator, 2)
    one = (await settled())[1]
    cash_out_id = str(one["id"])
    missed = []
    for table, key in KEYS.items():
        name = table if table == "apipayments" else f"{S}.{table}"
        where = {
            "lamassu_transactions": f"id = '{cash_out_id}'",
            "apipayments": f"checking_id = {wallet_row_of(one, 'in')}",
            "ledger_entries": f"cash_out_id = '{cash_out_id}' AND client_id IS NOT NULL",
        }.get(table, f"cash_out_id = '{cash_out_id}'")
        row = await crud.fetch_row(f"SELECT * FROM {name} WHERE {where} ORDER BY {key} LIMIT 1")
        assert row is not None
        for column in set(row) - set(INFORMATION[table].split()):
            change = _other(column, row[column])
            if column == "operator_facts":
                change = """'{"fiat_minor": 1}'"""
            sql = f'UPDATE {name} SET "{column}" = {change} WHERE {key} = {_literal(row[key])}'
            scanned, close = await rolled_back(lambda conn: _look(conn, cash_out_id), sql)
            if not (scanned and close):
                missed.append((table, column, scanned, close))
    assert not missed, missed


async def test_an_entry_in_place_of_another_is_seen(operator: Operator) -> None:
    """As many entries as there should be, and each like a share's: one twice, one not at all."""
    await books(operator, 2)
    rows = await crud.fetch_rows(
        f"SELECT * FROM {S}.ledger_entries WHERE account LIKE 'paid:%'"
        f" AND cash_out_id = (SELECT cash_out_id FROM {S}.ledger_entries"
        " WHERE account LIKE 'paid:%' GROUP BY cash_out_id HAVING COUNT(*) > 1"
        " ORDER BY cash_out_id LIMIT 1) ORDER BY seq LIMIT 2"
    )
    one, other = rows
    sql = (
        f"UPDATE {S}.ledger_entries SET account = '{other['account']}', amount = {other['amount']},"
        f" client_id = '{other['client_id']}', reference = '{other['reference']}',"
        f" balance_after = balance_before + {other['amount']} WHERE seq = {one['seq']}"
    )
    seen = await rolled_back(lambda conn: _look(conn, str(one["cash_out_id"])), sql)
    assert seen == (True, True)


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


def _other(column: str, value: Any) -> str:
    if isinstance(value, (int, float)):
        return str(value + 1)
    if column.endswith(("_sats", "_minor", "_atoms", "_us")):
        return "1"
    return "'another'" if value is None else f""""{column}" || 'x'"""


async def _look(conn: Any, cash_out_id: str) -> tuple[bool, bool]:
    """(does the scan suspect it, does the close look name a difference)"""
    sides = (await read_sides(conn, [cash_out_id], None)).get(cash_out_id)
    scanned = sides is None
    if sides is not None:
        scanned = bool(
            compare_snapshot(sides.cash_out)
            or compare_books(sides.cash_out, sides.shares, sides.stated)
        )
    for one in QUESTIONS:
        named = bool(await conn.rows_in(one.query, [cash_out_id], one.values))
        if named and one.before is not None and sides is not None:
            assert await conn.rows_in(one.before, [cash_out_id])
        scanned = scanned or named
    return scanned, sides is None or bool(differences(sides))


async def test_findings_end_by_themselves_and_come_back(operator: Operator) -> None:
    await books(operator, 4)
    one = (await settled())[0]
    wrong = f"UPDATE {S}.dca_payments SET amount_sats = amount_sats + 1 WHERE id = {share_of(one)}"
    right = wrong.replace("+ 1", "- 1")
    await damaged(wrong)
    await run()
    (finding,) = await open_findings()
    assert (finding["cash_out_id"], finding["difference_sats"]) == (one["id"], 1)
    assert finding["expected"].startswith("amount_sats ")
    await run(SINCE)  # the same is not raised twice
    (again,) = await open_findings()
    assert (again["id"], again["times"]) == (finding["id"], 2)

    await findings.acknowledge(finding["id"], "asked the accountant", "me")
    await run(Scope(ScopeKind.CASH_OUT, cash_out=one["id"]))
    assert await open_findings() == []
    await damaged(wrong)  # its evidence is another one now
    await run(SINCE)
    assert [row["id"] for row in await open_findings()] == [finding["id"]]

    await damaged(right, right)
    gone = await run(SINCE)
    assert await open_findings() == []
    row = await findings.find(finding["id"])
    assert (row["status"], row["resolution"]) == ("resolved", findings.BY_ITSELF)
    assert row["last_run_id"] == gone["id"]
    await damaged(wrong)
    await run()
    (back,) = await open_findings()
    assert (back["id"], back["status"], back["resolution"]) == (finding["id"], "open", None)
    kinds = [note["kind"] for note in await findings.notes_of(finding["id"])]
    assert kinds == ["raised", "acknowledged", "reopened", "resolved", "reopened"]


async def test_an_unreachable_source_is_an_error_and_hides_nothing(operator: Operator) -> None:
    await books(operator, 3)
    one = (await settled())[0]
    await damaged(f"DELETE FROM {S}.dca_payments WHERE id = {share_of(one)}")
    await crud.write(f"UPDATE {S}.lamassu_config SET ssh_port = 1", {})
    after = await run()
    assert (after["status"], after["mismatches"]) == ("done", 1)
    assert after["matches"] == 0
    assert after["errors"] == after["total"] - 1
    assert [row["code"] for row in await open_findings()] == ["share_missing"]
    items = await crud.fetch_rows(
        f"SELECT * FROM {S}.reconciliation_items ORDER BY verdict LIMIT 9"
    )
    assert [(row["verdict"], row["code"]) for row in items] == [
        ("error", "SOURCE_UNREACHABLE"),
        ("mismatch", "share_missing"),
    ]


async def test_a_new_sale_is_in_flight_until_it_is_polled(operator: Operator) -> None:
    await books(operator, 2)
    await operator.lamassu.insert([sample_rows.sale(confirmed_at=ago(minutes=2))])
    after = await run()
    assert (after["mismatches"], after["errors"], after["in_flight"]) == (0, 0, 2)
    await operator.poll()
    again = await run(SINCE)
    assert (again["mismatches"], again["errors"], again["in_flight"]) == (0, 0, 1)


async def test_a_run_is_cancelled_resumed_and_alone(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await books(operator, 9)
    small = Scope(page_rows=2)
    run_id = await reconcile.queue(small)
    with pytest.raises(StateConflict):
        await reconcile.queue(small)
    seen = 0
    tie_out = reconcile.tie_out

    async def stops(*given: Any) -> Slice:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise DatabaseBusy("somebody else writes")
        return await tie_out(*given)

    monkeypatch.setattr(reconcile_run, "SAVE_EVERY_US", 0)
    monkeypatch.setattr(reconcile, "tie_out", stops)
    with pytest.raises(DatabaseBusy):
        await reconcile.work_off()
    half = await reconcile.find(run_id)
    assert (half["status"], half["matches"] + half["in_flight"]) == ("running", 4)
    await reconcile.work_off()
    done = await reconcile.find(run_id)
    assert (done["status"], done["total"]) == ("done", 10)
    assert seen == 6  # slices: the two before were not looked at again

    other = await reconcile.queue(small)
    await reconcile.cancel(other, "me")
    await reconcile.work_off()
    assert (await reconcile.find(other))["status"] == "cancelled"


async def test_a_run_goes_on_without_the_process_beside_it(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody kills it, or memory is short: each cash-out is compared all the same."""
    await books(operator, 9)
    one = (await settled())[-1]
    await damaged(f"DELETE FROM {S}.dca_payments WHERE id = {share_of(one)}")
    differing, seen = CompareProcess.differing, []

    async def killed(self: CompareProcess, part: Slice) -> set[str]:
        seen.append(self._process.pid)
        if len(seen) == 3:
            os.kill(self._process.pid, signal.SIGKILL)
        return await differing(self, part)

    monkeypatch.setattr(reconcile_compare, "PROCESS_FROM", 0)
    monkeypatch.setattr(CompareProcess, "differing", killed)
    found = await run(Scope(page_rows=2))
    assert len(seen) == 3  # from then on here
    assert (found["status"], found["total"], found["mismatches"]) == ("done", 10, 1)


async def test_what_cannot_be_stored_is_told_all_the_same(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await books(operator, 2)
    one = (await settled())[0]
    await damaged(f"DELETE FROM {S}.dca_payments WHERE id = {share_of(one)}")

    async def full(*_: Any) -> Any:
        raise DatabaseFailed("the disk is full")

    before = reconcile_run.mismatches_total["shares"]
    monkeypatch.setattr(findings, "raise_findings", full)
    after = await run()
    assert (after["status"], after["mismatches"]) == ("done", 1)
    assert reconcile_run.mismatches_total["shares"] == before + 1
    kinds = {row["kind"] for row in await open_alerts()}
    assert {"reconciliation_mismatch", "reconciliation_not_stored"} <= kinds


async def test_an_error_of_ours_ends_the_run_and_is_told(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await books(operator, 1)

    async def breaks(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(reconcile, "tie_out", breaks)
    run_id = await reconcile.queue(EVERYTHING)
    with pytest.raises(RuntimeError):
        await reconcile.work_off()
    ended = await reconcile.find(run_id)
    assert (ended["status"], ended["error_message"]) == (
        "failed",
        "An error of this program: RuntimeError",
    )
    assert "reconciliation_failed" in {row["kind"] for row in await open_alerts()}
    monkeypatch.undo()
    assert (await run())["status"] == "done"
    assert "reconciliation_failed" not in {row["kind"] for row in await open_alerts()}


def test_every_code_has_a_way_to_mend_it() -> None:
    """Every code that is raised anywhere stands in the table of mends, and the other way round."""
    from satmachineadmin.services.mends import MENDS

    room = Path(reconcile.__file__).parents[1]
    files = [*room.glob("domain/tie_*.py"), *room.glob("services/reconcile*.py")]
    text = "".join(path.read_text() for path in (*files, room / "domain/replay.py"))
    for code in MENDS:
        assert f'"{code}"' in text or code == "audit_chain", code
    raised = set(
        re.findall(
            r'(?:Found|Difference|ReplayProblem|_share|_leg)\(\s*(?:Link\.\w+,\s*)?"(\w+)"', text
        )
    )
    assert raised <= set(MENDS)
