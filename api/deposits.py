"""Routes: deposits."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from lnbits.db import Filters
from starlette.requests import Request

from .. import books, crud
from ..models import CreateDeposit, Page, UpdateDepositStatus
from ..services import deposits
from ..services.list_filters import DEPOSIT_NAMES, deposit_clauses
from . import answers
from .list_queries import AskedDeposits
from .routing import Actor, AnsweringRoute, IdempotencyKey, changes, once, page_filters

router = APIRouter(route_class=AnsweringRoute)


@router.get("/deposits")
async def get_deposits(
    filters: Annotated[Filters[Any], Depends(page_filters(books.DepositFilters, DEPOSIT_NAMES))],
    asked: AskedDeposits,
) -> Page:
    """A page of deposits, newest first."""
    zone = (await crud.get_settings()).time_zone
    clauses = deposit_clauses(asked, zone)
    rows, total = await books.page(books.DEPOSITS, filters, clauses=clauses)
    return Page(data=[answers.deposit(row) for row in rows], total=total)


@router.post("/deposits", status_code=201, dependencies=[changes])
async def post_deposit(
    data: CreateDeposit, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Write down cash as a pending deposit."""

    async def run() -> dict[str, Any]:
        return answers.deposit(await deposits.create_deposit(data, actor))

    return await once(key, request, run)


@router.get("/deposits/{deposit_id}")
async def get_deposit(deposit_id: str) -> dict[str, Any]:
    """One deposit."""
    return answers.deposit(await books.get_deposit(deposit_id))


@router.put("/deposits/{deposit_id}/status", dependencies=[changes])
async def put_deposit_status(
    deposit_id: str,
    data: UpdateDepositStatus,
    actor: Actor,
    request: Request,
    key: IdempotencyKey = None,
) -> Any:
    """Confirm or cancel a pending deposit. Confirming credits the client at once."""

    async def run() -> dict[str, Any]:
        return answers.deposit(await deposits.decide_deposit(deposit_id, data, actor))

    return await once(key, request, run)
