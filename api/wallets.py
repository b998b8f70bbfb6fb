"""Routes: wallets of this LNbits, to choose from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from ..models import ID_MAX, Page
from ..services import wallets
from .routing import Actor, AnsweringRoute

router = APIRouter(route_class=AnsweringRoute)

UserId = Annotated[str | None, Query(max_length=ID_MAX)]


@router.get("/wallets")
async def get_wallets(actor: Actor, user: UserId = None) -> Page:
    """The wallets of a user, without their keys; those of the superuser when none is named."""
    found, total = await wallets.wallets_of(user or actor)
    return Page(data=found, total=total)
