"""Routes: reconciliations, their items, a cash-out's sides, and findings."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from lnbits.db import Filters
from starlette.requests import Request

from ..books import client_names, page
from ..models import Page
from ..models_reconciliation import NoteRequest, ReconcileRequest
from ..services import findings, reconcile
from ..services import reconcile_view as view
from . import answers_reconciliation as answers
from .routing import Actor, AnsweringRoute, IdempotencyKey, changes, once, page_filters

router = APIRouter(route_class=AnsweringRoute)

RunFilters = Annotated[Filters[Any], Depends(page_filters(view.RunFilters))]
ItemFilters = Annotated[Filters[Any], Depends(page_filters(view.ItemFilters))]
FindingFilters = Annotated[Filters[Any], Depends(page_filters(view.FindingFilters))]


@router.post("/reconciliations", status_code=202, dependencies=[changes])
async def post_reconciliation(
    actor: Actor, request: Request, data: ReconcileRequest | None = None, key: IdempotencyKey = None
) -> Any:
    """Compare everything, or what is named; the answer is the run that was begun."""

    async def run() -> dict[str, Any]:
        run_id = await reconcile.queue((data or ReconcileRequest()).scope(), actor=actor)
        reconcile.begin_soon()
        return answers.run(await reconcile.find(run_id))

    return await once(key, request, run)


@router.get("/reconciliations")
async def get_reconciliations(filters: RunFilters) -> Page:
    """A page of runs, newest first."""
    rows, total = await page(view.RUNS, filters)
    return Page(data=[answers.run(row) for row in rows], total=total)


@router.get("/reconciliations/{run_id}")
async def get_reconciliation(run_id: str) -> dict[str, Any]:
    """One run with its progress."""
    return answers.run(await reconcile.find(run_id))


@router.post("/reconciliations/{run_id}/cancel", dependencies=[changes])
async def post_cancel(run_id: str, actor: Actor) -> dict[str, Any]:
    """Stop a run after its present slice; what it found stays."""
    return answers.run(await reconcile.cancel(run_id, actor))


@router.get("/reconciliations/{run_id}/items")
async def get_items(run_id: str, filters: ItemFilters) -> Page:
    """What is not a match: mismatches, what could not be looked at, what is in flight."""
    await reconcile.find(run_id)
    rows, total = await page(view.ITEMS, filters, {"run_id": run_id})
    return Page(data=[answers.item(row) for row in rows], total=total)


@router.get("/transactions/{any_id}/sides")
async def get_sides(any_id: str) -> dict[str, Any]:
    """The sides of one cash-out next to each other, as they are now, and what differs."""
    sides, differing, problem, forged = await view.four_sides(any_id)
    return answers.sides(sides, differing, problem, forged)


@router.get("/findings")
async def get_findings(filters: FindingFilters) -> Page:
    """A page of findings, the newest first."""
    rows, total = await page(view.FINDINGS, filters)
    names = await client_names([str(row["client_id"]) for row in rows if row["client_id"]])
    return Page(data=[answers.finding(row, names) for row in rows], total=total)


@router.get("/findings/{finding_id}")
async def get_finding(finding_id: str) -> dict[str, Any]:
    """One finding with its evidence and its life."""
    row = await findings.find(finding_id)
    names = await client_names([str(row["client_id"])] if row["client_id"] else [])
    return answers.finding_detail(row, names, await findings.notes_of(finding_id))


@router.post("/findings/{finding_id}/acknowledge", dependencies=[changes])
async def post_acknowledge(
    finding_id: str, data: NoteRequest, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """A person knows of it; it is told again only when something else about it changes."""

    async def run() -> dict[str, Any]:
        await findings.acknowledge(finding_id, data.note, actor)
        return await get_finding(finding_id)

    return await once(key, request, run)


@router.post("/findings/{finding_id}/notes", dependencies=[changes])
async def post_note(
    finding_id: str, data: NoteRequest, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Write something down about it."""

    async def run() -> dict[str, Any]:
        await findings.add_note(finding_id, data.note, actor)
        return await get_finding(finding_id)

    return await once(key, request, run)
