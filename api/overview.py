"""Routes: the state of everything at a glance, and what a person must look at first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from lnbits.db import Filters

from .. import books
from ..models import Page, ReasonRequest
from ..services import gates, overview, readiness
from ..services.alerts import open_alerts
from ..services.doorbell import doorbell
from ..transaction_processor import progress
from . import answers
from .routing import Actor, AnsweringRoute, changes, page_filters

router = APIRouter(route_class=AnsweringRoute)


@router.get("/status")
async def get_status() -> dict[str, Any]:
    """Is every cash-out paid, is the feed live, what needs me."""
    found = await overview.read_overview(running=progress.phase != "idle")
    return {
        **found,
        "doorbell": doorbell.item_id,
        "last_poll": answers.poll(found["last_poll"]),
        "progress": {**vars(progress), "per_minute": progress.per_minute()},
        "readiness": [line.dict() for line in readiness.last_lines()],
        "alerts": [answers.alert(row) for row in await open_alerts()],
    }


@router.post("/readiness", dependencies=[changes])
async def post_readiness(actor: Actor) -> dict[str, Any]:
    """Run the start-up checks again."""
    return {"readiness": [line.dict() for line in await readiness.check_again(actor)]}


@router.post("/resume/{gate}", dependencies=[changes])
async def post_resume(gate: str, data: ReasonRequest, actor: Actor) -> dict[str, bool]:
    """A person looked at what stopped money work (halt, takeover, restore) and lets it go on."""
    await gates.open_gate(gate, data.reason, actor)
    return {"success": True}


@router.get("/polls")
async def get_polls(
    filters: Annotated[Filters[Any], Depends(page_filters(books.PollFilters))],
) -> Page:
    """A page of polls, newest first."""
    rows, total = await books.page(books.POLLS, filters)
    return Page(data=[answers.poll(row) or {} for row in rows], total=total)
