"""Daily balance snapshots: what was true when the day ended, once, missed days as well."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta, timezone

import pytest
from support.machine import change, fetch
from support.operator import BASE, Operator
from support.sold_days import SoldDays, sell_some_days

DAY_US = 86_400_000_000


@pytest.fixture
async def days(operator: Operator) -> SoldDays:
    from satmachineadmin.services import snapshots

    snapshots.forget()
    await change("DELETE FROM satoshimachine.meta WHERE name = 'snapshots_last_day'")
    return await sell_some_days(operator)


def later(monkeypatch: pytest.MonkeyPatch, **forward: float) -> None:
    """The clock goes on; each call from the real time."""
    import time

    from satmachineadmin import clock

    ns = int(timedelta(**forward).total_seconds()) * 1_000_000_000
    monkeypatch.setattr(clock, "source", lambda: time.time_ns() + ns)


async def expected(day: date) -> dict[tuple[str, str], int]:
    """By the entries' amounts, not by what the product says an entry left."""
    end_us = int(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp()) * 10**6
    held: dict[tuple[str, str], int] = defaultdict(int)
    moved = set()
    for row in await fetch("SELECT * FROM satoshimachine.ledger_entries"):
        if row["created_us"] < end_us + DAY_US:
            held[row["account"], row["unit"]] += row["amount"]
            if row["created_us"] >= end_us:
                moved.add((row["account"], row["unit"]))
    return {key: balance for key, balance in held.items() if balance or key in moved}


async def stored(day: date) -> dict[tuple[str, str], int]:
    rows = await fetch(
        "SELECT * FROM satoshimachine.balance_snapshots WHERE day = :day",
        {"day": day.isoformat()},
    )
    return {(row["account"], row["unit"]): row["balance"] for row in rows}


async def test_missed_days_are_filled_with_what_was_true_then(
    operator: Operator, days: SoldDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import snapshots

    today = datetime.now(timezone.utc).date()
    monkeypatch.setattr(snapshots, "ACCOUNTS_PER_SLICE", 2)
    later(monkeypatch, days=2)
    await operator.deposit(days.clients[0], "10.01", effective_at="2026-01-02T00:00:00Z")
    later(monkeypatch, days=5)
    assert await snapshots.take_due_snapshots() == 3
    assert await snapshots.take_due_snapshots() == 2
    assert await snapshots.take_due_snapshots() == 0
    for offset in range(5):
        day = today + timedelta(days=offset)
        assert await stored(day) == await expected(day) != {}, day
    before, after = [await stored(today + timedelta(days=n)) for n in (1, 2)]
    key = (f"client:{days.clients[0]}", "GTQ")
    assert after[key] - before[key] == 1001
    # A second time, and by a process that does not know: not one row more.
    rows = await fetch("SELECT * FROM satoshimachine.balance_snapshots ORDER BY 1, 2, 3")
    snapshots.forget()
    assert await snapshots.take_due_snapshots() == 0
    for offset in range(5):
        assert await snapshots.take_snapshots(today + timedelta(days=offset)) == 0
    assert rows == await fetch("SELECT * FROM satoshimachine.balance_snapshots ORDER BY 1, 2, 3")


async def test_a_client_sees_their_days_and_nobody_rewrites_them(
    operator: Operator, days: SoldDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import snapshots

    later(monkeypatch, days=2)
    await snapshots.take_due_snapshots()
    client = days.clients[2]
    found = await operator.api("GET", f"clients/{client}/snapshots", params={"limit": 2})
    assert found["total"] == 2
    newest, before = found["data"]
    assert newest["day"] > before["day"]
    remaining = await operator.remaining_minor(client, "USD")
    assert newest["balances"] == [
        {
            "currency": "USD",
            "balance_minor": remaining,
            "balance": f"{remaining // 100}.{remaining % 100:02}",
        }
    ]
    shares = await fetch(
        "SELECT SUM(amount_sats) AS sats FROM satoshimachine.dca_payments WHERE client_id = :id",
        {"id": client},
    )
    assert newest["paid_sats"] == shares[0]["sats"]
    with pytest.raises(Exception, match="append-only"):
        await change("UPDATE satoshimachine.balance_snapshots SET balance = 0")
    answer = await operator.http.get(f"{BASE}/clients/nobody/snapshots")
    assert answer.status_code == 404


async def test_the_first_fill_goes_back_a_month_at_most(
    operator: Operator, days: SoldDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import snapshots

    monkeypatch.setattr(snapshots, "DAYS_PER_VISIT", 100)
    later(monkeypatch, days=90)
    assert await snapshots.take_due_snapshots() == snapshots.DAYS_FILLED_MAX
