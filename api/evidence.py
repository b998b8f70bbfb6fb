"""Route: everything that this extension keeps, as one file to take away."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from ..services import evidence
from .routing import AnsweringRoute

router = APIRouter(route_class=AnsweringRoute)


@router.get("/exports/evidence.zip", response_class=StreamingResponse)
async def export_evidence() -> StreamingResponse:
    """Every table without secrets, our wallet rows, the audit report, versions and checksums."""
    name, packed = await evidence.bundle()
    return StreamingResponse(
        evidence.pieces(packed),
        media_type=evidence.MEDIA_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "Content-Encoding": "identity",
        },
    )
