"""Route: the metrics, for a monitor with a read-only API token."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ..services import metrics
from .routing import AnsweringRoute

router = APIRouter(route_class=AnsweringRoute)


@router.get("/metrics", response_class=Response)
async def get_metrics() -> Response:
    """Prometheus' text format; 503 where the package for it is not installed."""
    text, media_type = await metrics.read_text()
    return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})
