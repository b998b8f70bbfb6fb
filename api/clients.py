"""Routes: clients and their balances, and the one public route that the companion calls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from lnbits.db import Filters
from starlette.requests import Request

from .. import books, crud
from ..models import CreateClient, Page, UpdateClient
from ..services import client_figures, clients
from ..services.client_figures import FIGURES_MAX
from . import answers
from .routing import Actor, AnsweringRoute, IdempotencyKey, changes, once, page_filters

router = APIRouter(route_class=AnsweringRoute)
public_router = APIRouter(route_class=AnsweringRoute)


@public_router.get("/client-limits")
async def get_client_limits() -> dict[str, Any]:
    """What the companion's page shows before login: the one route without it (design.md 6)."""
    settings = await crud.get_settings()
    return {"max_daily_limit_gtq": settings.max_daily_limit, "currency": settings.currency}


@router.get("/clients")
async def get_clients(
    filters: Annotated[Filters[Any], Depends(page_filters(books.ClientFilters, ("activity",)))],
    activity: bool = False,
) -> Page:
    """A page of clients, each with what remains per currency.

    `activity`: with what they did so far, too; then a page has at most FIGURES_MAX clients.
    """
    if activity:
        filters.limit = max(1, min(filters.limit or FIGURES_MAX, FIGURES_MAX))
    values = {"currency": (await crud.get_settings()).currency}
    rows, total = await books.page(books.CLIENTS, filters, values=values)
    ids = [str(row["id"]) for row in rows]
    remaining = await clients.remaining_of(ids)
    data = [answers.client(row, remaining[str(row["id"])]) for row in rows]
    if activity:
        sums = await client_figures.sums_of(ids)
        data = [{**one, **client_figures.figures(sums[one["id"]])} for one in data]
    return Page(data=data, total=total)


async def _answer(client_id: str) -> dict[str, Any]:
    row = await books.get_client(client_id)
    return answers.client(row, (await clients.remaining_of([client_id]))[client_id])


@router.post("/clients", status_code=201, dependencies=[changes])
async def post_client(
    data: CreateClient, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Add a client: an LNbits user and one of their wallets."""

    async def run() -> dict[str, Any]:
        return await _answer(str((await clients.create_client(data, actor))["id"]))

    return await once(key, request, run)


@router.get("/clients/{client_id}")
async def get_client(client_id: str) -> dict[str, Any]:
    """One client."""
    return await _answer(client_id)


@router.put("/clients/{client_id}", dependencies=[changes])
async def put_client(client_id: str, data: UpdateClient, actor: Actor) -> dict[str, Any]:
    """Change a client; a field that is not given stays."""
    await clients.update_client(client_id, data, actor)
    return await _answer(client_id)


@router.get("/clients/{client_id}/balance")
async def get_client_balance(client_id: str) -> dict[str, Any]:
    """What a client deposited, was charged and has left, per currency.

    The flat fields are those of the operator's own currency, as the earlier extension answered.
    """
    balances = await clients.client_balances(client_id)
    currency = (await crud.get_settings()).currency
    own = next((b for b in balances if b["currency"] == currency), None)
    first = own or (balances[0] if balances else None)
    return {
        "client_id": client_id,
        "currency": first["currency"] if first else currency,
        "total_deposits": float(first["total_deposits"]) if first else 0.0,
        "total_payments": float(first["total_payments"]) if first else 0.0,
        "remaining_balance": float(first["remaining_balance"]) if first else 0.0,
        "balances": balances,
    }


@router.get("/clients/{client_id}/sheet")
async def get_client_sheet(client_id: str) -> dict[str, Any]:
    """A client's balance sheet per currency, and what they did so far."""
    return {**await _answer(client_id), **await client_figures.client_sheet(client_id)}


@router.get("/clients/{client_id}/distributions")
async def get_client_shares(
    client_id: str,
    filters: Annotated[Filters[Any], Depends(page_filters(books.ShareFilters))],
) -> Page:
    """A page of a client's shares."""
    await books.get_client(client_id)
    rows, total = await books.page(books.SHARES, filters, {"client_id": client_id})
    return Page(data=[answers.share(row) for row in rows], total=total)
