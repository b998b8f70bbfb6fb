"""Findings of reconciliation, as corrections need them."""

from __future__ import annotations

from .. import clock
from ..adapters.audit import record
from ..database import BooksConnection
from ..errors import NotFound, StateConflict


async def resolve(
    conn: BooksConnection,
    finding_id: str,
    *,
    actor: str,
    resolution: str,
    correction_id: str | None = None,
) -> None:
    """Close a finding inside the transaction that mends it. Raises NotFound or StateConflict."""
    now_us = clock.now_us()
    row = await conn.row(
        "SELECT status FROM satoshimachine.findings WHERE id = :id", {"id": finding_id}
    )
    if row is None:
        raise NotFound("There is no such finding")
    if row["status"] == "resolved":
        raise StateConflict("This finding is resolved already")
    await conn.execute(
        "UPDATE satoshimachine.findings SET status = 'resolved', resolved_us = :now,"
        " resolved_by = :actor, resolution = :resolution, correction_id = :correction"
        " WHERE id = :id",
        {
            "now": now_us,
            "actor": actor,
            "resolution": resolution,
            "correction": correction_id,
            "id": finding_id,
        },
    )
    await record(
        conn,
        "finding_resolved",
        finding_id,
        {"resolution": resolution, "correction_id": correction_id},
        actor=actor,
        now_us=now_us,
        before={"status": row["status"]},
        after={"status": "resolved"},
    )
