"""Whom to call, what was changed in the runbook, who signed it, and when it is read again (SAT-60,
SAT-61).
"""

from __future__ import annotations

from typing import Any

from lnbits.helpers import urlsafe_short_hash

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.days import US_PER_S
from ..domain.runbook import ROLES, review_base_us
from ..errors import NotFound
from ..models_runbook import LogChange, SaveContact, SignOff
from .alert_rules import rule_of
from .connection import META_ARMED

CONTACTS = "satoshimachine.runbook_contacts"
LOG = "satoshimachine.runbook_log"
LISTED_MAX = 200
REVIEW = "runbook_review"
DAY_US = 86_400 * US_PER_S


async def contacts() -> list[dict[str, Any]]:
    """One line a role, also where nobody is named yet."""
    rows = await crud.fetch_rows(f"SELECT * FROM {CONTACTS} LIMIT {len(ROLES)}")
    stored = {str(row["role"]): row for row in rows}
    empty = {**SaveContact().dict(), "updated_us": None}
    return [{"role": role, **empty, **dict(stored.get(role, {}))} for role in ROLES]


async def save_contact(role: str, data: SaveContact, actor: str) -> None:
    """Raises NotFound. The audit trail, which forgets nothing, keeps what changed, not the
    person's address and number.
    """
    if role not in ROLES:
        raise NotFound("There is no such role", hint=f"It is one of {', '.join(ROLES)}.")
    row = {"role": role, **data.dict(), "updated_us": clock.now_us()}

    async def work(conn: BooksConnection) -> None:
        was = await conn.row(f"SELECT * FROM {CONTACTS} WHERE role = :role", {"role": role})
        before = dict(was) if was else SaveContact().dict()
        changed = sorted(name for name, value in data.dict().items() if before[name] != value)
        sets = ", ".join(f"{name} = excluded.{name}" for name in row if name != "role")
        await conn.insert_rows(
            CONTACTS, [row], on_conflict=f"ON CONFLICT (role) DO UPDATE SET {sets}"
        )
        told = {"changed": changed}
        await record(conn, "contact_saved", role, told, actor=actor, now_us=row["updated_us"])

    await settlement(work)


async def log_change(data: LogChange, actor: str) -> None:
    """What was changed, by whom."""
    await _log("change", None, data, actor)


async def sign(data: SignOff, actor: str) -> None:
    """That somebody read the runbook; the next review is a quarter from now."""
    await _log("signoff", data.role, data, actor)


async def _log(kind: str, role: str | None, data: LogChange, actor: str) -> None:
    row: dict[str, Any] = {
        "id": urlsafe_short_hash(),
        "kind": kind,
        "role": role,
        "name": data.name,
        "note": data.note,
        "at_us": clock.now_us(),
        "actor": actor,
    }

    async def work(conn: BooksConnection) -> None:
        await conn.insert_rows(LOG, [row])
        told = {name: row[name] for name in ("role", "name", "note") if row[name]}
        now_us = clock.now_us()
        await record(conn, f"runbook_{kind}", row["id"], told, actor=actor, now_us=now_us)

    await settlement(work)


async def log(kind: str) -> list[Row]:
    """The newest first."""
    return await crud.fetch_rows(
        f"SELECT * FROM {LOG} WHERE kind = :kind ORDER BY at_us DESC, id LIMIT {LISTED_MAX}",
        {"kind": kind},
    )


async def review_from_us(conn: BooksConnection | None = None) -> int | None:
    """From when the time to the next review counts; None: nobody is asked yet."""
    row = await crud.fetch_row(
        f"SELECT at_us FROM {LOG} WHERE kind = 'signoff' ORDER BY at_us DESC LIMIT 1", None, conn
    )
    armed = await crud.get_meta(META_ARMED, conn)
    return review_base_us(int(row["at_us"]) if row else None, armed["at_us"] if armed else None)


async def review() -> dict[str, Any]:
    """When it was signed last and when it is due."""
    base_us = await review_from_us()
    due_us = base_us + rule_of(REVIEW).threshold_us if base_us is not None else None
    return {
        "from_us": base_us,
        "due_us": due_us,
        "late": due_us is not None and clock.now_us() > due_us,
    }
