"""The dead-man ping: a service outside hears of every poll that succeeded, and alarms when it does
not (healthchecks style). It is the only watch that notices that LNbits itself is gone.
"""

from __future__ import annotations

from .. import clock, crud
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from .channels import CHANNELS, all_channels
from .telling import DELIVERIES, delivery


async def queue_pings() -> int:
    """One ping a channel for the newest poll that ended, unless it was told already; how many."""
    channels = [row for row in await all_channels() if row["kind"] == "ping" and row["enabled"]]
    if not channels:
        return 0
    poll = await crud.fetch_row(
        "SELECT id, result FROM satoshimachine.polls WHERE result <> 'running'"
        " ORDER BY started_us DESC LIMIT 1"
    )
    behind = [row for row in channels if poll is not None and row["last_poll_id"] != poll["id"]]
    if poll is None or not behind:
        return 0
    return await settlement(lambda conn: _write(conn, behind, poll))


async def _write(conn: BooksConnection, channels: list[Row], poll: Row) -> int:
    now_us = clock.now_us()
    failed = poll["result"] != "ok"
    body = {"event": "ping", "severity": "info", "path": "/fail" if failed else ""}
    for channel in channels:
        # One that is still waiting would say less than this one does.
        await conn.execute(
            f"DELETE FROM {DELIVERIES} WHERE channel_id = :id AND event = 'ping'"
            " AND status = 'waiting'",
            {"id": channel["id"]},
        )
        await conn.execute(
            f"UPDATE {CHANNELS} SET last_poll_id = :poll WHERE id = :id",
            {"poll": poll["id"], "id": channel["id"]},
        )
        await conn.insert_rows(
            DELIVERIES, [delivery(body, channel_id=channel["id"], now_us=now_us)]
        )
    return len(channels)
