"""Alerts: one row per condition while it holds, counted when it is met again, resolved when it is
gone. A resolved one stays as history; the same condition, come again, is another row.

Who is told follows from the row's own marks, in the next pass of services/watch.py: an alert that
was raised inside a settlement is committed or rolled back with it, and never told in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lnbits.helpers import urlsafe_short_hash

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row, own
from ..domain.alert_said import Words, words_of
from ..errors import NotFound, SatMachineError, StateConflict
from .alert_rules import severity_of
from .doorbell import doorbell

ALERTS_SHOWN_MAX = 100
ALERTS = "satoshimachine.alerts"


async def raise_alert(
    conn: BooksConnection,
    dedupe_key: str,
    kind: str,
    severity: str,
    words: Words,
    subject_id: str | None = None,
) -> None:
    """Raise an alert, or count it once more when it is there already. `severity` holds unless the
    operator chose another one for this kind.
    """
    now_us = clock.now_us()
    await conn.execute(
        """
        INSERT INTO satoshimachine.alerts (id, dedupe_key, kind, severity, message, hint, said,
            subject_id, first_us, last_us)
        VALUES (:id, :key, :kind, :severity, :message, :hint, :said, :subject, :now, :now)
        ON CONFLICT (dedupe_key) DO UPDATE SET message = :message, hint = :hint, said = :said,
            severity = :severity, last_us = :now, times = alerts.times + 1, resolved_us = NULL
        """,
        {
            "id": urlsafe_short_hash(),
            "key": dedupe_key,
            "kind": kind,
            "severity": severity_of(kind, severity),
            "message": words.message,
            "hint": words.hint,
            "said": words.stored,
            "subject": subject_id,
            "now": now_us,
        },
    )
    conn.after_commit.append(doorbell.ring)


async def resolve_alerts(conn: BooksConnection, dedupe_key: str, now_us: int) -> None:
    """The condition is gone; its key is free for the next time."""
    await conn.execute(
        "UPDATE satoshimachine.alerts SET resolved_us = :now, condition_key = dedupe_key,"
        " dedupe_key = dedupe_key || '#' || id"
        " WHERE dedupe_key = :key AND resolved_us IS NULL",
        {"key": dedupe_key, "now": now_us},
    )


async def alert_now(
    dedupe_key: str,
    kind: str,
    severity: str,
    words: Words,
    subject_id: str | None = None,
) -> None:
    """Raise an alert outside a settlement, also while nothing can be settled."""

    async def work(conn: BooksConnection) -> None:
        await raise_alert(conn, dedupe_key, kind, severity, words, subject_id)

    await own(work)


async def alert_error(dedupe_key: str, kind: str, severity: str, error: SatMachineError) -> None:
    """Raise what an error says of itself."""
    await alert_now(dedupe_key, kind, severity, words_of(error))


async def resolve_now(*dedupe_keys: str) -> None:
    """Resolve alerts outside a settlement; touches nothing when none of them is open."""
    open_keys = await open_of(dedupe_keys)
    if not open_keys:
        return

    async def work(conn: BooksConnection) -> None:
        for key in dedupe_keys:
            if key in open_keys:
                await resolve_alerts(conn, key, clock.now_us())

    await own(work)
    doorbell.ring()


async def open_of(dedupe_keys: Sequence[str]) -> dict[str, Row]:
    """The open alerts of these keys."""

    async def work(conn: BooksConnection) -> list[Row]:
        return await conn.rows_in(
            f"SELECT * FROM {ALERTS} WHERE dedupe_key IN ({{marks}}) AND resolved_us IS NULL",
            list(dedupe_keys),
        )

    return {str(row["dedupe_key"]): row for row in await own(work)}


async def open_alerts() -> Sequence[Any]:
    """Open alerts, worst and newest first."""
    return await crud.fetch_rows(
        "SELECT * FROM satoshimachine.alerts WHERE resolved_us IS NULL"
        " ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END,"
        " last_us DESC LIMIT :most",
        {"most": ALERTS_SHOWN_MAX},
    )


async def get_alert(alert_id: str) -> Row:
    """Raises NotFound."""
    row = await crud.fetch_row(f"SELECT * FROM {ALERTS} WHERE id = :id", {"id": alert_id})
    if row is None:
        raise NotFound("There is no such alert")
    return row


async def acknowledge(alert_id: str, note: str | None, actor: str) -> Row:
    """A person took it: it is told to nobody further up. Raises NotFound or StateConflict."""
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> None:
        hit = await conn.changed(
            f"UPDATE {ALERTS} SET acknowledged_us = :now, acknowledged_by = :actor,"
            " acknowledge_note = :note"
            " WHERE id = :id AND acknowledged_us IS NULL AND resolved_us IS NULL",
            {"now": now_us, "actor": actor, "note": note, "id": alert_id},
        )
        if hit != 1:
            raise StateConflict(
                "This alert was acknowledged already, or its condition is gone",
                hint="Nothing is left to do about it here.",
            )
        await record(
            conn,
            "alert_acknowledged",
            alert_id,
            {"note": note, "kind": known["kind"], "message": known["message"]},
            actor=actor,
            now_us=now_us,
            before={"acknowledged": False},
            after={"acknowledged": True},
        )
        conn.after_commit.append(doorbell.ring)

    known = await get_alert(alert_id)
    await settlement(work)
    return await get_alert(alert_id)
