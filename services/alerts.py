"""Alerts: one row per condition, counted when it is met again, resolved when it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lnbits.helpers import urlsafe_short_hash

from .. import clock, crud
from ..adapters.settlement import settlement
from ..database import BooksConnection
from .doorbell import doorbell

ALERTS_SHOWN_MAX = 100


async def raise_alert(
    conn: BooksConnection,
    dedupe_key: str,
    kind: str,
    severity: str,
    message: str,
    hint: str,
    subject_id: str | None = None,
) -> None:
    """Raise an alert, or count it once more when it is there already."""
    now_us = clock.now_us()
    await conn.execute(
        """
        INSERT INTO satoshimachine.alerts (id, dedupe_key, kind, severity, message, hint,
            subject_id, first_us, last_us)
        VALUES (:id, :key, :kind, :severity, :message, :hint, :subject, :now, :now)
        ON CONFLICT (dedupe_key) DO UPDATE SET message = :message, hint = :hint,
            severity = :severity, last_us = :now, times = alerts.times + 1, resolved_us = NULL
        """,
        {
            "id": urlsafe_short_hash(),
            "key": dedupe_key,
            "kind": kind,
            "severity": severity,
            "message": message,
            "hint": hint,
            "subject": subject_id,
            "now": now_us,
        },
    )
    conn.after_commit.append(doorbell.ring)


async def resolve_alerts(conn: BooksConnection, dedupe_key: str, now_us: int) -> None:
    """The condition is gone."""
    await conn.execute(
        "UPDATE satoshimachine.alerts SET resolved_us = :now"
        " WHERE dedupe_key = :key AND resolved_us IS NULL",
        {"key": dedupe_key, "now": now_us},
    )


async def alert_now(dedupe_key: str, kind: str, severity: str, message: str, hint: str) -> None:
    """Raise an alert outside a settlement."""

    async def work(conn: BooksConnection) -> None:
        await raise_alert(conn, dedupe_key, kind, severity, message, hint)

    await settlement(work)


async def resolve_now(*dedupe_keys: str) -> None:
    """Resolve alerts outside a settlement; touches nothing when none of them is open."""
    open_keys = {row["dedupe_key"] for row in await open_alerts()}
    wanted = [key for key in dedupe_keys if key in open_keys]
    if not wanted:
        return

    async def work(conn: BooksConnection) -> None:
        for key in wanted:
            await resolve_alerts(conn, key, clock.now_us())

    await settlement(work)


async def open_alerts() -> Sequence[Any]:
    """Open alerts, worst and newest first."""
    return await crud.fetch_rows(
        "SELECT * FROM satoshimachine.alerts WHERE resolved_us IS NULL"
        " ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END,"
        " last_us DESC LIMIT :most",
        {"most": ALERTS_SHOWN_MAX},
    )
