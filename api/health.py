"""Routes: health, what is halted and how work is resumed, and what is done by the clock."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .. import clock
from ..books import client_names
from ..database import Row
from ..models import ReasonRequest
from ..models_health import HaltRequest
from ..services import evidence, halts, health, resuming, schedules, weekly, weekly_files
from . import answers_reconciliation
from .routing import Actor, AnsweringRoute, IdempotencyKey, changes, once

router = APIRouter(route_class=AnsweringRoute)


@router.get("/health")
async def get_health() -> dict[str, Any]:
    """Every check as it is now, with its state, since when, and the next step."""
    return _health(await health.read_health())


@router.post("/health/check", dependencies=[changes])
async def post_check(actor: Actor) -> dict[str, Any]:
    """Look for real, at the ATM server and the audit trail, and remember what was found."""
    return _health(await health.check_health(look=True, actor=actor))


def _health(found: health.Health) -> dict[str, Any]:
    return {
        "state": found.state,
        "at": clock.iso(found.at_us),
        "checked_at": clock.iso(found.checked_us),
        "checks": [
            {
                "name": check.name,
                "state": check.state,
                "since": clock.iso(check.since_us),
                "detail": check.detail,
                "hint": check.hint,
                "code": check.code,
                "facts": check.facts,
            }
            for check in found.checks
        ],
        "status": found.status,
        "reconciliation": found.reconciliation,
        "reconciliation_mismatches_total": health.mismatches_seen(),
        "findings": found.findings,
        "alerts": found.alerts,
    }


@router.get("/halts")
async def get_halts() -> dict[str, Any]:
    """What is halted now, newest first, and what was lifted lately."""
    found = await halts.listed()
    names = await client_names(
        [str(row["subject"]) for rows in found.values() for row in rows if row["scope"] == "client"]
    )
    return {kind: [_halt(row, names) for row in rows] for kind, rows in found.items()}


@router.post("/halts", status_code=201, dependencies=[changes])
async def post_halt(
    data: HaltRequest, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Stop something: intake, settlement, a machine, a client, or everything."""

    async def run() -> dict[str, Any]:
        halt = await halts.put(data.scope, data.subject, data.reason, actor)
        await health.preflight()  # the page's first line shows it at once
        return _halt(halt, {})

    return await once(key, request, run)


@router.post("/halts/{halt_id}/lift", dependencies=[changes])
async def post_lift(
    halt_id: str, data: ReasonRequest, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """What it stopped goes on; settlement and everything are resumed step by step instead."""

    async def run() -> dict[str, Any]:
        halt = await halts.lift(halt_id, data.reason, actor)
        await health.preflight()
        return _halt(halt, {})

    return await once(key, request, run)


def _halt(row: Row, names: dict[str, str | None]) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("id", "scope", "subject", "cause", "reason", "set_by")},
        "subject_name": names.get(str(row["subject"])),
        "set_at": clock.iso(row["set_us"]),
        "lifted_at": clock.iso(row["lifted_us"]),
        "lifted_by": row["lifted_by"],
        "lift_reason": row["lift_reason"],
    }


@router.get("/resuming")
async def get_resuming() -> dict[str, Any]:
    """Where the way back to work stands."""
    found = await resuming.read()
    run = found["run"]
    return {
        **{name: found[name] for name in ("needed", "step")},
        "begun_at": clock.iso(found["begun_us"]),
        "steps": [
            {"at": clock.iso(one["at_us"]), "by": one["by"], "detail": one["detail"]}
            for one in found["steps"]
        ],
        "run": None if run is None else answers_reconciliation.run(run),
        "watched_until": clock.iso(found["watch_until_us"]),
    }


@router.post("/resuming/begin", dependencies=[changes])
async def post_begin(
    data: ReasonRequest, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Look at everything; when it is green, lift what stops the whole and let work by hand."""

    async def run() -> dict[str, Any]:
        await resuming.begin(data.reason, actor)
        await health.preflight()
        return await get_resuming()

    return await once(key, request, run)


@router.post("/resuming/settle", dependencies=[changes])
async def post_settle(actor: Actor, request: Request, key: IdempotencyKey = None) -> Any:
    """Settle the oldest cash-out that waits, one, by hand."""

    async def run() -> dict[str, Any]:
        done = await resuming.settle_one(actor)
        return {**await get_resuming(), **done}

    return await once(key, request, run)


@router.post("/resuming/reconcile", dependencies=[changes])
async def post_reconcile(actor: Actor, request: Request, key: IdempotencyKey = None) -> Any:
    """Compare what happened since the last good reconciliation."""

    async def run() -> dict[str, Any]:
        await resuming.reconcile_it(actor)
        return await get_resuming()

    return await once(key, request, run)


@router.post("/resuming/automatic", dependencies=[changes])
async def post_automatic(actor: Actor, request: Request, key: IdempotencyKey = None) -> Any:
    """Automatic work again, when the reconciliation ended without a difference."""

    async def run() -> dict[str, Any]:
        await resuming.finish(actor)
        await health.preflight()
        return await get_resuming()

    return await once(key, request, run)


@router.get("/schedules")
async def get_schedules() -> dict[str, Any]:
    """What is done by the clock: when it was done last, when it comes next, how far it is."""
    return {
        "data": [
            {
                "name": one["name"],
                "last_at": clock.iso(one["last_us"]),
                "next_at": clock.iso(one["next_us"]),
                "progress": one["progress"],
            }
            for one in await schedules.read()
        ]
    }


@router.get("/weekly-reports")
async def get_weekly_reports() -> dict[str, Any]:
    """The stored weekly audits, newest first."""
    rows = await weekly.listed()
    return {"data": [weekly.answer(row) for row in rows], "total": len(rows)}


@router.post("/weekly-reports", status_code=201, dependencies=[changes])
async def post_weekly_report(actor: Actor, request: Request, key: IdempotencyKey = None) -> Any:
    """Make one now, of the last seven days."""

    async def run() -> dict[str, Any]:
        return await get_weekly_report(await weekly.make("manual", actor))

    return await once(key, request, run)


@router.get("/weekly-reports/{report_id}")
async def get_weekly_report(report_id: str) -> dict[str, Any]:
    """One weekly audit with its eight items, as it was stored."""
    row = await weekly.find(report_id)
    return {**weekly.answer(row), "items": json.loads(row["report"])}


@router.get("/weekly-reports/{report_id}/file")
async def get_weekly_file(report_id: str) -> Response:
    """The same as a file to keep."""
    found = await get_weekly_report(report_id)
    name = f"satmachineadmin-weekly-{str(found['made_at'])[:10]}.json"
    return Response(
        json.dumps(found, indent=1),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/weekly-reports/{report_id}/files.zip", response_class=StreamingResponse)
async def get_weekly_files(report_id: str) -> StreamingResponse:
    """What each of its items lists as CSV, the report itself, and a manifest with checksums."""
    name, packed = await weekly_files.pack(report_id)
    return StreamingResponse(
        evidence.pieces(packed),
        media_type=evidence.MEDIA_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            # LNbits would pack it, and what is packed ends like a whole file.
            "Content-Encoding": "identity",
        },
    )
