"""Incidents: begun, five phases of a checklist, closed. Every step is an entry that stays as it is.

What the server saw at each step is written down with it. An entry's id is made of what it records,
so that a phase and the end are recorded once, whoever is faster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lnbits.helpers import urlsafe_short_hash

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.runbook import LINES, Course, refusal
from ..errors import BadInput, NotFound, StateConflict
from ..models_runbook import CloseIncident, IncidentNote, RecordPhase, StartIncident
from . import incident_evidence

INCIDENTS = "satoshimachine.incidents"
ENTRIES = "satoshimachine.incident_entries"
LISTED_MAX = 200
ENTRIES_MAX = 500  # of one incident
NOTES_MAX = ENTRIES_MAX - 10  # the phases and the end always have room
OPEN_FIRST = "CASE WHEN c.id IS NULL THEN 0 ELSE 1 END"
LISTED = (
    "SELECT i.*, c.at_us AS closed_us, c.actor AS closed_by, c.outcome, c.sats, c.clients,"
    f" c.cash_outs FROM {INCIDENTS} i LEFT JOIN {ENTRIES} c ON c.incident_id = i.id"
    " AND c.kind = 'closed'"
)


async def start(data: StartIncident, actor: str) -> str:
    """Begin one; its id."""
    incident_id, now_us = urlsafe_short_hash(), clock.now_us()
    evidence = incident_evidence.as_text(await incident_evidence.collect())
    row = {
        "id": incident_id,
        **data.dict(),
        "opened_us": now_us,
        "opened_by": actor,
    }

    async def work(conn: BooksConnection) -> None:
        await conn.insert_rows(INCIDENTS, [row])
        entry = _entry(incident_id, "opened", actor, now_us, data.note, evidence)
        told = {"failure": data.failure, "severity": data.severity}
        await _append(conn, entry, told)

    await settlement(work)
    return incident_id


async def record_phase(incident_id: str, data: RecordPhase, actor: str) -> None:
    """Write down that a phase is done: once, and after the ones before it.

    Raises NotFound, BadInput, StateConflict.
    """
    if any(line > LINES[data.phase] for line in data.done):
        raise BadInput(f"Phase {data.phase} has {LINES[data.phase]} lines")
    more = {"phase": data.phase, "done": json.dumps(data.done)}
    told = {"phase": data.phase, "done": data.done}
    await _go_on(incident_id, "phase", f"phase-{data.phase}", data.note, actor, told, more)


async def add_note(incident_id: str, data: IncidentNote, actor: str) -> None:
    """Something that happened in between. Raises NotFound, StateConflict."""
    await _go_on(incident_id, "note", f"note-{urlsafe_short_hash()}", data.note, actor, {}, {})


async def close(incident_id: str, data: CloseIncident, actor: str) -> None:
    """How it ended, with its sums; after all phases, but for a false alarm.

    Raises NotFound, StateConflict.
    """
    sums = {name: getattr(data, name) for name in ("outcome", "sats", "clients", "cash_outs")}
    await _go_on(incident_id, "closed", "closed", data.note, actor, sums, sums)


async def _go_on(
    incident_id: str,
    kind: str,
    named: str,
    note: str,
    actor: str,
    told: Mapping[str, Any],
    more: Mapping[str, Any],
) -> None:
    await find(incident_id)  # before the evidence, which takes its time
    evidence = incident_evidence.as_text(await incident_evidence.collect())
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> None:
        entries = await entries_of(incident_id, conn)
        why = refusal(_course(entries), kind, phase=more.get("phase"), outcome=more.get("outcome"))
        if why is None and kind == "note" and len(entries) >= NOTES_MAX:
            why = ("This incident has too many notes", "Close it and begin another one.")
        if why is not None:
            raise StateConflict(why[0], hint=why[1])
        entry = _entry(incident_id, kind, actor, now_us, note, evidence)
        await _append(conn, {**entry, **more, "id": f"{incident_id}:{named}"}, told)

    await settlement(work)


def _course(entries: Sequence[Row]) -> Course:
    return Course(
        frozenset(int(row["phase"]) for row in entries if row["phase"] is not None),
        any(row["kind"] == "closed" for row in entries),
    )


def _entry(
    incident_id: str, kind: str, actor: str, now_us: int, note: str, evidence: str
) -> dict[str, Any]:
    return {
        "id": f"{incident_id}:{kind}",
        "incident_id": incident_id,
        "kind": kind,
        "phase": None,
        "done": "[]",
        "note": note,
        "at_us": now_us,
        "actor": actor,
        "evidence": evidence,
        "outcome": None,
        "sats": None,
        "clients": None,
        "cash_outs": None,
    }


async def _append(conn: BooksConnection, entry: dict[str, Any], told: Mapping[str, Any]) -> None:
    await conn.insert_rows(ENTRIES, [entry])
    facts = {"note": entry["note"], "evidence_sha256": incident_evidence.digest(entry["evidence"])}
    await record(
        conn,
        f"incident_{entry['kind']}",
        entry["incident_id"],
        {**facts, **told},
        actor=entry["actor"],
        now_us=entry["at_us"],
    )


async def find(incident_id: str, conn: BooksConnection | None = None) -> Row:
    """One incident with how it ended, if it did. Raises NotFound."""
    row = await crud.fetch_row(f"{LISTED} WHERE i.id = :id", {"id": incident_id}, conn)
    if row is None:
        raise NotFound("There is no such incident")
    return row


async def entries_of(incident_id: str, conn: BooksConnection | None = None) -> list[Row]:
    """What happened in it, in its order."""
    return await crud.fetch_rows(
        f"SELECT * FROM {ENTRIES} WHERE incident_id = :id ORDER BY at_us, id LIMIT {ENTRIES_MAX}",
        {"id": incident_id},
        conn,
    )


async def listed() -> list[Row]:
    """The newest, those that are open first."""
    return await crud.fetch_rows(
        f"{LISTED} ORDER BY {OPEN_FIRST}, i.opened_us DESC, i.id LIMIT {LISTED_MAX}"
    )


def digest_of(entry: Row) -> str:
    """Of what the server saw: the audit trail has the same one (its entry of that moment)."""
    return incident_evidence.digest(str(entry["evidence"]))
