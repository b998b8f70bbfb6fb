"""The reports: every sum is the rows' own, every edited row is named, clean books are clean."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from satmachineadmin.dev import sample_rows
from support.lnbits_app import fund_wallet, make_wallet
from support.machine import change, fetch, picture
from support.operator import BASE, Operator
from support.sold_days import SoldDays, sell_some_days

RULES = ("markup", "margin", "ticker")


@pytest.fixture
async def days(operator: Operator) -> SoldDays:
    return await sell_some_days(operator)


@pytest.fixture(autouse=True)
def _made_anew(lnbits_app: object) -> None:
    from satmachineadmin.services import slow

    slow.forget()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that does much else may take longer than a person waits."""
    from satmachineadmin.services import slow

    monkeypatch.setattr(slow, "WAIT_S", 30)


async def books(operator: Operator, **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = await operator.api("GET", "reports/books", params=params)
    return found


def by_client(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(line["client_id"], line["currency"]): line for line in found["clients"]}


async def test_every_client_adds_up_and_no_row_counts_twice(
    operator: Operator, days: SoldDays
) -> None:
    """C-SAT-b: Ana has two deposits and several shares."""
    await operator.deposit(days.clients[0], "123.45")
    before = await picture()
    found = await books(operator)
    assert await picture() == before
    deposits: dict[tuple[str, str], int] = defaultdict(int)
    for row in await fetch("SELECT * FROM satoshimachine.dca_deposits"):
        deposits[row["client_id"], row["currency"]] += row["amount_minor"]
    charged: dict[tuple[str, str], int] = defaultdict(int)
    for row in await fetch("SELECT * FROM satoshimachine.dca_payments"):
        charged[row["client_id"], row["currency"]] += row["fiat_minor"]
    assert len(found["clients"]) == 3
    for key, line in by_client(found).items():
        assert line["ok"]
        assert line["discrepancy_minor"] == 0
        assert line["opening_minor"] == line["corrections_minor"] == line["later_minor"] == 0
        assert line["deposits_minor"] == deposits[key]
        assert line["shares_minor"] == charged[key] > 0
        assert line["closing_minor"] == line["stored_minor"] == deposits[key] - charged[key]
    assert found["wrong"] == {"clients": 0, "shares": 0, "deposits": 0, "splits": 0}


async def test_the_other_sections_are_the_rows_own_sums(operator: Operator, days: SoldDays) -> None:
    await operator.api(
        "POST", "deposits", json={"client_id": days.clients[0], "amount": "5", "currency": "GTQ"}
    )
    from satmachineadmin import clock, crud
    from satmachineadmin.database import stored_time

    late = stored_time(clock.now_us() - 73 * 3_600 * 1_000_000)
    await crud.write(
        "UPDATE satoshimachine.dca_deposits SET created_at = :late WHERE status = 'pending'",
        {"late": late},
    )
    found = await books(operator)
    sold = await fetch(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE status = 'completed'"
    )
    processing = found["processing"]
    assert processing["cash_outs"] == len(sold) == 7
    for ours, column in (
        *(("total_sats", "total_sats"), ("commission_sats", "commission_sats")),
        *(("distributed_sats", "confirmed_sats"), ("base_sats", "base_sats")),
    ):
        assert processing[ours] == sum(row[column] for row in sold)
    assert processing["waiting"] == {"watching": 2, "skipped": 1}
    assert {one["currency"]: one["cash_outs"] for one in processing["currencies"]} == {
        "GTQ": 5,
        "USD": 2,
    }
    shares = await fetch("SELECT * FROM satoshimachine.dca_payments")
    states = {one["status"]: one for one in found["shares"]}
    assert list(states) == ["failed", "cancelled", "confirmed"]
    assert states["confirmed"]["count"] == len(shares)
    assert states["confirmed"]["sats"] == sum(row["amount_sats"] for row in shares)
    [deposit] = found["deposits"]
    assert deposit["hours"] == 73
    assert len(found["splits"]) == 7
    assert all(one["ok"] and one["difference_sats"] == 0 for one in found["splits"])


async def test_days_join_without_a_gap(operator: Operator, days: SoldDays) -> None:
    """For any range: what a day closes with is what the next one opens with; nothing is lost."""
    whole = by_client(await books(operator))
    # Postings lie on one day in a test: spread the ledger over days, in its own order, every
    # eighth entry on a midnight.
    rows = await fetch(
        "SELECT MIN(created_us) AS us, MAX(seq) AS n FROM satoshimachine.ledger_entries"
    )
    start = date(2026, 3, 1)
    from satmachineadmin.domain.days import day_start_us

    first_us, count = day_start_us(start, "America/Guatemala"), rows[0]["n"]
    await _rewrite_times(first_us)
    sums: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    before: dict[Any, int] = {}
    for offset in range(-1, count // 8 + 2):
        day = (start + timedelta(days=offset)).isoformat()
        for key, line in by_client(await books(operator, **{"from": day, "to": day})).items():
            assert line["ok"]
            assert line["opening_minor"] == before.get(key, 0)
            before[key] = line["closing_minor"]
            for name in ("deposits_minor", "shares_minor"):
                sums[key][name] += line[name]
    for key, line in whole.items():
        assert before[key] == line["stored_minor"]
        assert sums[key] == {name: line[name] for name in ("deposits_minor", "shares_minor")}


async def _rewrite_times(first_us: int) -> None:
    """The ledger is append-only: a copy with other instants takes its place."""
    from lnbits.db import SQLITE
    from satmachineadmin.crud import db

    step = 86_400_000_000 // 8
    statement = "UPDATE satoshimachine.ledger_entries SET created_us = :first + seq * :step"
    if db.type == SQLITE:
        kept = await fetch(
            "SELECT sql FROM satoshimachine.sqlite_master WHERE name = 'ledger_entries_no_update'"
        )
        await change("DROP TRIGGER satoshimachine.ledger_entries_no_update")
        await change(statement, {"first": first_us, "step": step})
        sql = kept[0]["sql"].replace("TRIGGER ", "TRIGGER satoshimachine.", 1)
        await change(sql)
    else:
        table = "satoshimachine.ledger_entries"
        await change(f"ALTER TABLE {table} DISABLE TRIGGER ledger_entries_no_update")
        await change(statement, {"first": first_us, "step": step})
        await change(f"ALTER TABLE {table} ENABLE TRIGGER ledger_entries_no_update")


EDITS = {
    "ledger_balances SET balance = balance + {} WHERE account = 'client:' || :id": 1,
    "dca_deposits SET amount_minor = amount_minor + {} WHERE client_id = :id": -1,
    "dca_payments SET fiat_minor = fiat_minor + {} WHERE id = (SELECT MIN(id)"
    " FROM satoshimachine.dca_payments WHERE client_id = :id)": 1,
}


@pytest.mark.parametrize("edit", EDITS)
async def test_an_edited_row_is_named_worst_first(
    operator: Operator, days: SoldDays, edit: str
) -> None:
    who = {"id": days.clients[1]}
    statement = f"UPDATE satoshimachine.{edit}"
    await change(statement.format(1), who)
    found = await books(operator)
    await change(statement.format(-1), who)
    worst = found["clients"][0]
    assert worst["client_id"] == who["id"]
    assert worst["discrepancy_minor"] == EDITS[edit]
    assert found["wrong"]["clients"] == 1


@pytest.mark.sqlite_only
async def test_a_deleted_client_still_has_a_line(operator: Operator, days: SoldDays) -> None:
    [client] = await fetch(
        "SELECT * FROM satoshimachine.dca_clients WHERE id = :id", {"id": days.clients[0]}
    )
    await change("DELETE FROM satoshimachine.dca_clients WHERE id = :id", {"id": client["id"]})
    found = by_client(await books(operator))
    line = found[client["id"], "GTQ"]
    assert line["stored_minor"] > 0
    assert line["username"] is None


async def test_spending_is_no_alarm_and_a_changed_row_is_one(
    operator: Operator, days: SoldDays
) -> None:
    """C-SAT-q: what the operator moved is shown as its own sum."""
    await fund_wallet(operator.source_wallet, 5_000)
    await fund_wallet(operator.commission_wallet, 700)
    await fund_wallet(operator.commission_wallet, -900)
    await _second_ends()
    found = await operator.api("GET", "reports/wallets")
    assert found["status"] == "done"
    balances = await operator.balances()
    lines = {line["role"]: line for line in found["wallets"]}
    source, commission = lines["source"], lines["commission"]
    sold = await fetch(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE status = 'completed'"
    )
    total = sum(row["total_sats"] for row in sold)
    paid = sum(row["confirmed_sats"] for row in sold)
    fee = sum(row["commission_sats"] for row in sold)
    assert source["legs"] == {"funding": total, "share": -paid, "commission": -fee}
    assert source["expected_sats"] == total - paid - fee
    assert (source["others_in_sats"], source["others_out_sats"]) == (5_000, 0)
    assert source["balance_sats"] == balances["source"]
    assert commission["expected_sats"] == fee
    assert (commission["others_in_sats"], commission["others_out_sats"]) == (700, -900)
    assert commission["balance_sats"] == balances["commission"]
    assert all(line["ok"] for line in found["wallets"])
    assert found["unallocated_sats"] == sum(row["operator_remainder_sats"] for row in sold)
    assert found["lnbits"]["node"] == "FakeWallet"
    assert found["lnbits"]["node_owned_sats"] == 1_000_000
    assert found["lnbits"]["liabilities_sats"] == sum(balances.values())


async def test_a_row_that_was_changed_in_a_wallet_is_a_difference(
    operator: Operator, days: SoldDays
) -> None:
    from lnbits.core.db import db as core_db
    from satmachineadmin.services import slow

    await _second_ends()
    which = (
        " WHERE wallet_id = :id AND checking_id = (SELECT MIN(checking_id) FROM apipayments"
        " WHERE wallet_id = :id AND checking_id LIKE 'internal_satm_%')"
    )
    for sats in (1, -1):
        await core_db.execute(
            f"UPDATE apipayments SET amount = amount + {1000 * sats}{which}",
            {"id": operator.commission_wallet},
        )
        slow.forget()
        found = await operator.api("GET", "reports/wallets")
        lines = {line["role"]: line for line in found["wallets"]}
        assert lines["commission"]["difference_sats"] == (1 if sats == 1 else 0)
        assert lines["source"]["ok"]


async def _second_ends() -> None:
    """The report is about seconds that are over."""
    import asyncio
    import time

    await asyncio.sleep(1.02 - time.time() % 1)


async def test_slices_change_no_sum(
    operator: Operator, days: SoldDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import (
        reports_clients,
        reports_commission,
        reports_wallets,
        slices,
        slow,
    )

    await _second_ends()

    async def everything() -> list[Any]:
        slow.forget()
        found = [
            await books(operator),
            await operator.api("GET", "reports/wallets"),
            await commission(operator),
        ]
        found[0].pop("at")
        found[1].pop("at")
        return found

    whole = await everything()
    monkeypatch.setattr(reports_clients, "CLIENTS_PER_SLICE", 1)
    monkeypatch.setattr(reports_commission, "ROWS_PER_SLICE", 2)
    monkeypatch.setattr(reports_wallets, "LEGS_PER_SLICE", 3)
    monkeypatch.setattr(reports_wallets, "WALLETS_PER_SLICE", 1)
    monkeypatch.setattr(
        reports_wallets,
        "ROWS",
        reports_wallets.ROWS.replace(f"LIMIT {reports_wallets.ROWS_PER_SLICE}", "LIMIT 3"),
    )
    monkeypatch.setattr(reports_wallets, "ROWS_PER_SLICE", 3)
    monkeypatch.setattr(slices.windows, "__defaults__", (7 * 3_600_000_000,))
    assert await everything() == whole


async def commission(operator: Operator, **params: Any) -> dict[str, Any]:
    first = (date.today() - timedelta(days=20)).isoformat()
    given = {"from": first, **params}
    found: dict[str, Any] = await operator.api("GET", "reports/commission", params=given)
    assert found["status"] == "done"
    return found


async def test_every_rule_beside_the_stored_split(operator: Operator, days: SoldDays) -> None:
    found = await commission(operator)
    sold = await fetch(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE status = 'completed'"
    )
    whole = found["whole"]
    assert found["used"] == {"markup": 7}
    assert whole["cash_outs"] == whole["compared"] == 7
    assert whole["wrong"] == 0
    assert found["wrong"] == found["impacts"] == []
    assert whole["commission_sats"] == whole["by_rule"]["markup"]
    assert whole["costs"]["markup"] == 0
    assert whole["commission_sats"] == sum(row["commission_sats"] for row in sold)
    for part in ("days", "months", "machines"):
        for name in ("cash_outs", "commission_sats", "profit_sats", "total_sats"):
            assert sum(one[name] for one in found[part]) == whole[name], (part, name)
        for rule in RULES:
            assert sum(one["by_rule"][rule] for one in found[part]) == whole["by_rule"][rule]
    # The margin rule by hand, from the plan that was stored and not from the source row.
    by_hand = 0
    for row in sold:
        rate = json.loads(row["plan_json"])["given"]["commission_rate"]
        numerator, _, denominator = str(rate).partition("/")
        fraction = (int(numerator), int(denominator or 1))
        base = row["total_sats"] * (fraction[1] - fraction[0]) // fraction[1]
        by_hand += row["total_sats"] - base
    assert whole["by_rule"]["margin"] == by_hand
    assert whole["costs"]["margin"] == by_hand - whole["commission_sats"] > 0


@pytest.mark.sqlite_only
async def test_what_another_rule_would_have_given_each_client(
    operator: Operator, days: SoldDays
) -> None:
    found = await commission(operator, rule="margin")
    got = {one["client_id"]: one for one in found["impacts"]}
    shares = await fetch(
        "SELECT client_id, SUM(amount_sats) AS sats FROM satoshimachine.dca_payments"
        " GROUP BY client_id"
    )
    for row in shares:
        assert got[row["client_id"]]["got_sats"] == row["sats"]
        # Margin takes more for the operator: everybody got more than it would have given.
        assert got[row["client_id"]]["sats"] > 0
        assert got[row["client_id"]]["missing_sats"] == 0
    in_sum = sum(one["sats"] for one in found["impacts"])
    assert 0 < in_sum <= found["whole"]["costs"]["margin"] + 7


# Base that was kept as commission, and a share that was paid short.
KEPT = (
    "UPDATE satoshimachine.lamassu_transactions SET base_sats = base_sats - {0},"
    " commission_sats = commission_sats + {0}, confirmed_sats = confirmed_sats - {0}"
    " WHERE lamassu_transaction_id = :id"
)
SHORT = (
    "UPDATE satoshimachine.dca_payments SET amount_sats = amount_sats - {0}"
    " WHERE lamassu_transaction_id = :id AND client_id = :client"
)


async def test_a_split_that_is_one_sat_off_is_found(operator: Operator, days: SoldDays) -> None:
    """Tolerance 0 (C-SAT-i): one sat of base kept as commission, which one client misses."""
    who = {"id": days.ids[3]}
    await change(KEPT.format(1), who)
    found = await commission(operator)
    five = await books(operator)
    await change(KEPT.format(-1), who)
    assert (found["whole"]["wrong"], found["whole"]["wrong_sats"]) == (1, 1)
    [wrong] = found["wrong"]
    assert wrong["lamassu_transaction_id"] == who["id"]
    assert wrong["difference_sats"] == 1
    assert sum(one["wrong"] for one in found["machines"]) == 1
    assert five["wrong"]["splits"] == 1


async def test_a_short_payment_is_what_the_client_misses(
    operator: Operator, days: SoldDays
) -> None:
    who = {"id": days.ids[5]}  # in USD: Carla alone
    client = {**who, "client": days.clients[2]}
    await change(KEPT.format(40), who)
    await change(SHORT.format(40), client)
    found = await commission(operator)
    from satmachineadmin.services import slow

    asked = found["compensate"]
    await change(KEPT.format(-40), who)
    await change(SHORT.format(-40), client)
    await correct(operator, **asked)
    await change(KEPT.format(40), who)
    await change(SHORT.format(40), client)
    slow.forget()
    again = await commission(operator)
    await change(KEPT.format(-40), who)
    await change(SHORT.format(-40), client)
    assert again["impacts"][0]["compensated_sats"] == 40
    assert again["impacts"][0]["missing_sats"] == 0
    assert again["compensate"] is None, "nobody is paid back twice"
    [impact] = found["impacts"]
    assert (impact["client_id"], impact["missing_sats"]) == (days.clients[2], 40)
    assert impact["sats"] == -40


@pytest.mark.sqlite_only
async def test_a_long_report_says_how_far_it_is(
    operator: Operator, days: SoldDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import slow

    monkeypatch.setattr(slow, "WAIT_S", 0)
    first = {"from": (date.today() - timedelta(days=20)).isoformat()}
    found = await operator.api("GET", "reports/commission", params=first)
    assert found == {"status": "running", "done": 0, "of": 0}
    monkeypatch.setattr(slow, "WAIT_S", 10)
    found = await operator.api("GET", "reports/commission", params=first)
    assert found["status"] == "done"
    assert found["whole"]["cash_outs"] == 7


@pytest.mark.sqlite_only
async def test_bad_ranges_and_rules_are_refused(operator: Operator) -> None:
    for path, params in (
        ("reports/books", {"from": "2026-13-01"}),
        ("reports/books", {"from": "2026-02-01", "to": "2026-01-01"}),
        ("reports/commission", {"from": "2024-01-01"}),
        ("reports/commission", {"from": "2026-11-01", "rule": "guess"}),
        ("reports/nothing.csv", {}),
    ):
        answer = await operator.http.get(f"{BASE}/{path}", params=params)
        assert answer.status_code in (400, 404, 422), (path, params, answer.text)
        assert answer.json()["detail"]


@pytest.mark.sqlite_only
async def test_every_section_is_a_file_of_its_own(operator: Operator, days: SoldDays) -> None:
    found = await books(operator)
    for name in ("clients", "processing", "shares", "deposits", "splits"):
        answer = await operator.http.get(f"{BASE}/reports/{name}.csv")
        assert answer.status_code == 200
        assert f"satmachineadmin-report-{name}-" in answer.headers["content-disposition"]
        lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        assert lines[-1][0] == "END"
        rows = [line for line in lines if line[0].isdigit()]
        if name != "processing":
            assert len(rows) == len(found[name])
    assert "'=Béla" in (await operator.http.get(f"{BASE}/reports/clients.csv")).text


async def test_a_wallet_used_before_still_has_its_line(operator: Operator, days: SoldDays) -> None:
    new = await make_wallet("another source")
    await change("UPDATE satoshimachine.lamassu_config SET source_wallet_id = :id", {"id": new})
    await _second_ends()
    found = await operator.api("GET", "reports/wallets")
    lines = {line["wallet_id"]: line for line in found["wallets"]}
    assert lines[new]["role"] == "source"
    assert lines[new]["expected_sats"] == lines[new]["balance_sats"] == 0
    assert lines[operator.source_wallet]["role"] == "earlier"
    assert lines[operator.source_wallet]["ok"]


async def test_the_reports_stay_right_after_corrections(operator: Operator) -> None:
    """Adjusted, paid missing, compensated, withheld and cancelled: every witness still agrees."""
    ana = await operator.add_client("300", username="Ana")
    await operator.api("PUT", f"clients/{ana}", json={"status": "inactive"})
    ben = await operator.add_client("3000", username="Ben")
    sold = [sample_rows.sale(fiat=1000), sample_rows.sale(fiat=1000)]
    await operator.lamassu.insert([sold[0]])
    await operator.poll()
    await correct(operator, "adjust_balance", client_id=ben, currency="GTQ", amount="-12.50")
    await correct(operator, "adjust_balance", client_id=ana, currency="GTQ", amount="40")
    await correct(
        operator,
        "pay_missing",
        client_id=ana,
        cash_out_id=sold[0]["id"],
        sats=50,
        amount="10",
        account="commission",
    )
    await correct(operator, "recover_overpayment", client_id=ben, sats=700, pace_percent=50)
    await operator.lamassu.insert([sold[1]])
    await operator.poll()
    batch = [{"client_id": ana, "sats": 7}, {"client_id": ben, "sats": 8}]
    await correct(operator, "compensate", clients=batch, account="commission")
    lines = by_client(await books(operator))
    assert all(line["ok"] for line in lines.values())
    assert lines[ana, "GTQ"]["corrections_minor"] == 4_000 - 1_000
    assert lines[ben, "GTQ"]["corrections_minor"] == -1_250
    assert lines[ben, "GTQ"]["shares_minor"] == 200_000
    await _second_ends()
    found = await operator.api("GET", "reports/wallets")
    assert all(line["ok"] for line in found["wallets"])
    roles = {line["role"]: line for line in found["wallets"]}
    assert roles["commission"]["legs"]["pay_missing"] == -50
    assert roles["commission"]["legs"]["compensate"] == -15
    rules = await commission(operator)
    assert rules["whole"]["wrong"] == 0
    assert rules["impacts"] == [], "what was withheld was got"


async def correct(operator: Operator, action: str, **given: Any) -> None:
    body = {"action": action, "reason_code": "other", "note": "as counted", **given}
    shown = await operator.api("POST", "previews", json=body)
    assert shown["can_execute"], shown
    sums = {name: shown.get(name) for name in ("typed_amount_sats", "typed_amount")}
    await operator.api("POST", f"previews/{shown['preview_id']}/execute", json=sums)
