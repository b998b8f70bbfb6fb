"""Who is told of which alert: messages are written down in one commit with the alert's own mark,
and sent afterwards (services/deliver.py). A crash loses none and writes none twice.

Alerts of one kind that come together are one message: two hundred held cash-outs are one trouble.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from .. import clock, crud
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.alert_rules import worst
from ..domain.telling import GATHER_S, Event, QuietHours, Told, due, hears, send_at_us
from .alert_rules import current, read_settings, rule_of
from .alerts import ALERTS
from .channels import all_channels

PER_PASS_MAX = 500  # alerts looked at; the others come with the next pass
DELIVERIES = "satoshimachine.alert_deliveries"

# What may be due: not told yet, open and told (worse or not taken), gone and not said so.
MAYBE_DUE = (
    f"SELECT * FROM {ALERTS} WHERE resolved_us IS NULL AND kind NOT IN ({{muted}})"
    " AND (told_us IS NULL OR acknowledged_us IS NULL OR severity <> told_severity)"
    f" ORDER BY CASE WHEN told_us IS NULL THEN 0 ELSE 1 END, first_us LIMIT {PER_PASS_MAX}",
    f"SELECT * FROM {ALERTS} WHERE cleared_us IS NULL AND resolved_us IS NOT NULL"
    f" AND kind NOT IN ({{muted}}) ORDER BY resolved_us LIMIT {PER_PASS_MAX}",
)


async def tell() -> int:
    """Write down every message that is due now; how many."""
    now_us = clock.now_us()
    muted = {f"m{i}": rule.kind for i, rule in enumerate(current().values()) if not rule.told}
    marks = ", ".join(f":{name}" for name in muted) or "''"
    queries = [query.format(muted=marks) for query in MAYBE_DUE]
    found = [row for query in queries for row in await crud.fetch_rows(query, muted)]
    wanted = [row for row in found if await _due(row, now_us) is not None]
    if not wanted and not any(_silent_end(row) for row in found):
        return 0
    return await settlement(lambda conn: _write(conn, [row["id"] for row in found], now_us))


def _silent_end(row: Row) -> bool:
    """It is over before anybody was told: nothing is said, and it need not be looked at again."""
    return row["resolved_us"] is not None and row["told_us"] is None


async def _due(row: Row, now_us: int, conn: BooksConnection | None = None) -> Told | None:
    before = None
    if row["told_us"] is None:
        found = await crud.fetch_row(
            f"SELECT MAX(told_us) AS us FROM {ALERTS} WHERE condition_key = :key",
            {"key": row["dedupe_key"]},
            conn,
        )
        before = int(found["us"]) if found and found["us"] is not None else None
    return due(row, rule_of(row["kind"]), now_us, before)


async def _write(conn: BooksConnection, ids: Sequence[str], now_us: int) -> int:
    """Looked at again inside the transaction: what changed meanwhile is told as it is now."""
    settings = await read_settings(conn)
    zone = (await crud.get_settings(conn)).time_zone
    ends = settings.quiet_to_minute if settings.quiet_hours else settings.quiet_from_minute
    quiet = QuietHours(settings.quiet_from_minute, ends, zone)
    channels = await all_channels(conn)
    groups: dict[tuple[str, Event, int], list[tuple[Row, Told]]] = defaultdict(list)
    rows = await conn.rows_in(f"SELECT * FROM {ALERTS} WHERE id IN ({{marks}})", ids)
    for row in sorted(rows, key=lambda row: int(row["first_us"])):
        told = await _due(row, now_us, conn)
        if told is not None:
            groups[row["kind"], told.event, told.level].append((row, told))
        elif _silent_end(row):
            await _mark(conn, [row["id"]], {"cleared_us": now_us})
    written: list[dict[str, Any]] = []
    for (kind, event, _), group in groups.items():
        if event is Event.RAISED and await _just_told(conn, kind, now_us):
            continue
        written += _messages(group, channels, quiet, now_us)
        for row, told in group:
            await _mark(conn, [row["id"]], _marks(row, told, now_us))
    await conn.insert_rows(DELIVERIES, written)
    return len(written)


async def _just_told(conn: BooksConnection, kind: str, now_us: int) -> bool:
    """Of this kind somebody was told a moment ago: what comes now is gathered."""
    row = await conn.row(
        f"SELECT MAX(told_us) AS us FROM {ALERTS} WHERE kind = :kind", {"kind": kind}
    )
    last_us = int(row["us"]) if row and row["us"] is not None else None
    return last_us is not None and 0 <= now_us - last_us < GATHER_S * 1_000_000


def _messages(
    group: Sequence[tuple[Row, Told]],
    channels: Sequence[Row],
    quiet: QuietHours,
    now_us: int,
) -> list[dict[str, Any]]:
    """One message a channel that hears any of the group."""
    written = []
    for channel in channels:
        heard = [(row, told) for row, told in group if hears(channel, told)]
        if not heard or channel["kind"] == "ping":
            continue
        row, told = heard[0]
        severity = worst(one.severity for _, one in heard)
        body = {
            "event": told.event.value,
            "severity": severity,
            "kind": row["kind"],
            "message": row["message"],
            "hint": row["hint"],
            "alert_id": row["id"],
            "subject_id": row["subject_id"],
            "count": len(heard),
            "since": clock.iso(int(row["first_us"])),
            "at": clock.iso(now_us),
        }
        waits = rule_of(row["kind"]).can_wait and severity != "critical"
        written.append(
            delivery(
                body,
                channel_id=channel["id"],
                alert_id=row["id"],
                now_us=now_us,
                next_us=send_at_us(now_us, quiet, can_wait=waits),
            )
        )
    return written


def delivery(
    body: Mapping[str, Any],
    *,
    now_us: int,
    channel_id: str | None = None,
    client_id: str | None = None,
    alert_id: str | None = None,
    next_us: int | None = None,
) -> dict[str, Any]:
    """A row of deliveries."""
    return {
        "id": uuid4().hex,
        "channel_id": channel_id,
        "client_id": client_id,
        "alert_id": alert_id,
        "event": body["event"],
        "severity": body["severity"],
        "body": json.dumps(body),
        "status": "waiting",
        "attempts": 0,
        "created_us": now_us,
        "next_us": now_us if next_us is None else next_us,
        "last_us": None,
        "last_result": None,
    }


def _marks(row: Row, told: Told, now_us: int) -> dict[str, Any]:
    """What the alert remembers of having been told."""
    if told.event is Event.CLEAR:
        return {"cleared_us": now_us}
    if told.event is Event.ESCALATED:
        return {"escalations": int(row["escalations"]) + 1, "escalated_us": now_us}
    return {"told_us": now_us, "told_severity": row["severity"]}


async def _mark(conn: BooksConnection, ids: Sequence[str], marks: Mapping[str, Any]) -> None:
    changes = ", ".join(f"{name} = :{name}" for name in marks)
    for one in ids:
        await conn.execute(f"UPDATE {ALERTS} SET {changes} WHERE id = :id", {**marks, "id": one})
