"""Intake: what one source row changes in the books. Many rows, one transaction, each by itself.

A stored amount never changes: the snapshot at pickup is final (lamassu.md 3.4). A row that differs
later is reclassified while it is open; once it was settled or skipped the difference is recorded
and shown, never clawed back.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from loguru import logger

from .. import clock, crud
from ..adapters.audit import record, record_all
from ..adapters.lamassu_queries import hour_of
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.alert_said import said
from ..domain.eligibility import SourceRow, Verdict, classify, read_sale
from ..domain.states import HOLD_REASONS, OPEN_STATES, CashOutState, HoldCode, SplitRule
from ..domain.verdicts import FACTS
from .alerts import raise_alert, resolve_alerts
from .gates import refuse_intake
from .settle import alert_held

CHANGING = ("status", "hold_code", "crypto_atoms", "received_crypto_atoms", "fiat_minor")
AMOUNTS = (
    "crypto_code",
    "crypto_atoms",
    "fiat",
    "fiat_code",
    "commission_percentage",
    "discount",
    "raw_ticker_price",
    "created",
)
# Their reason lies in a table beside the sale's row, which is the same as ever.
BESIDE_CODES = (HoldCode.TEST_CUSTOMER.value, HoldCode.DEVICE_UNKNOWN.value)


@dataclass
class Intake:
    """One poll's intake: what every row needs, and what came of it."""

    clock_difference_us: int = 0
    new_rows: int = 0
    changed_rows: int = 0


async def store_rows(rows: Sequence[SourceRow], intake: Intake) -> None:
    """Store or compare these rows in one transaction; one that comes twice counts once."""
    if not rows:
        return
    new, changed = await settlement(storing(rows, intake.clock_difference_us))
    intake.new_rows += new
    intake.changed_rows += changed


def storing(
    rows: Sequence[SourceRow], clock_difference_us: int
) -> Callable[[BooksConnection], Awaitable[tuple[int, int]]]:
    """How many rows were new and how many changed, inside a transaction."""
    rows = list({str(row["id"]): row for row in rows}.values())

    async def work(conn: BooksConnection) -> tuple[int, int]:
        await refuse_intake(conn)
        rule = (await crud.get_settings(conn)).split_rule
        stored = await _stored(conn, [str(row["id"]) for row in rows])
        changed = 0
        touched: set[int | None] = set()
        fresh: list[dict[str, Any]] = []
        for row in rows:
            known = stored.get(str(row["id"]))
            if known is not None:
                if await compare_row(conn, known, row, rule):
                    changed += 1
                    touched |= {known["created_us"], read_sale(row).created_us}
                continue
            verdict = classify(row, rule)
            if verdict.state is not None and row.get("vanished") is None:
                fresh.append(cash_out_row(row, verdict, clock_difference_us))
        await insert_cash_outs(conn, fresh)
        touched |= {one["created_us"] for one in fresh}
        await _read_hours_again(conn, touched)
        return len(fresh), changed

    return work


async def _read_hours_again(conn: BooksConnection, created: Iterable[int | None]) -> None:
    """Until the whole hour is stored, its digest is not that of what is stored: a poll that is
    stopped in between would let the next one take a row that changed back for one it knows.
    """
    for hour_us in sorted({hour_of(moment) for moment in created if moment is not None}):
        await crud.forget_hour(hour_us, conn)


async def _stored(conn: BooksConnection, ids: Sequence[str]) -> dict[str, Row]:
    found = await conn.rows_in(
        "SELECT * FROM satoshimachine.lamassu_transactions"
        " WHERE lamassu_transaction_id IN ({marks})",
        ids,
    )
    return {str(row["lamassu_transaction_id"]): row for row in found}


def cash_out_row(row: SourceRow, verdict: Verdict, clock_difference_us: int) -> dict[str, Any]:
    """A new row of lamassu_transactions; numbers that do not fit stay in source_row as text."""
    sale = read_sale(row)
    return {
        "id": uuid4().hex,
        "lamassu_transaction_id": row["id"],
        "status": verdict.state.value if verdict.state else None,
        "hold_code": verdict.code.value if verdict.code else None,
        "device_id": row.get("device_id"),
        "machine_name": row.get("device_name"),
        "crypto_code": sale.crypto_code,
        "fiat_code": sale.fiat_code,
        "crypto_atoms": sale.crypto_atoms,
        "received_crypto_atoms": sale.received_crypto_atoms,
        "fiat_minor": sale.fiat_minor,
        "commission_percentage": row.get("commission_percentage"),
        "discount": row.get("discount"),
        "raw_ticker_price": row.get("raw_ticker_price"),
        "created_us": sale.created_us,
        "confirmed_at_us": sale.confirmed_at_us,
        "clock_difference_us": clock_difference_us,
        "source_row": json.dumps(dict(row), sort_keys=True),
        "observed_us": clock.now_us(),
    }


async def insert_cash_outs(conn: BooksConnection, cash_outs: Sequence[dict[str, Any]]) -> None:
    """Store cash-outs whose ids were not there a moment ago under the same lock."""
    if not cash_outs:
        return
    await conn.insert_rows("satoshimachine.lamassu_transactions", cash_outs)
    await record_all(
        conn,
        "cash_out_observed",
        [
            (
                x["id"],
                {"lamassu_transaction_id": x["lamassu_transaction_id"], "status": x["status"]},
            )
            for x in cash_outs
        ],
        now_us=cash_outs[0]["observed_us"],
    )
    for cash_out in cash_outs:
        lamassu_id, state = cash_out["lamassu_transaction_id"], cash_out["status"]
        if state == CashOutState.HELD.value and cash_out["hold_code"]:
            await alert_held(conn, cash_out["id"], lamassu_id, HoldCode(cash_out["hold_code"]))
        conn.after_commit.append(
            partial(logger.info, f"event=cash_out_observed id={lamassu_id} status={state}")
        )


async def compare_row(conn: BooksConnection, known: Row, row: SourceRow, rule: SplitRule) -> int:
    """Compare a stored cash-out with what the source says now; 1 when something changed."""
    if known["origin"] != "observed":
        return 0
    before = json.loads(known["source_row"])
    if row.get("vanished") and before.get("vanished"):
        return 0
    if _facts(before) == _facts(row):
        if known["changed_row"] is not None:
            await _change_taken_back(conn, known)
            return 1
        if _reason_beside_is_gone(known, row, rule):
            return await _reclassify(conn, known, before, row, rule)
        return 0
    if CashOutState(known["status"]) not in OPEN_STATES:
        return await _record_change(conn, known, row)
    return await _reclassify(conn, known, before, row, rule)


def _reason_beside_is_gone(known: Row, row: SourceRow, rule: SplitRule) -> bool:
    """The sale's row is as it was, but what held it in a table beside it was repaired."""
    if known["status"] != CashOutState.HELD.value or known["hold_code"] not in BESIDE_CODES:
        return False
    return classify(row, rule) != Verdict(CashOutState.HELD, HoldCode(known["hold_code"]))


def _facts(row: SourceRow) -> list[str | None]:
    return [row.get(name) for name in FACTS] + [row.get("vanished")]


async def _record_change(conn: BooksConnection, known: Row, row: SourceRow) -> int:
    """It changed after it was settled or skipped: say so; money that moved stays moved."""
    text = json.dumps(dict(row), sort_keys=True)
    if known["changed_row"] is not None and _facts(json.loads(known["changed_row"])) == _facts(row):
        return 0
    now_us = clock.now_us()
    await conn.execute(
        "UPDATE satoshimachine.lamassu_transactions SET changed_row = :row, changed_us = :now"
        " WHERE id = :id",
        {"row": text, "now": now_us, "id": known["id"]},
    )
    before = json.loads(known["source_row"])
    names = [name for name in FACTS if before.get(name) != row.get(name)]
    facts = {"lamassu_id": known["lamassu_transaction_id"], "status": known["status"]}
    if row.get("vanished"):
        words = said("source_changed.gone", **facts)
    else:
        words = said("source_changed.facts", names=", ".join(names), **facts)
    await raise_alert(
        conn,
        f"changed:{known['id']}",
        "source_changed",
        "warning",
        words,
        known["id"],
    )
    await record(
        conn,
        "source_changed",
        known["id"],
        {"changed": names, "row": dict(row)},
        now_us=now_us,
        before={name: before.get(name) for name in names},
        after={name: row.get(name) for name in names},
    )
    return 1


async def _change_taken_back(conn: BooksConnection, known: Row) -> None:
    now_us = clock.now_us()
    await conn.execute(
        "UPDATE satoshimachine.lamassu_transactions SET changed_row = NULL, changed_us = NULL"
        " WHERE id = :id",
        {"id": known["id"]},
    )
    await resolve_alerts(conn, f"changed:{known['id']}", now_us)
    await record(conn, "source_change_taken_back", known["id"], {}, now_us=now_us)


async def _reclassify(
    conn: BooksConnection, known: Row, before: SourceRow, row: SourceRow, rule: SplitRule
) -> int:
    """An open cash-out's row changed: where does it belong now?"""
    verdict = classify(row, rule)
    kept_amounts = before.get("first_amounts")
    first = json.loads(kept_amounts) if kept_amounts else {n: before.get(n) for n in AMOUNTS}
    if row.get("vanished"):
        row = {**before, "vanished": "true"}
        verdict = Verdict(CashOutState.HELD, HoldCode.SOURCE_CHANGED)
    elif any(first[name] != row.get(name) for name in AMOUNTS):
        row = {**row, "first_amounts": json.dumps(first)}
        verdict = Verdict(CashOutState.HELD, HoldCode.SOURCE_CHANGED)
    elif verdict.state is None:
        verdict = Verdict(CashOutState.HELD, HoldCode.STATUS_UNEXPECTED)
    fresh = cash_out_row(row, verdict, int(known["clock_difference_us"]))
    for kept in ("id", "lamassu_transaction_id", "observed_us", "clock_difference_us"):
        del fresh[kept]
    changes = ", ".join(f"{name} = :{name}" for name in fresh)
    await conn.execute(
        f"UPDATE satoshimachine.lamassu_transactions SET {changes}, error_message = NULL"
        " WHERE id = :id",
        {**fresh, "id": known["id"]},
    )
    now_us = clock.now_us()
    await record(
        conn,
        "cash_out_reclassified",
        known["id"],
        {"from": known["status"], "to": fresh["status"], "code": fresh["hold_code"]},
        now_us=now_us,
        before={name: known[name] for name in CHANGING},
        after={name: fresh[name] for name in CHANGING},
    )
    if fresh["status"] == CashOutState.HELD.value:
        code = HoldCode(fresh["hold_code"])
        await alert_held(conn, known["id"], known["lamassu_transaction_id"], code)
    else:
        await resolve_alerts(conn, f"held:{known['id']}", now_us)
    moved = f"id={known['lamassu_transaction_id']} from={known['status']} to={fresh['status']}"
    conn.after_commit.append(partial(logger.info, f"event=cash_out_reclassified {moved}"))
    return 1


async def release_if_eligible(conn: BooksConnection, known: Row, rule: SplitRule) -> None:
    """A held cash-out whose reason lay in a setting: pending again when the row itself is fine."""
    if classify(json.loads(known["source_row"]), rule).state is not CashOutState.PENDING:
        return
    now_us = clock.now_us()
    await conn.execute(
        "UPDATE satoshimachine.lamassu_transactions SET status = 'pending', hold_code = NULL"
        " WHERE id = :id AND status = 'held'",
        {"id": known["id"]},
    )
    await record(
        conn,
        "cash_out_released",
        known["id"],
        {"rule": rule.value},
        now_us=now_us,
        before={"status": CashOutState.HELD.value, "hold_code": known["hold_code"]},
        after={"status": CashOutState.PENDING.value},
    )
    await resolve_alerts(conn, f"held:{known['id']}", now_us)


async def hold_overdue(now_us: int) -> None:
    """A sale that is still running after the grace time needs a person."""
    settings = await crud.get_settings()
    limit_us = now_us - settings.watch_grace_s * 1_000_000
    overdue = await crud.fetch_rows(
        "SELECT id, lamassu_transaction_id, hold_code"
        " FROM satoshimachine.lamassu_transactions"
        " WHERE status = 'watching' AND observed_us < :limit LIMIT 1000",
        {"limit": limit_us},
    )
    if not overdue:
        return

    async def work(conn: BooksConnection) -> None:
        for row in overdue:
            hit = await conn.changed(
                "UPDATE satoshimachine.lamassu_transactions SET status = 'held',"
                " hold_code = :code, error_message = :was WHERE id = :id AND status = 'watching'",
                {
                    "code": HoldCode.WATCHED_TOO_LONG.value,
                    "was": HOLD_REASONS[HoldCode(row["hold_code"])],
                    "id": row["id"],
                },
            )
            if hit:
                await record(
                    conn,
                    "cash_out_held",
                    row["id"],
                    {"code": HoldCode.WATCHED_TOO_LONG.value},
                    now_us=now_us,
                    before={"status": CashOutState.WATCHING.value, "hold_code": row["hold_code"]},
                    after={"status": CashOutState.HELD.value},
                )
                await alert_held(
                    conn, row["id"], row["lamassu_transaction_id"], HoldCode.WATCHED_TOO_LONG
                )

    await settlement(work)
