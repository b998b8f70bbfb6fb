"""The audit trail: one append-only entry per state change and per operator action.

Each entry says who, when, from where, and what was before and after where a state changed; its hash
covers the entry before it (domain/audit_link.py). Entries are written inside the transaction that
makes the change, whose lock lets one writer in at a time: the number is the primary key, so the
chain cannot fork. An entry holds no secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..database import BooksConnection
from ..domain.audit_link import START, link
from ..origin import came_from

SYSTEM = "system"
TABLE = "satoshimachine.audit_log"
FIELDS = "seq, at_us, actor, action, subject, detail, origin, before_json, after_json"
UNCHAINED_PER_SLICE = 2_000


async def record(
    conn: BooksConnection,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
    *,
    actor: str = SYSTEM,
    now_us: int,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Append an entry inside the transaction that makes the change. Nothing in it is a secret."""
    state = {"before_json": before, "after_json": after}
    await _append(conn, action, [(subject, detail)], actor, now_us, state)


async def record_all(
    conn: BooksConnection,
    action: str,
    subjects: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    actor: str = SYSTEM,
    now_us: int,
) -> None:
    """Append one entry for each (subject, detail) of the same action."""
    await _append(conn, action, subjects, actor, now_us, {"before_json": None, "after_json": None})


async def _append(
    conn: BooksConnection,
    action: str,
    subjects: Sequence[tuple[str, Mapping[str, Any]]],
    actor: str,
    now_us: int,
    state: Mapping[str, Mapping[str, Any] | None],
) -> None:
    seq, last = await _last(conn)
    rows: list[dict[str, Any]] = []
    for subject, detail in subjects:
        seq += 1
        row: dict[str, Any] = {
            "seq": seq,
            "at_us": now_us,
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": _text(detail),
            "origin": came_from.get(),
            **{name: None if value is None else _text(value) for name, value in state.items()},
            "prev_hash": last,
        }
        last = row["entry_hash"] = link(last, row)
        rows.append(row)
    await conn.insert_rows(TABLE, rows)


def _text(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, default=str)


async def _last(conn: BooksConnection) -> tuple[int, str]:
    """(number, hash) of the last entry."""
    row = await conn.row(f"SELECT seq, entry_hash FROM {TABLE} ORDER BY seq DESC LIMIT 1")
    if row is None:
        return 0, START
    if row["entry_hash"] is not None:
        return int(row["seq"]), str(row["entry_hash"])
    return await _unchained(conn)


async def _unchained(conn: BooksConnection) -> tuple[int, str]:
    """The same where an earlier version, or somebody past us, left entries without a hash.

    They are covered by the entry that comes next; it happens once.
    """
    row = await conn.row(
        f"SELECT seq, entry_hash FROM {TABLE} WHERE entry_hash IS NOT NULL"
        " ORDER BY seq DESC LIMIT 1"
    )
    seq, last = (int(row["seq"]), str(row["entry_hash"])) if row else (0, START)
    while True:
        found = await conn.rows(
            f"SELECT {FIELDS} FROM {TABLE} WHERE seq > :seq ORDER BY seq"
            f" LIMIT {UNCHAINED_PER_SLICE}",
            {"seq": seq},
        )
        for one in found:
            seq, last = int(one["seq"]), link(last, one)
        if len(found) < UNCHAINED_PER_SLICE:
            return seq, last
