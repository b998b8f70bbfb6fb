"""The audit trail: one append-only entry per state change and per operator action."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..database import BooksConnection

SYSTEM = "system"


async def record(
    conn: BooksConnection,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
    *,
    actor: str = SYSTEM,
    now_us: int,
) -> None:
    """Append an entry inside the transaction that makes the change. `detail` holds no secret."""
    await conn.execute(
        "INSERT INTO satoshimachine.audit_log (seq, at_us, actor, action, subject, detail)"
        " SELECT COALESCE(MAX(seq), 0) + 1, :at_us, :actor, :action, :subject, :detail"
        " FROM satoshimachine.audit_log",
        {
            "at_us": now_us,
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": json.dumps(detail, sort_keys=True, default=str),
        },
    )


async def record_all(
    conn: BooksConnection,
    action: str,
    subjects: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    actor: str = SYSTEM,
    now_us: int,
) -> None:
    """Append one entry for each (subject, detail) of the same action."""
    last = await conn.row("SELECT COALESCE(MAX(seq), 0) AS seq FROM satoshimachine.audit_log")
    seq = int(last["seq"]) if last else 0
    await conn.insert_rows(
        "satoshimachine.audit_log",
        [
            {
                "seq": seq + number,
                "at_us": now_us,
                "actor": actor,
                "action": action,
                "subject": subject,
                "detail": json.dumps(detail, sort_keys=True, default=str),
            }
            for number, (subject, detail) in enumerate(subjects, start=1)
        ],
    )
