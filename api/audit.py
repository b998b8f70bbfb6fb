"""Routes: the audit trail, read, searched and verified."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from lnbits.db import Filters

from .. import crud
from ..books import AuditFilters
from ..models import Page
from ..models_corrections import VerifyRequest
from ..services import audit_chain, audit_list
from ..services.audit_list import NAMES, audit_clauses
from .list_queries import AskedAudit
from .routing import Actor, AnsweringRoute, changes, page_filters

router = APIRouter(route_class=AnsweringRoute)


@router.get("/audit")
async def get_audit(
    filters: Annotated[Filters[Any], Depends(page_filters(AuditFilters, NAMES))],
    asked: AskedAudit,
) -> Page:
    """A page of the audit trail, newest first."""
    zone = (await crud.get_settings()).time_zone
    rows, total = await audit_list.page(filters, audit_clauses(asked, filters.search, zone))
    return Page(data=[audit_list.shown(row) for row in rows], total=total)


@router.get("/audit/actions")
async def get_audit_actions() -> list[str]:
    """Every action that there is an entry of."""
    return await audit_list.actions()


@router.get("/audit/head")
async def get_audit_head() -> dict[str, Any]:
    """The last entry's number and hash, the head of the last day, and how far a walk is."""
    return {**await audit_chain.head(), "verifying": asdict(audit_chain.progress)}


@router.post("/audit/verify", dependencies=[changes])
async def post_audit_verify(actor: Actor, data: VerifyRequest | None = None) -> dict[str, Any]:
    """Walk the whole trail; with a hash that was kept elsewhere, look for it, too."""
    known = data.known_hash if data else None
    return asdict(await audit_chain.verify_by_hand(actor, known))
