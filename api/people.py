"""Routes: LNbits' users, to choose from, and what the lists can be narrowed by."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from ..models import NAME_MAX, Page
from ..services import facets, people
from .routing import AnsweringRoute

router = APIRouter(route_class=AnsweringRoute)


@router.get("/users")
async def get_users(search: Annotated[str | None, Query(max_length=NAME_MAX)] = None) -> Page:
    """Users whose name, e-mail or id has this text; the first few of them, never their keys."""
    found = await people.find_users(search)
    return Page(data=found, total=len(found))


@router.get("/facets")
async def get_facets() -> dict[str, Any]:
    """The machines, coins and currencies there are; the operator's time zone and day."""
    return await facets.read_facets()
