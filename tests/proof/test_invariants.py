"""Every promise can be seen broken: each question is asked of books with just that damage."""

from __future__ import annotations

from typing import Any

import pytest
from satmachineadmin.adapters.settlement import Rollback, settlement
from satmachineadmin.database import BooksConnection
from satmachineadmin.dev import sample_rows
from satmachineadmin.services.invariants import Broken, ask, broken_promises
from satmachineadmin.services.promises import INVARIANTS
from support.operator import Operator, ago
from support.trouble import delete_wallet

S = "satoshimachine"
APPEND_ONLY = (
    *("audit_log", "ledger_entries", "settlement_legs"),
    *("correction_legs", "receivable_entries"),
)
ONE_LEG = f"(SELECT MIN(leg_key) FROM {S}.settlement_legs WHERE kind = 'share')"
ONE_SETTLED = f"(SELECT MIN(id) FROM {S}.lamassu_transactions WHERE status = 'completed')"
ONE_SKIPPED = f"(SELECT MIN(id) FROM {S}.lamassu_transactions WHERE status = 'skipped')"
PAID = f"(SELECT MIN(id) FROM {S}.dca_payments WHERE status = 'confirmed')"
NEXT = f"(SELECT MAX(seq) + 1 FROM {S}.audit_log)"


def audit(action: str, subject: str, seq: str = NEXT) -> str:
    return (
        f"INSERT INTO {S}.audit_log (seq, at_us, actor, action, subject, detail)"
        f" VALUES ({seq}, 1, 'system', '{action}', {subject}, '{{}}')"
    )


# (the question that must answer, the damage). A question may be met by others too.
DAMAGE: list[tuple[str, str]] = [
    (
        "the parts of a cash-out are not its total",
        f"UPDATE {S}.lamassu_transactions SET base_sats = base_sats + 1 WHERE id = {ONE_SETTLED}",
    ),
    (
        "the parts of a cash-out are not its total",
        f"UPDATE {S}.lamassu_transactions SET crypto_atoms = total_sats - 1"
        f" WHERE id = {ONE_SETTLED}",
    ),
    (
        "the shares of a cash-out are not what it says",
        f"UPDATE {S}.dca_payments SET amount_sats = amount_sats - 1 WHERE id = {PAID}",
    ),
    (
        "the shares of a cash-out are not what it says",
        f"UPDATE {S}.dca_payments SET fiat_minor = fiat_minor + 1 WHERE id = {PAID}",
    ),
    (
        "a unit does not sum to zero",
        f"UPDATE {S}.ledger_entries SET amount = amount + 1 WHERE seq = 1",
    ),
    (
        "the entries of a cash-out do not sum to zero",
        f"UPDATE {S}.ledger_entries SET amount = amount + 1"
        f" WHERE seq = (SELECT MIN(seq) FROM {S}.ledger_entries WHERE cash_out_id IS NOT NULL)",
    ),
    (
        "a client has two shares of one cash-out",
        f"INSERT INTO {S}.dca_payments SELECT id || '2', client_id, amount_sats, amount_fiat,"
        " exchange_rate, transaction_type, lamassu_transaction_id, payment_hash, status,"
        " created_at, transaction_time, leg_key || '2', cash_out_id, wallet_id, currency,"
        " fiat_minor, cash_out_us, error_message, attempts, updated_us, origin, withheld_sats"
        f" FROM {S}.dca_payments WHERE id = {PAID}",
    ),
    (
        "a share is not named by its sale and client",
        f"UPDATE {S}.dca_payments SET leg_key = 'another' WHERE id = {PAID}",
    ),
    (
        "a cash-out is stuck in its settlement",
        f"UPDATE {S}.lamassu_transactions SET status = 'processing' WHERE id = {ONE_SKIPPED}",
    ),
    (
        "a settled cash-out is not in the ledger with its total",
        f"DELETE FROM {S}.ledger_entries WHERE account = 'sold'",
    ),
    (
        "a share belongs to no settled cash-out",
        f"UPDATE {S}.dca_payments SET cash_out_id = 'nowhere' WHERE id = {PAID}",
    ),
    (
        "an account is below zero",
        f"UPDATE {S}.ledger_balances SET balance = -1 WHERE account = 'commission'",
    ),
    (
        "a movement is not in the wallet that received it",
        f"UPDATE apipayments SET amount = amount + 1000 WHERE checking_id ="
        f" (SELECT checking_id_in FROM {S}.settlement_legs WHERE leg_key = {ONE_LEG})",
    ),
    (
        "a movement is not in the wallet that paid it",
        "DELETE FROM apipayments WHERE checking_id ="
        f" (SELECT checking_id_out FROM {S}.settlement_legs WHERE leg_key = {ONE_LEG})",
    ),
    (
        "a wallet holds a row of ours that the ledger does not know",
        f"DELETE FROM {S}.settlement_legs WHERE leg_key = {ONE_LEG}",
    ),
    (
        "a share and its movement differ",
        f"UPDATE {S}.settlement_legs SET payment_hash = 'another' WHERE leg_key = {ONE_LEG}",
    ),
    (
        "a commission or a funding and its movement differ",
        f"UPDATE {S}.settlement_legs SET amount_sats = amount_sats + 1 WHERE kind = 'funding'",
    ),
    (
        "an account is not what shares and cash-outs make it",
        f"UPDATE {S}.ledger_balances SET balance = balance + 1 WHERE account = 'commission'",
    ),
    (
        "what a share was charged is not what the ledger took",
        f"UPDATE {S}.ledger_entries SET amount = amount - 1 WHERE seq = (SELECT MIN(seq)"
        f" FROM {S}.ledger_entries WHERE account LIKE 'client:%' AND cash_out_id IS NOT NULL)",
    ),
    (
        "a cash-out that is not settled has movements, shares or entries",
        f"UPDATE {S}.lamassu_transactions SET status = 'failed' WHERE id = {ONE_SETTLED}",
    ),
    (
        "the audit trail does not say once that it was settled",
        audit("cash_out_settled", ONE_SKIPPED),
    ),
    (
        "the audit trail does not say once that it was settled",
        audit("cash_out_settled", ONE_SETTLED),
    ),
    (
        "a skipped cash-out went on",
        f"UPDATE {S}.lamassu_transactions SET status = 'pending' WHERE id = {ONE_SKIPPED}",
    ),
    (
        "a cash-out was settled after a stop and before a person resumed",
        audit("halt_closed", "'halt'", seq="0"),
    ),
    (
        "an entry does not begin where the one before it ended",
        f"UPDATE {S}.ledger_entries SET balance_before = balance_before + 1,"
        " balance_after = balance_after + 1"
        f" WHERE seq = (SELECT MAX(seq) FROM {S}.ledger_entries)",
    ),
    ("the ledger has a gap", f"UPDATE {S}.ledger_entries SET seq = seq + 100000 WHERE seq = 1"),
    (
        "a stored balance is not the sum of its entries",
        f"UPDATE {S}.ledger_balances SET balance = balance + 1 WHERE account = 'sold'",
    ),
    (
        "a correction's movement is not in the wallet that received it",
        "DELETE FROM apipayments WHERE checking_id ="
        f" (SELECT checking_id_in FROM {S}.correction_legs)",
    ),
    (
        "a correction's movement is not in the wallet that paid it",
        "UPDATE apipayments SET fee = 1 WHERE checking_id ="
        f" (SELECT checking_id_out FROM {S}.correction_legs)",
    ),
    (
        "a correction and its movement differ",
        f"UPDATE {S}.correction_legs SET amount_sats = amount_sats + 1",
    ),
    (
        "a correction and its movement differ",
        f"UPDATE {S}.corrections SET status = 'rejected' WHERE account IS NOT NULL",
    ),
    (
        "what a correction changed of a balance is not in the ledger",
        f"UPDATE {S}.corrections SET amount_minor = amount_minor + 1"
        " WHERE kind = 'adjust_balance'",
    ),
    (
        "an account is not what shares and cash-outs make it",
        f"UPDATE {S}.corrections SET sats = sats + 1 WHERE account IS NOT NULL",
    ),
    (
        "an entry of a claim does not begin where the one before it ended",
        f"UPDATE {S}.receivable_entries SET balance_before = balance_before + 1 WHERE number = 2",
    ),
    (
        "what a client owes is not the sum of its entries",
        f"UPDATE {S}.receivables SET owed_sats = owed_sats - 1",
    ),
    (
        "what was kept of a share is not what the claim says",
        f"UPDATE {S}.dca_payments SET withheld_sats = withheld_sats + 1"
        " WHERE withheld_sats IS NOT NULL AND status = 'confirmed'",
    ),
    (
        "the stored plan has another hash",
        f"UPDATE {S}.lamassu_transactions SET plan_json = plan_json || ' '"
        f" WHERE id = {ONE_SETTLED}",
    ),
]
# The constraints of every database version that this runs on refuse these outright.
NOT_TO_BE_MADE = {"a sale is stored twice", "a movement lies in a wallet twice"}


async def _without_guards(conn: BooksConnection) -> None:
    """Take the database's own refusals away until the rollback."""
    if conn.type == "POSTGRES":
        for table in APPEND_ONLY:
            await conn.execute(f"ALTER TABLE {S}.{table} DISABLE TRIGGER USER")
        for row in await conn.rows(
            "SELECT conrelid::regclass::text AS name, conname FROM pg_constraint"
            " WHERE contype = 'c' AND connamespace = 'satoshimachine'::regnamespace"
        ):
            await conn.execute(f'ALTER TABLE {row["name"]} DROP CONSTRAINT "{row["conname"]}"')
        return
    await conn.rows("PRAGMA ignore_check_constraints = true")
    for row in await conn.rows(f"SELECT name FROM {S}.sqlite_master WHERE type = 'trigger'"):
        await conn.execute(f"DROP TRIGGER {S}.{row['name']}")


async def _found(damage: str) -> list[Broken]:
    async def work(conn: BooksConnection) -> list[Broken]:
        await _without_guards(conn)
        assert await conn.changed(damage) > 0, damage
        raise Rollback(await ask(conn))

    return await settlement(work)


@pytest.fixture
async def books(operator: Operator) -> Operator:
    """Two settled sales with paid and owed shares, and one that was skipped."""
    stays = await operator.add_client("3000")
    gone = await operator.add_client("3000")
    await _correct(operator, action="recover_overpayment", client_id=stays, sats=9, pace_percent=1)
    await _correct(operator, action="adjust_balance", client_id=stays, amount="1")
    rows = [
        sample_rows.sale(fiat=500, commission="0.03", confirmed_at=ago(minutes=9 - number))
        for number in range(2)
    ]
    odd = sample_rows.sale(fiat=500, commission=None, confirmed_at=ago(minutes=3))
    await operator.lamassu.insert([*rows, odd])
    await delete_wallet(operator.wallets.pop(gone))
    await operator.poll()
    await _correct(operator, action="compensate", client_id=stays, sats=7, account="commission")
    found: Any = await operator.cash_out(str(odd["id"]))
    await operator.api("POST", f"transactions/{found['id']}/skip", json={"reason": "test"})
    return operator


async def _correct(operator: Operator, **asked: Any) -> None:
    body = {"reason_code": "other", "note": "a test", **asked}
    looked = await operator.api("POST", "previews", json=body)
    await operator.api("POST", f"previews/{looked['preview_id']}/execute", json={})


async def test_every_damage_is_found_by_its_question(books: Operator) -> None:
    """I1 to I13: the questions see what they are for, and nothing where there is nothing."""
    assert await broken_promises() == []
    missed = {}
    for says, damage in DAMAGE:
        found = {broken.says for broken in await _found(damage)}
        if says not in found:
            missed[damage] = (says, found)
    assert missed == {}
    assert await broken_promises() == []


def test_every_question_has_its_damage() -> None:
    """A question that nobody saw answering is no proof."""
    asked = {question.says for one in INVARIANTS for question in one.questions}
    shown = {says for says, _ in DAMAGE} | NOT_TO_BE_MADE
    assert asked == shown - {"the stored plan has another hash"}
    assert [one.code for one in INVARIANTS] == [f"I{number}" for number in range(1, 14)]
