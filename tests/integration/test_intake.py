"""Rows come late, unfinished, twice, in any order, and change: each is paid once or explained.

lamassu.md 3.5: no timestamp in a row is a safe mark; peer.md b and g is what a mark costs.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from satmachineadmin import crud
from satmachineadmin import transaction_processor as processor
from satmachineadmin.adapters.lamassu_postgres import PAGE_ROWS_MAX
from satmachineadmin.dev import sample_rows
from satmachineadmin.errors import DatabaseBusy
from support.lnbits_app import make_account
from support.operator import LONG_AGO, Operator, ago
from support.trouble import (
    block_outgoing,
    last_success,
    markup_split,
    move_our_clock,
    open_alerts,
    pass_time,
    settings,
    state_of,
    stored,
)

NOW = object()
# What ends each running sale (lamassu.md 3.3), and nothing else.
FINISH: dict[str, dict[str, Any]] = {
    "paid_not_dispensed": {"dispense": True, "dispense_confirmed": True},
    "dispensed_not_confirmed": {"dispense_confirmed": True},
    "authorized_and_dispensed": {"status": "confirmed", "confirmed_at": NOW},
}


async def finish(operator: Operator, kind: str, row: dict[str, Any]) -> None:
    changes = {k: ago() if v is NOW else v for k, v in FINISH[kind].items()}
    await operator.lamassu.update(row["id"], **changes)


async def rows_read(operator: Operator) -> int:
    """How many rows the next poll reads."""
    return int((await operator.poll())["report"]["observed"]["rows_read"])


async def paid_once(operator: Operator, client: str, *rows: dict[str, Any]) -> None:
    """These sales are completed, this only client has exactly their base, and it stays so."""
    expected = sum(markup_split(row)[0] for row in rows)
    for _ in range(2):
        for row in rows:
            assert await state_of(operator, row["id"]) == ("completed", None)
        assert (await operator.balances())[client] == expected
        await operator.poll()


# ---- running sales --------------------------------------------------------------------


@pytest.mark.parametrize("kind", FINISH)
async def test_a_running_sale_releases_itself(operator: Operator, kind: str) -> None:
    """design.md 2: `watching` until the machine has finished, then paid without a person."""
    client = await operator.add_client()
    row = sample_rows.WATCHED[kind]()
    await operator.lamassu.insert([row])
    await operator.poll()
    assert (await state_of(operator, row["id"]))[0] == "watching"
    assert not await open_alerts(operator)
    assert not any((await operator.balances()).values())
    await finish(operator, kind, row)
    assert (await operator.poll())["transactions_processed"] == 1
    await paid_once(operator, client, row)


@pytest.mark.parametrize("kind", FINISH)
async def test_a_running_sale_that_does_not_end_needs_a_person(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """After the grace time it is held with an alert; finished after all, it is paid."""
    client = await operator.add_client()
    row = sample_rows.WATCHED[kind]()
    await operator.lamassu.insert([row])
    await operator.poll()
    pass_time(monkeypatch, timedelta(hours=23, minutes=50))
    await operator.poll()
    assert (await state_of(operator, row["id"]))[0] == "watching"
    pass_time(monkeypatch, timedelta(hours=24, minutes=10))
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "watched_too_long")
    (alert,) = (await open_alerts(operator))["cash_out_held"]
    assert row["id"] in alert["message"]
    await operator.poll()
    assert (await open_alerts(operator))["cash_out_held"][0]["times"] == 1
    await finish(operator, kind, row)
    assert (await operator.poll())["transactions_processed"] == 1
    assert not await open_alerts(operator)
    await paid_once(operator, client, row)


async def test_the_grace_time_is_the_operators(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settings(operator, watch_grace_s=3_600)
    row = sample_rows.dispensed_not_confirmed()
    await operator.lamassu.insert([row])
    await operator.poll()
    pass_time(monkeypatch, timedelta(minutes=61))
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "watched_too_long")


async def test_a_running_sale_that_goes_wrong_is_held(operator: Operator) -> None:
    await operator.add_client()
    row = sample_rows.dispensed_not_confirmed()
    await operator.lamassu.insert([row])
    await operator.poll()
    await operator.lamassu.update(row["id"], error="sample: the dispenser is jammed")
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "source_error")
    assert (await open_alerts(operator))["cash_out_held"]


# ---- late, out of order, at once, many ------------------------------------------------


async def test_a_row_that_appears_after_the_poll_it_belonged_to(operator: Operator) -> None:
    """Confirmed before the last poll and visible only after it: lost by the peer (peer.md g)."""
    client = await operator.add_client()
    first = sample_rows.sale(confirmed_at=ago(minutes=1))
    await operator.lamassu.insert([first])
    await operator.poll()
    late = sample_rows.sale(confirmed_at=ago(hours=2))
    later = sample_rows.sale(confirmed_at=ago(days=20))
    await operator.lamassu.insert([late, later])
    assert (await operator.poll())["transactions_processed"] == 2
    await paid_once(operator, client, first, late, later)


async def test_a_row_created_40_days_ago_is_found_by_the_weekly_comparison(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older than the window of each poll; the full look closes the rest (design.md 5)."""
    client = await operator.add_client()
    await operator.poll()
    row = sample_rows.sale(confirmed_at=ago(days=39), created=ago(days=40))
    await operator.lamassu.insert([row])
    await operator.poll()
    assert not await stored(operator, row["id"])
    pass_time(monkeypatch, timedelta(days=7, minutes=1))
    answer = await operator.poll()
    assert answer["report"]["observed"]["full_comparison"] is True
    await paid_once(operator, client, row)
    assert (await operator.api("GET", "polls"))["data"][0]["full_comparison"] is False


async def test_an_old_running_sale_is_looked_at_outside_the_window(operator: Operator) -> None:
    """What is stored and open is asked for by its id, however old it is."""
    client = await operator.add_client()
    row = sample_rows.dispensed_not_confirmed(confirmed_at=ago(days=60))
    await operator.lamassu.insert([row])
    await operator.poll()
    assert (await state_of(operator, row["id"]))[0] == "watching"
    await operator.poll()
    await finish(operator, "dispensed_not_confirmed", row)
    assert (await operator.poll())["transactions_processed"] == 1
    await paid_once(operator, client, row)


async def test_rows_in_one_poll_are_settled_by_confirmation_not_by_arrival(
    operator: Operator,
) -> None:
    """Oldest first, ties by id: two clients, one of them with little (peer.md g: newest first)."""
    client = await operator.add_client("250")
    newest = sample_rows.sale(confirmed_at=ago(minutes=1), created=ago(hours=9))
    middle = sample_rows.sale(confirmed_at=ago(minutes=2), created=ago(minutes=3))
    oldest = sample_rows.sale(confirmed_at=ago(minutes=3), created=ago(hours=20))
    await operator.lamassu.insert([newest, middle, oldest])
    await operator.poll()
    drawn = [(await operator.cash_out(r["id"]))["drawn_minor"] for r in (oldest, middle, newest)]
    assert drawn == [10_000, 10_000, 5_000]
    assert await operator.remaining_minor(client) == 0


async def test_five_rows_of_the_same_microsecond(operator: Operator) -> None:
    client = await operator.add_client()
    moment = ago(minutes=3).replace(microsecond=123_456)
    rows = [sample_rows.sale(confirmed_at=moment, created=moment) for _ in range(5)]
    await operator.lamassu.insert(rows[:2])
    await operator.poll()
    await operator.lamassu.insert(rows[2:])
    assert (await operator.poll())["transactions_processed"] == 3
    await paid_once(operator, client, *rows)


async def test_more_rows_in_one_hour_than_a_page_holds(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All created in one microsecond, so that the page's border falls between equals."""
    count, sold, at_once = PAGE_ROWS_MAX + 20, 70, 60
    monkeypatch.setattr(processor, "SETTLE_PER_TICK_MAX", at_once)
    client = await operator.add_client("1000")
    moment = {"confirmed_at": ago(minutes=3), "created": ago(minutes=3)}
    rows = [sample_rows.sale(fiat=1, **moment) for _ in range(sold)]
    others = [sample_rows.partly_dispensed(**moment) for _ in range(count - sold)]
    await operator.lamassu.insert([*others, *rows])
    first = await operator.poll()
    assert first["report"]["observed"]["new_rows"] == count
    assert first["transactions_processed"] == at_once
    assert first["report"]["more"] is True  # a tick is bounded; the next one goes on
    assert (await operator.poll())["transactions_processed"] == sold - at_once
    assert (await operator.balances())[client] == sold * markup_split(rows[0])[0]
    assert await operator.remaining_minor(client) == 100_000 - sold * 100
    assert (await operator.poll())["transactions_processed"] == 0


async def test_a_row_that_changed_back_after_a_stopped_poll(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulation's seed 466: the change was stored, the hour's digest was not, and the next
    look finds the hour as it was before.
    """
    await operator.add_client()
    row = sample_rows.paid_not_dispensed()
    await operator.lamassu.insert([row])
    await operator.poll()
    store_hours, stopped = crud.store_hours, DatabaseBusy("stopped")

    async def stop(_: Any) -> None:
        raise stopped

    monkeypatch.setattr(crud, "store_hours", stop)
    await operator.lamassu.update(row["id"], error="Operator cancel")
    await operator.api("POST", "manual-poll", expect=503)
    assert (await operator.cash_out(row["id"]))["status"] == "held"
    monkeypatch.setattr(crud, "store_hours", store_hours)
    await operator.lamassu.update(row["id"], error=None)
    await operator.poll()
    assert (await operator.cash_out(row["id"]))["status"] == "watching"


async def test_an_empty_poll_reads_no_row(operator: Operator) -> None:
    """One query that counts; nothing new, nothing read."""
    await operator.add_client()
    rows = [sample_rows.sale(confirmed_at=ago(hours=i)) for i in range(5)]
    watched = sample_rows.dispensed_not_confirmed()
    await operator.lamassu.insert([*rows, watched])
    assert await rows_read(operator) == 6
    before = await last_success(operator)
    assert await rows_read(operator) == 0
    assert (await last_success(operator) or "") > (before or "")
    poll = (await operator.api("GET", "polls"))["data"][0]
    assert (poll["result"], poll["rows_read"], poll["new_rows"]) == ("ok", 0, 0)
    # Only the hour of the new sale is read again.
    await operator.lamassu.insert([sample_rows.sale(confirmed_at=ago(hours=30))])
    assert await rows_read(operator) == 1


# ---- rows that change -----------------------------------------------------------------

CHANGES: dict[str, dict[str, Any]] = {
    "cancelled": {"error": "Operator cancel"},  # lamassu.md 3.3: the server does not refuse it
    "status": {"status": "insufficientFunds"},
    "amount": {"crypto_atoms": 99_900},
    "fiat": {"fiat": "500"},
    "commission": {"commission_percentage": "0.01"},
    "not_confirmed": {"dispense_confirmed": False},
    "unpaid": {"status": "notSeen", "confirmed_at": None, "dispense": False},
    "other_coin": {"crypto_code": "ETH"},
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_after_settlement_is_told_and_nothing_is_taken_back(
    operator: Operator, change: str
) -> None:
    """Money that moved stays moved; the operator is told, until the change is taken back."""
    client = await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    await operator.poll()
    before = await operator.cash_out(row["id"])
    balances = await operator.balances()

    await operator.lamassu.update(row["id"], **CHANGES[change])
    assert (await operator.poll())["transactions_processed"] == 0
    await changed_and_alerted(operator, row["id"], *CHANGES[change])
    found = await operator.cash_out(row["id"])
    same = {k: v for k, v in found.items() if k not in ("changed_row", "changed_at", "events")}
    assert same == {k: before[k] for k in same}
    assert await operator.balances() == balances
    assert await operator.remaining_minor(client) == 290_000

    await operator.poll()
    assert (await open_alerts(operator))["source_changed"][0]["times"] == 1

    await operator.lamassu.update(row["id"], **{k: row[k] for k in CHANGES[change]})
    await operator.poll()
    await taken_back(operator, row["id"])
    await paid_once(operator, client, row)


async def changed_and_alerted(operator: Operator, lamassu_id: str, *names: str) -> None:
    found = await operator.cash_out(lamassu_id)
    assert found["changed_row"] is not None
    assert found["changed_at"]
    (alert,) = (await open_alerts(operator))["source_changed"]
    assert lamassu_id in alert["message"]
    assert all(name in alert["message"] for name in names)
    assert alert["hint"]
    assert [e["action"] for e in found["events"]].count("source_changed") == 1


async def taken_back(operator: Operator, lamassu_id: str) -> None:
    found = await operator.cash_out(lamassu_id)
    assert (found["changed_row"], found["changed_at"]) == (None, None)
    assert "source_changed" not in await open_alerts(operator)


async def test_a_settled_row_that_disappears(operator: Operator) -> None:
    client = await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    await operator.poll()
    await operator.lamassu.execute("DELETE FROM cash_out_txs WHERE id = $1::text::uuid", row["id"])
    await operator.poll()
    await changed_and_alerted(operator, row["id"], "is gone")
    await operator.poll()
    assert (await open_alerts(operator))["source_changed"][0]["times"] == 1
    await operator.lamassu.insert([row])
    await operator.poll()
    await taken_back(operator, row["id"])
    await paid_once(operator, client, row)


async def test_a_settled_row_leaves_an_hour_that_has_others(operator: Operator) -> None:
    """The hour is read again; what is stored of it and no longer in it is looked for."""
    await operator.add_client()
    at = datetime.now(timezone.utc).replace(minute=30)  # both in one hour, whatever the time is
    first, second = (sample_rows.sale(confirmed_at=at, created=at) for _ in range(2))
    await operator.lamassu.insert([first, second])
    await operator.poll()
    gone = first["id"]
    await operator.lamassu.execute("DELETE FROM cash_out_txs WHERE id = $1::text::uuid", gone)
    await operator.poll()
    await changed_and_alerted(operator, gone, "is gone")


async def test_a_row_that_disappears_before_it_was_settled(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pending sale whose row is gone is not paid; back again, it is."""
    client = await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    block_outgoing(monkeypatch)
    await operator.poll()
    await operator.lamassu.empty()
    block_outgoing(monkeypatch, False)
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "source_changed")
    assert not any((await operator.balances()).values())
    await operator.lamassu.insert([row])
    await operator.poll()
    await paid_once(operator, client, row)


async def test_an_old_row_that_disappeared_is_told_once(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older than the window it is asked for by every poll: one alert, one line of history."""
    row = sample_rows.sale(confirmed_at=ago(days=60))
    await operator.lamassu.insert([row])
    block_outgoing(monkeypatch)
    await operator.add_client()
    await operator.poll()
    await operator.lamassu.empty()
    for _ in range(3):
        await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "source_changed")
    (alert,) = (await open_alerts(operator))["cash_out_held"]
    assert alert["times"] == 1
    events = [e["action"] for e in (await operator.cash_out(row["id"]))["events"]]
    assert events.count("cash_out_reclassified") == 1


async def test_changed_vanished_and_back_is_still_changed(operator: Operator) -> None:
    """Going away and coming back does not wash a changed amount."""
    await operator.add_client()
    row = sample_rows.dispensed_not_confirmed()
    await operator.lamassu.insert([row])
    await operator.poll()
    changed = {**row, "crypto_atoms": 999_900, "received_crypto_atoms": 999_900}
    for there in ([changed], [], [{**changed, "dispense_confirmed": True}]):
        await operator.lamassu.empty()
        await operator.lamassu.insert(there)
        await operator.poll()
        assert await state_of(operator, row["id"]) == ("held", "source_changed")
    assert not any((await operator.balances()).values())


@pytest.mark.parametrize("change", ["amount", "fiat", "commission"])
async def test_an_amount_that_changes_before_settlement_is_held(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Lamassu never changes an amount (lamassu.md 3.4): somebody did, so a person looks."""
    await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    block_outgoing(monkeypatch)
    await operator.poll()
    block_outgoing(monkeypatch, False)
    await operator.lamassu.update(row["id"], **CHANGES[change])
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "source_changed")
    assert (await open_alerts(operator))["cash_out_held"]
    assert not any((await operator.balances()).values())
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "source_changed")


async def test_a_changed_amount_is_not_forgotten_when_the_sale_finishes(
    operator: Operator,
) -> None:
    """The amount of a running sale was changed; that its notes came out is no reason to pay it."""
    await operator.add_client()
    row = sample_rows.dispensed_not_confirmed()
    await operator.lamassu.insert([row])
    await operator.poll()
    await operator.lamassu.update(row["id"], crypto_atoms=999_900, received_crypto_atoms=999_900)
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "source_changed")
    await finish(operator, "dispensed_not_confirmed", row)
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "source_changed")
    assert not any((await operator.balances()).values())


async def test_a_changed_amount_that_is_taken_back_is_paid_as_it_was(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """design.md 2: held until the source's reason disappears there."""
    client = await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    block_outgoing(monkeypatch)
    await operator.poll()
    block_outgoing(monkeypatch, False)
    await operator.lamassu.update(row["id"], fiat="500")
    await operator.poll()
    await operator.lamassu.update(row["id"], fiat=row["fiat"])
    await operator.poll()
    await paid_once(operator, client, row)


@pytest.mark.parametrize(
    ("build", "repair"),
    [
        (sample_rows.insufficient_after_confirmed, {"status": "confirmed"}),
        (sample_rows.instant, {"status": "confirmed", "confirmed_at": NOW}),
        (sample_rows.confirmed_with_error, {"error": None}),
    ],
)
async def test_a_held_row_is_released_when_the_source_repairs_it(
    operator: Operator, build: Any, repair: dict[str, Any]
) -> None:
    """The reason disappears there, the alert here, and the sale is paid."""
    client = await operator.add_client()
    row = build()
    await operator.lamassu.insert([row])
    await operator.poll()
    assert (await state_of(operator, row["id"]))[0] == "held"
    changes = {k: ago() if v is NOW else v for k, v in repair.items()}
    await operator.lamassu.update(row["id"], **changes)
    assert (await operator.poll())["transactions_processed"] == 1
    assert not await open_alerts(operator)
    await paid_once(operator, client, row)


@pytest.mark.parametrize(
    ("build", "repaired_by", "undone_by"),
    [
        (
            sample_rows.on_unknown_device,
            f"INSERT INTO devices (device_id, name) VALUES ('{sample_rows.UNKNOWN_MACHINE}', 'x')",
            f"DELETE FROM devices WHERE device_id = '{sample_rows.UNKNOWN_MACHINE}'",
        ),
        (
            sample_rows.by_test_customer,
            "UPDATE customers SET is_test_customer = false"
            f" WHERE id = '{sample_rows.TEST_CUSTOMER}'",
            "UPDATE customers SET is_test_customer = true"
            f" WHERE id = '{sample_rows.TEST_CUSTOMER}'",
        ),
    ],
    ids=["device_known_now", "no_test_customer_any_more"],
)
async def test_a_held_row_is_released_when_the_tables_beside_it_are_repaired(
    operator: Operator, build: Any, repaired_by: str, undone_by: str
) -> None:
    """design.md 2: held until a person or the source says otherwise. The row itself is as it was;
    the reason lay in `devices` or `customers`.
    """
    client = await operator.add_client()
    row = build()
    await operator.lamassu.insert([row])
    await operator.poll()
    assert (await state_of(operator, row["id"]))[0] == "held"
    await operator.lamassu.execute(repaired_by)
    try:
        assert (await operator.poll())["transactions_processed"] == 1
        await paid_once(operator, client, row)
    finally:
        await operator.lamassu.execute(undone_by)


@pytest.mark.parametrize("kind", ["confirmed_with_error", "dispensed_not_confirmed"])
async def test_a_skipped_row_stays_skipped(operator: Operator, kind: str) -> None:
    """The operator said no: whatever the source says later, nothing is paid."""
    await operator.add_client()
    row = sample_rows.ALL_KINDS[kind]()
    await operator.lamassu.insert([row])
    await operator.poll()
    await operator.api("POST", f"transactions/{row['id']}/skip", json={"reason": "refunded"})
    assert not await open_alerts(operator)
    await operator.lamassu.update(row["id"], error=None, dispense_confirmed=True)
    await operator.poll()
    assert (await state_of(operator, row["id"]))[0] == "skipped"
    assert (await open_alerts(operator))["source_changed"]
    refused = await operator.api("POST", f"process-transaction/{row['id']}", expect=409)
    assert refused["code"] == "STATE_CONFLICT"
    assert not any((await operator.balances()).values())


# ---- start point and configuration ----------------------------------------------------


async def test_an_earlier_start_point_brings_older_sales_in_once(operator: Operator) -> None:
    """SAT-67: explicit, shown beforehand, and paid once however often it is moved."""
    client = await operator.add_client()
    old, new = sample_rows.sale(confirmed_at=ago(days=50)), sample_rows.sale()
    await settings(operator, start_at=ago(hours=1).isoformat())
    await operator.lamassu.insert([old, new])
    await operator.poll()
    await operator.poll()
    assert not await stored(operator, old["id"])
    preview = await operator.api("GET", "start-point/preview", params={"start_at": LONG_AGO})
    assert (preview["cash_outs"], preview["sats"]) == (
        2,
        old["crypto_atoms"] + new["crypto_atoms"],
    )
    for start in (LONG_AGO, ago(minutes=30).isoformat(), "2026-02-01T00:00:00Z"):
        await settings(operator, start_at=start)
        await operator.poll()
        await paid_once(operator, client, old, new)


async def test_a_later_start_point_keeps_what_is_stored(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await operator.add_client()
    row = sample_rows.sale(confirmed_at=ago(hours=5))
    await operator.lamassu.insert([row])
    block_outgoing(monkeypatch)
    await operator.poll()
    await settings(operator, start_at=ago(hours=1).isoformat())
    block_outgoing(monkeypatch, False)
    assert (await operator.poll())["transactions_processed"] == 1
    await paid_once(operator, client, row)


async def test_a_running_sale_before_a_later_start_point_still_finishes(
    operator: Operator,
) -> None:
    """It was stored before the start point moved; its customer has paid."""
    client = await operator.add_client()
    row = sample_rows.dispensed_not_confirmed(confirmed_at=ago(hours=5))
    await operator.lamassu.insert([row])
    await operator.poll()
    await settings(operator, start_at=ago(hours=1).isoformat())
    await operator.poll()
    await finish(operator, "dispensed_not_confirmed", row)
    assert (await operator.poll())["transactions_processed"] == 1
    await paid_once(operator, client, row)


async def test_the_first_start_point_is_a_day_before_the_first_save(operator: Operator) -> None:
    """SAT-67: without an earlier poll, the last 24 hours."""
    from satmachineadmin.crud import db

    await db.execute("DELETE FROM satoshimachine.operator_settings")
    await operator.add_client()
    inside = sample_rows.sale(confirmed_at=ago(hours=23))
    outside = sample_rows.sale(confirmed_at=ago(hours=25))
    await operator.lamassu.insert([inside, outside])
    await operator.api("POST", "config", json=operator.connection())
    assert (await operator.poll())["transactions_processed"] == 1
    assert await stored(operator, inside["id"])
    assert not await stored(operator, outside["id"])


async def test_forgetting_the_connection_and_saving_it_again_goes_on(operator: Operator) -> None:
    """Books and start point stay; what came meanwhile is paid, what was paid is not."""
    client = await operator.add_client()
    before, meanwhile = sample_rows.sale(confirmed_at=ago(days=2)), sample_rows.sale()
    await operator.lamassu.insert([before])
    await operator.poll()
    config = await operator.api("GET", "config")
    start = (await operator.api("GET", "settings"))["start_at"]
    await operator.api("DELETE", f"config/{config['id']}")
    refused = await operator.api("POST", "manual-poll", expect=503)
    assert refused["code"] == "NOT_CONFIGURED"
    await operator.lamassu.insert([meanwhile])
    await operator.api("POST", "config", json=operator.connection())
    assert (await operator.api("GET", "settings"))["start_at"] == start
    assert (await operator.poll())["transactions_processed"] == 1
    await paid_once(operator, client, before, meanwhile)


async def test_another_database_is_looked_at_from_the_beginning(operator: Operator) -> None:
    """The way to the source changed: everything is compared, nothing paid again."""
    client = await operator.add_client()
    row = sample_rows.sale(confirmed_at=ago(days=50))
    await operator.lamassu.insert([row])
    await operator.poll()
    body = operator.connection(host="localhost")
    await operator.api("POST", "config", json=body)
    assert (await operator.poll())["report"]["observed"]["rows_read"] == 1
    await paid_once(operator, client, row)


# ---- deposits in time -----------------------------------------------------------------


async def confirm(operator: Operator, client: str, fiat: str, **more: Any) -> None:
    body = {"client_id": client, "amount": fiat, "currency": "GTQ"}
    deposit = await operator.api("POST", "deposits", json=body)
    await operator.api(
        "PUT", f"deposits/{deposit['id']}/status", json={"status": "confirmed", **more}
    )


async def test_a_deposit_confirmed_after_the_sale_does_not_count_for_it(
    operator: Operator,
) -> None:
    """peer.md g: B's later deposit took half of what was A's."""
    early, late = await operator.add_client("3000"), await operator.add_client("0")
    row = sample_rows.sale(fiat=2000, confirmed_at=ago(minutes=10))
    await operator.lamassu.insert([row])
    await confirm(operator, late, "3000")
    await operator.poll()
    balances = await operator.balances()
    assert (balances[early], balances[late]) == (markup_split(row)[0], 0)
    assert await operator.remaining_minor(late) == 300_000
    after = sample_rows.sale(fiat=2000, confirmed_at=ago(seconds=-1))
    await operator.lamassu.insert([after])
    await operator.poll()
    assert (await operator.balances())[late] > 0


async def test_a_deposit_that_lay_in_the_machine_before_the_sale_counts(
    operator: Operator,
) -> None:
    """design.md 3.3: `effective_at` says from when the cash counts."""
    client = await operator.add_client("0")
    row = sample_rows.sale(confirmed_at=ago(minutes=10))
    await operator.lamassu.insert([row])
    await confirm(operator, client, "3000", effective_at=ago(minutes=11).isoformat())
    await operator.poll()
    await paid_once(operator, client, row)


async def test_a_later_deposit_adds_to_the_next_sale_only(operator: Operator) -> None:
    """The earlier part of a balance counts, the later part does not."""
    client = await operator.add_client("100")
    await confirm(operator, client, "500", effective_at=ago(minutes=5).isoformat())
    before = sample_rows.sale(fiat=300, confirmed_at=ago(minutes=10))
    after = sample_rows.sale(fiat=300, confirmed_at=ago(minutes=1))
    await operator.lamassu.insert([before, after])
    await operator.poll()
    drawn = [(await operator.cash_out(r["id"]))["drawn_minor"] for r in (before, after)]
    assert drawn == [10_000, 30_000]
    assert await operator.remaining_minor(client) == 20_000


async def test_a_pending_or_cancelled_deposit_never_counts(operator: Operator) -> None:
    user_id, wallet_id = await make_account()
    body = {"user_id": user_id, "wallet_id": wallet_id}
    client = (await operator.api("POST", "clients", json=body))["id"]
    for status in (None, "cancelled"):
        body = {"client_id": client, "amount": "3000", "currency": "GTQ"}
        deposit = await operator.api("POST", "deposits", json=body)
        if status:
            await operator.api("PUT", f"deposits/{deposit['id']}/status", json={"status": status})
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "no_client_balance")


# ---- two clocks -----------------------------------------------------------------------


def lamassu_now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.mark.parametrize("ahead_s", [-30, 30])
async def test_the_difference_of_the_clocks_is_measured(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    """Lamassu's clock minus ours, within a second, in the settings and in the status."""
    move_our_clock(monkeypatch, timedelta(seconds=-ahead_s))
    await operator.poll()
    for where in ("settings", "status"):
        found = (await operator.api("GET", where))["clock_difference_us"]
        assert found == pytest.approx(ahead_s * 1_000_000, abs=1_000_000)


async def test_a_deposit_after_the_sale_by_a_clock_that_is_behind(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our clock is 30 s behind. The sale came 10 s before the deposit, though the bare numbers
    say 20 s after it: the deposit does not count.
    """
    move_our_clock(monkeypatch, timedelta(seconds=-30))
    client = await operator.add_client("0")
    row = sample_rows.sale(confirmed_at=lamassu_now() - timedelta(seconds=10))
    await confirm(operator, client, "3000")
    await operator.lamassu.insert([row])
    await operator.poll()
    assert await state_of(operator, row["id"]) == ("held", "no_client_balance")


async def test_a_deposit_before_the_sale_by_a_clock_that_is_ahead(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our clock is 30 s ahead. The deposit came 5 s before the sale, though the bare numbers say
    25 s after it: it counts.
    """
    move_our_clock(monkeypatch, timedelta(seconds=30))
    client = await operator.add_client("0")
    await confirm(operator, client, "3000")
    row = sample_rows.sale(confirmed_at=lamassu_now() + timedelta(seconds=5))
    await operator.lamassu.insert([row])
    await operator.poll()
    await paid_once(operator, client, row)


async def test_an_atm_clock_that_is_ahead_pays_once(operator: Operator) -> None:
    """A sale of the future, seen by every poll until then (peer.md b)."""
    client = await operator.add_client()
    row = sample_rows.sale(confirmed_at=lamassu_now() + timedelta(seconds=30))
    await operator.lamassu.insert([row])
    for _ in range(3):
        await operator.poll()
    await paid_once(operator, client, row)
