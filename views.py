"""The page: served to the superuser only, by the server, before any script runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from lnbits.core.models import User
from lnbits.decorators import check_super_user, check_user_exists
from lnbits.helpers import template_renderer
from starlette.requests import Request
from starlette.responses import HTMLResponse

page_router = APIRouter(dependencies=[Depends(check_super_user)])


@page_router.get("/", response_class=HTMLResponse)
async def index(
    request: Request, user: Annotated[User, Depends(check_user_exists)]
) -> HTMLResponse:
    """The operator's page."""
    page: HTMLResponse = template_renderer(["satmachineadmin/templates"]).TemplateResponse(
        request, "satmachineadmin/index.html", {"user": user.json()}
    )
    return page
