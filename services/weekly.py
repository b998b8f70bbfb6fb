"""The weekly audit (SAT-58): its eight items as one stored report, append-only.

Each item has a state, a sentence and the facts behind it, and the moment they were read at, so that
what it lists can be taken away later as it was then (weekly_files.py). A commission wallet that the
operator spends from is no difference (C-SAT-q): what was moved there is compared, not what lies
there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from lnbits.helpers import urlsafe_short_hash

from .. import clock, crud
from ..adapters.audit import SYSTEM, record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row, stored_time
from ..domain.days import datetime_utc
from ..errors import NotFound, SatMachineError
from ..listing import stored_us
from . import dump, health, reports_answers
from .health_source import BAD, DAY_US, META_LOOK, OK, UNKNOWN, WARN
from .periods import read_period
from .reports_sections import read_sections

WEEK_US = 7 * DAY_US
PENDING_LATE_US = 7 * DAY_US  # weekly; health and the overview warn after 48 hours (C-SAT-r)
LISTED_MAX = 52
ROWS_MAX = 100
META_PROGRESS = "weekly_progress"

Item = tuple[str, str, dict[str, Any]]  # state, sentence, facts


async def _books(from_us: int) -> Item:
    """1. The full report, its five sections over the week."""
    first = datetime_utc(from_us).date() - timedelta(days=1)  # whatever the time zone
    zone = (await crud.get_settings()).time_zone
    found = reports_answers.sections(
        await read_sections(read_period(first.isoformat(), None, zone))
    )
    wrong = {name: count for name, count in found["wrong"].items() if count}
    if wrong.get("clients") or wrong.get("splits"):
        return BAD, f"Lines that are wrong: {_counted(wrong)}", found
    return (
        (WARN, f"Lines that wait: {_counted(wrong)}", found)
        if wrong
        else (
            OK,
            "Every line adds up",
            found,
        )
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


async def _tables(from_us: int) -> Item:
    """2. Every table with its rows; the files are made by 'tools.py export' and the exports."""
    rows = {}
    for name in await dump.table_names():
        row = await crud.fetch_row(f"SELECT COUNT(*) AS n FROM satoshimachine.{name}")
        rows[name] = int(row["n"]) if row else 0
    return OK, f"{len(rows)} tables, {sum(rows.values())} rows", {"rows": rows}


async def _commission(from_us: int) -> Item:
    """3. What cash-outs say was paid as commission was moved, to the sat."""
    row = await crud.fetch_row(
        "SELECT (SELECT COALESCE(SUM(commission_sats), 0) FROM satoshimachine.lamassu_transactions"
        " WHERE commission_status = 'paid' AND origin = 'observed') AS told,"
        " (SELECT COALESCE(SUM(amount_sats), 0) FROM satoshimachine.settlement_legs"
        " WHERE kind = 'commission') AS moved,"
        " (SELECT COALESCE(MAX(seq), 0) FROM satoshimachine.ledger_entries) AS seq"
    )
    told, moved, seq = (int(row[name]) if row else 0 for name in ("told", "moved", "seq"))
    facts = {"told_sats": told, "moved_sats": moved, "difference_sats": moved - told}
    facts["ledger_seq"] = seq
    if told != moved:
        return BAD, f"{told} sats are in the books and {moved} were moved", facts
    return OK, f"{told} sats are in the books and were moved", facts


async def _deposits(from_us: int) -> Item:
    """4. Deposits that nobody confirmed for a week."""
    rows = await crud.fetch_rows(
        "SELECT id, client_id, currency, amount_minor, created_at"
        " FROM satoshimachine.dca_deposits"
        f" WHERE status = 'pending' AND created_at < :late ORDER BY created_at LIMIT {ROWS_MAX}",
        {"late": stored_time(clock.now_us() - PENDING_LATE_US)},
    )
    late = [{**row, "created_at": clock.iso(stored_us(row["created_at"]))} for row in rows]
    sentence = f"{len(late)} deposits are pending for more than 7 days" if late else "None"
    return WARN if late else OK, sentence, {"deposits": late}


async def _splits(from_us: int) -> Item:
    """5. The last 20 calculations, computed once more."""
    zone = (await crud.get_settings()).time_zone
    splits = (await read_sections(read_period(None, None, zone))).splits
    wrong = [split for split in splits if not split.ok]
    facts: dict[str, Any] = {"checked": len(splits), "wrong": len(wrong)}
    facts["splits"] = [reports_answers.split(one) for one in splits]
    if wrong:
        return BAD, f"{len(wrong)} of {len(splits)} come out otherwise", facts
    return OK, f"{len(splits)} come out the same", facts


async def _connection(from_us: int) -> Item:
    """6. The connection test, step by step, made for this report."""
    look = await crud.get_meta(META_LOOK)
    steps = look["steps"] if look else []
    bad = next((step for step in steps if step["ok"] is False), None)
    if bad is not None:
        return BAD, str(bad["detail"]), {"steps": steps}
    return (
        (OK, "Every step came through", {"steps": steps})
        if steps
        else (
            UNKNOWN,
            "No connection is saved",
            {},
        )
    )


async def _polls(from_us: int) -> Item:
    """7. Polls of the week, end to end."""
    rows = await crud.fetch_rows(
        "SELECT result, COUNT(*) AS n, SUM(settled) AS settled, MAX(started_us) AS last"
        " FROM satoshimachine.polls WHERE started_us >= :since GROUP BY result",
        {"since": from_us},
    )
    by = {str(row["result"]): int(row["n"]) for row in rows}
    facts: dict[str, Any] = {"by_result": by, "settled": sum(int(row["settled"]) for row in rows)}
    if not by.get("ok"):
        return BAD, "No poll succeeded", facts
    return OK, f"{by['ok']} polls succeeded, {by.get('failed', 0)} failed", facts


async def _errors(from_us: int) -> Item:
    """8. What went wrong in the week: failed polls by reason, and alerts."""
    polls = await crud.fetch_rows(
        "SELECT error_code, COUNT(*) AS n FROM satoshimachine.polls WHERE started_us >= :since"
        " AND error_code IS NOT NULL GROUP BY error_code ORDER BY error_code"
        f" LIMIT {ROWS_MAX}",
        {"since": from_us},
    )
    alerts = await crud.fetch_rows(
        "SELECT kind, severity, message, times, first_us, last_us, resolved_us"
        " FROM satoshimachine.alerts"
        f" WHERE last_us >= :since ORDER BY last_us DESC LIMIT {ROWS_MAX}",
        {"since": from_us},
    )
    reasons = {str(row["error_code"]): int(row["n"]) for row in polls}
    facts = {"polls": reasons, "alerts": [dict(alert) for alert in alerts]}
    is_open = sum(alert["resolved_us"] is None for alert in alerts)
    failed = sum(reasons.values())
    sentence = f"{failed} polls failed, {len(alerts)} alerts, {is_open} of them are open"
    return WARN if is_open else OK, sentence, facts


ITEMS: tuple[tuple[str, Callable[[int], Awaitable[Item]]], ...] = (
    ("books", _books),
    ("tables", _tables),
    ("commission", _commission),
    ("deposits", _deposits),
    ("splits", _splits),
    ("connection", _connection),
    ("polls", _polls),
    ("errors", _errors),
)


async def make(cause: str, actor: str = SYSTEM) -> str:
    """Make and store the report of the last seven days; its id. One item that cannot be read says
    so, and the others are there.
    """
    until_us = clock.now_us()
    from_us = until_us - WEEK_US
    await health.look_for_real()
    items = []
    for number, (name, ask) in enumerate(ITEMS, start=1):
        await crud.set_meta(META_PROGRESS, {"done": number - 1, "of": len(ITEMS)})
        at_us = clock.now_us()
        try:
            state, sentence, facts = await ask(from_us)
        except SatMachineError as exc:
            state, sentence, facts = UNKNOWN, exc.message, {}
        items.append(
            {"number": number, "name": name, "state": state, "detail": sentence, "facts": facts}
            | {"read_at": clock.iso(at_us)}
        )
    await crud.delete_meta(META_PROGRESS)
    report_id = urlsafe_short_hash()
    row = {
        "id": report_id,
        "cause": cause,
        "actor": actor,
        "from_us": from_us,
        "until_us": until_us,
        "made_us": clock.now_us(),
        "state": health.worst(item["state"] for item in items),
        "report": json.dumps(items, default=str),
    }

    async def work(conn: BooksConnection) -> None:
        await conn.insert_rows("satoshimachine.weekly_reports", [row])
        # The trail's hash covers what the report says, from its first minute on.
        facts = {"state": row["state"], "report_sha256": digest_of(str(row["report"]))}
        await record(conn, "weekly_audit", report_id, facts, actor=actor, now_us=clock.now_us())

    await settlement(work)
    return report_id


def digest_of(report: str) -> str:
    """SHA-256 of a report's items as they are stored; the audit entry of its making has it."""
    return hashlib.sha256(report.encode()).hexdigest()


def answer(row: Row) -> dict[str, Any]:
    """A stored report as the API gives it, without its items."""
    return {
        **{name: row[name] for name in ("id", "cause", "actor", "state")},
        "from": clock.iso(row["from_us"]),
        "until": clock.iso(row["until_us"]),
        "made_at": clock.iso(row["made_us"]),
    }


async def listed() -> list[Row]:
    """The stored reports without their items, newest first."""
    return await crud.fetch_rows(
        "SELECT id, cause, actor, from_us, until_us, made_us, state"
        f" FROM satoshimachine.weekly_reports ORDER BY made_us DESC, id LIMIT {LISTED_MAX}"
    )


async def find(report_id: str) -> Row:
    """One report with its items as JSON. Raises NotFound."""
    row = await crud.fetch_row(
        "SELECT * FROM satoshimachine.weekly_reports WHERE id = :id", {"id": report_id}
    )
    if row is None:
        raise NotFound("There is no such report")
    return row
