"""Routes: corrections that were made or wait for the second person, and who that is.

Made are they as every action that moves money: `POST previews`, then its execution.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from lnbits.db import Filters

from .. import books
from ..models import Page, ReasonRequest
from ..models_corrections import ApprovalRequest
from ..services import approval, correction_list, corrections
from .routing import Actor, AnsweringRoute, changes, page_filters

router = APIRouter(route_class=AnsweringRoute)


@router.get("/corrections")
async def get_corrections(
    filters: Annotated[Filters[Any], Depends(page_filters(books.CorrectionFilters))],
) -> Page:
    """A page of corrections, newest first."""
    rows, total = await books.page(books.CORRECTIONS, filters)
    return Page(data=[correction_list.shown(row) for row in rows], total=total)


@router.post("/corrections/{correction_id}/reject", dependencies=[changes])
async def post_reject(correction_id: str, data: ReasonRequest, actor: Actor) -> dict[str, bool]:
    """A proposed correction is not to be done."""
    await corrections.reject(correction_id, data.reason, actor)
    return {"success": True}


@router.get("/approval")
async def get_approval() -> dict[str, Any]:
    """From when on a second person must agree, and whether their passphrase is set."""
    return await approval.state()


@router.put("/approval", dependencies=[changes])
async def put_approval(data: ApprovalRequest, actor: Actor) -> dict[str, Any]:
    """Set or change it; what is set changes only with the second person's passphrase."""
    await approval.set_up(data, actor)
    return await approval.state()
