"""Routes: what an action that moves money would do, and doing exactly that, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from ..models_previews import ExecuteRequest, PreviewRequest
from ..services import preview
from ..transaction_processor import manual_poll
from .routing import Actor, AnsweringRoute, IdempotencyKey, changes, once

router = APIRouter(route_class=AnsweringRoute)


@router.post("/previews", dependencies=[changes])
async def post_preview(data: PreviewRequest, actor: Actor) -> dict[str, Any]:
    """What this action would do now, to the sat. Moves nothing."""
    return await preview.make(data, actor)


@router.post("/previews/{preview_id}/execute", dependencies=[changes])
async def post_execute(
    preview_id: str,
    actor: Actor,
    request: Request,
    data: ExecuteRequest | None = None,
    key: IdempotencyKey = None,
) -> Any:
    """Do what the preview showed, once, or nothing."""

    async def poll(shown: Sequence[preview.ShownPlan], by: str) -> None:
        await manual_poll({one.lamassu_transaction_id: one.plan_hash for one in shown}, by)

    async def run() -> Any:
        return await preview.execute(preview_id, data or ExecuteRequest(), actor, poll)

    return await once(key, request, run)
