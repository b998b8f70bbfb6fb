"""The page: served to the superuser only, by the server, before any script runs."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends
from lnbits.core.models import User
from lnbits.decorators import check_super_user, check_user_exists
from lnbits.helpers import template_renderer
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .api.routing import AnsweringRoute
from .errors import NotFound
from .page_parts import FRAME, PARTS, part_source, part_url

# A part's address names its content, so that what was kept is never an older one.
KEPT_FOR_A_YEAR = "private, max-age=31536000, immutable"

page_router = APIRouter(route_class=AnsweringRoute, dependencies=[Depends(check_super_user)])


@page_router.get("/", response_class=HTMLResponse)
async def index(
    request: Request, user: Annotated[User, Depends(check_user_exists)]
) -> HTMLResponse:
    """The operator's page."""
    frame = await asyncio.to_thread(part_url, FRAME)
    page: HTMLResponse = template_renderer(["satmachineadmin/templates"]).TemplateResponse(
        request, "satmachineadmin/index.html", {"user": user.json(), "frame": frame}
    )
    return page


@page_router.get("/parts/{part}.js", response_class=Response)
async def page_part(part: str, v: str) -> Response:
    """One part of the page as a script; of the version this LNbits runs, or nothing."""
    known = part in PARTS and (await asyncio.to_thread(part_url, part)).endswith(f"?v={v}")
    if not known:
        raise NotFound("This part of the page is not of this version", hint="Reload the page.")
    return Response(
        part_source(part),
        media_type="text/javascript",
        headers={"Cache-Control": KEPT_FOR_A_YEAR},
    )
