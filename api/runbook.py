"""Routes: the runbook as it stands now, whom to call, its changes and signatures; incidents."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from .. import clock
from ..database import Row
from ..models_runbook import (
    CloseIncident,
    IncidentNote,
    LogChange,
    RecordPhase,
    SaveContact,
    SignOff,
    StartIncident,
)
from ..services import incidents, runbook, runbook_people
from .routing import Actor, AnsweringRoute, IdempotencyKey, changes, once

router = APIRouter(route_class=AnsweringRoute)


@router.get("/runbook")
async def get_runbook() -> dict[str, Any]:
    """The six failures with what shows each now, contacts, changes, signatures, backup facts."""
    found = await runbook.read()
    review = found["review"]
    return {
        **found,
        "contacts": [_contact(row) for row in found["contacts"]],
        "changes": [_logged(row) for row in found["changes"]],
        "signoffs": [_logged(row) for row in found["signoffs"]],
        "review": {"due_at": clock.iso(review["due_us"]), "late": review["late"]},
    }


@router.put("/runbook/contacts/{role}", dependencies=[changes])
async def put_contact(role: str, data: SaveContact, actor: Actor) -> dict[str, Any]:
    """Who is called in this role."""
    await runbook_people.save_contact(role, data, actor)
    rows = await runbook_people.contacts()
    return _contact(next(row for row in rows if row["role"] == role))


@router.post("/runbook/changes", status_code=201, dependencies=[changes])
async def post_change(
    data: LogChange, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """What was changed, for the change log."""

    async def run() -> dict[str, Any]:
        await runbook_people.log_change(data, actor)
        return await get_runbook()

    return await once(key, request, run)


@router.post("/runbook/signoffs", status_code=201, dependencies=[changes])
async def post_signoff(
    data: SignOff, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """That somebody read it; the next review is a quarter from now."""

    async def run() -> dict[str, Any]:
        await runbook_people.sign(data, actor)
        return await get_runbook()

    return await once(key, request, run)


@router.get("/incidents")
async def get_incidents() -> dict[str, Any]:
    """The incidents, those that are open first, then the newest."""
    rows = await incidents.listed()
    return {"data": [_incident(row) for row in rows], "total": len(rows)}


@router.post("/incidents", status_code=201, dependencies=[changes])
async def post_incident(
    data: StartIncident, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Begin one: how everything stands now is written down with it."""

    async def run() -> dict[str, Any]:
        return await get_incident(await incidents.start(data, actor))

    return await once(key, request, run)


@router.get("/incidents/{incident_id}")
async def get_incident(incident_id: str) -> dict[str, Any]:
    """One incident with all that was recorded."""
    row = await incidents.find(incident_id)
    entries = await incidents.entries_of(incident_id)
    return {**_incident(row), "entries": [_entry(entry) for entry in entries]}


@router.post("/incidents/{incident_id}/phases", status_code=201, dependencies=[changes])
async def post_phase(
    incident_id: str,
    data: RecordPhase,
    actor: Actor,
    request: Request,
    key: IdempotencyKey = None,
) -> Any:
    """A phase of the checklist is done."""

    async def run() -> dict[str, Any]:
        await incidents.record_phase(incident_id, data, actor)
        return await get_incident(incident_id)

    return await once(key, request, run)


@router.post("/incidents/{incident_id}/notes", status_code=201, dependencies=[changes])
async def post_note(
    incident_id: str,
    data: IncidentNote,
    actor: Actor,
    request: Request,
    key: IdempotencyKey = None,
) -> Any:
    """Something to write down, with how everything stands now."""

    async def run() -> dict[str, Any]:
        await incidents.add_note(incident_id, data, actor)
        return await get_incident(incident_id)

    return await once(key, request, run)


@router.post("/incidents/{incident_id}/close", dependencies=[changes])
async def post_close(
    incident_id: str,
    data: CloseIncident,
    actor: Actor,
    request: Request,
    key: IdempotencyKey = None,
) -> Any:
    """How it ended and what it cost."""

    async def run() -> dict[str, Any]:
        await incidents.close(incident_id, data, actor)
        return await get_incident(incident_id)

    return await once(key, request, run)


def _incident(row: Row) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("id", "failure", "severity", "note", "opened_by")},
        **{name: row[name] for name in ("closed_by", "outcome", "sats", "clients", "cash_outs")},
        "state": "open" if row["closed_us"] is None else "closed",
        "opened_at": clock.iso(row["opened_us"]),
        "closed_at": clock.iso(row["closed_us"]),
    }


def _entry(row: Row) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("id", "kind", "phase", "note", "actor", "outcome")},
        **{name: row[name] for name in ("sats", "clients", "cash_outs")},
        "at": clock.iso(row["at_us"]),
        "done": json.loads(row["done"]),
        "evidence": json.loads(row["evidence"]),
        "evidence_sha256": incidents.digest_of(row),
    }


def _contact(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: value for name, value in row.items() if name != "updated_us"},
        "updated_at": clock.iso(row["updated_us"]),
    }


def _logged(row: Row) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("id", "role", "name", "note", "actor")},
        "at": clock.iso(row["at_us"]),
    }
