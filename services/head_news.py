"""The daily head of the audit trail, sent to where nobody of this machine can change it: whoever
rewrites the whole trail cannot rewrite what a channel was told the day before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..database import BooksConnection
from .channels import all_channels
from .telling import DELIVERIES, delivery


async def write_news(conn: BooksConnection, head: Mapping[str, Any], now_us: int) -> int:
    """One message to each channel that hears of everything; in the commit that notes the head.
    Returns how many.
    """
    body = {
        "event": "head",
        "severity": "info",
        "kind": "audit_head",
        "message": f"Audit trail on {head['noted_on']}: entry {head['seq']}, head {head['hash']}",
        "hint": "Keep it. Books → Audit trail finds by it whether the trail was rewritten.",
        "alert_id": None,
        "subject_id": head["hash"],
        "count": 1,
    }
    wanted = [
        channel
        for channel in await all_channels(conn)
        if channel["enabled"] and channel["kind"] != "ping" and channel["min_severity"] == "info"
    ]
    rows = [delivery(body, channel_id=channel["id"], now_us=now_us) for channel in wanted]
    if rows:
        await conn.insert_rows(DELIVERIES, rows)
    return len(rows)
