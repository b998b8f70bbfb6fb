"""Routes: cash-outs, their shares, and what a person can do with one."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from lnbits.db import Filters
from starlette.requests import Request

from .. import books, crud
from ..domain.explain import explain
from ..domain.fields import known_currency, short_decimal
from ..domain.money import INT64_MAX, decimal_text
from ..domain.split import effective_commission
from ..errors import BadInput, NotFound
from ..models import (
    ID_MAX,
    WHOLE_UNITS_MAX,
    Page,
    ProcessRequest,
    ReasonRequest,
)
from ..services import cash_outs, retry
from ..services.announce import announce_leg
from ..services.list_filters import CASH_OUT_NAMES, cash_out_clauses
from ..transaction_processor import manual_poll, report_facts
from . import answers
from .list_queries import AskedCashOuts
from .routing import Actor, AnsweringRoute, IdempotencyKey, changes, once, page_filters

router = APIRouter(route_class=AnsweringRoute)


@router.get("/transactions")
async def get_transactions(
    filters: Annotated[Filters[Any], Depends(page_filters(books.CashOutFilters, CASH_OUT_NAMES))],
    asked: AskedCashOuts,
) -> Page:
    """A page of cash-outs, newest first."""
    zone = (await crud.get_settings()).time_zone
    clauses = cash_out_clauses(asked, zone)
    rows, total = await books.page(books.CASH_OUTS, filters, clauses=clauses)
    return Page(data=[answers.cash_out(row) for row in rows], total=total)


async def _find(any_id: str) -> Any:
    """By our id or by Lamassu's."""
    row = await books.find_cash_out(any_id)
    return row or await books.get_cash_out(any_id)


@router.get("/transactions/{any_id}")
async def get_transaction(any_id: str) -> dict[str, Any]:
    """One cash-out with its source row, plan and history."""
    row = await _find(any_id)
    return answers.cash_out_detail(row, await books.events_of(str(row["id"])))


@router.get("/transactions/{any_id}/distributions")
async def get_distributions(any_id: str) -> Page:
    """Every client's share of one cash-out."""
    row = await _find(any_id)
    shares = await books.shares_of(str(row["id"]))
    return Page(data=[answers.share(share) for share in shares], total=len(shares))


@router.get("/transactions/{any_id}/explanation")
async def get_explanation(any_id: str) -> dict[str, Any] | None:
    """How the shares of one cash-out came about, from its stored plan; null where there is none."""
    row = await _find(any_id)
    if not row["plan_json"]:
        return None
    found = explain(json.loads(row["plan_json"]))
    names = await books.client_names([part.client_id for part in found.parts])
    return answers.explanation(found, str(row["fiat_code"]), names)


@router.post("/transactions/{any_id}/skip", dependencies=[changes])
async def post_skip(
    any_id: str, data: ReasonRequest, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Give up on a cash-out that was not settled, with a reason; nothing is paid."""
    row = await _find(any_id)

    async def run() -> dict[str, Any]:
        return answers.cash_out(await cash_outs.skip(str(row["id"]), data.reason, actor))

    return await once(key, request, run)


@router.post("/manual-poll", dependencies=[changes])
async def post_manual_poll(actor: Actor, request: Request, key: IdempotencyKey = None) -> Any:
    """Look at Lamassu now and settle what is there."""

    async def run() -> dict[str, Any]:
        report = await manual_poll(actor=actor)
        message = (
            "1 cash-out settled" if report.settled == 1 else f"{report.settled} cash-outs settled"
        )
        if report.held:
            message += f", {report.held} need you"
        if report.left_pending:
            message += f", {report.left_pending} wait: {report.waiting_for or 'the next poll'}"
        return {
            "success": True,
            "transactions_processed": report.settled,
            "message": message,
            "report": report_facts(report),
        }

    return await once(key, request, run)


@router.post("/process-transaction/{lamassu_id}", dependencies=[changes])
async def post_process_transaction(
    lamassu_id: Annotated[str, "Lamassu's id"],
    actor: Actor,
    request: Request,
    data: ProcessRequest | None = None,
    key: IdempotencyKey = None,
) -> Any:
    """Fetch one id from Lamassu now and settle it (SAT-64)."""
    if len(lamassu_id) > ID_MAX:
        raise NotFound("Lamassu knows no transaction with this id", hint="Check the id.")

    async def run() -> dict[str, Any]:
        answer = await cash_outs.process_by_id(lamassu_id, data or ProcessRequest(), actor)
        row = await books.get_cash_out(answer["transaction_id"])
        return {**answer, "transaction": answers.cash_out(row)}

    return await once(key, request, run)


@router.post("/payments/{share_id}/retry", dependencies=[changes])
async def post_retry(
    share_id: str, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Try a failed share again, to the client's current wallet."""

    async def run() -> dict[str, Any]:
        share = await retry.retry_share(share_id, by_hand=True, actor=actor)
        await announce_leg(str(share["leg_key"]))
        return answers.share(share)

    return await once(key, request, run)


@router.post("/payments/{share_id}/cancel", dependencies=[changes])
async def post_cancel(
    share_id: str,
    data: ReasonRequest,
    actor: Actor,
    request: Request,
    key: IdempotencyKey = None,
) -> Any:
    """Give a failed share up: the client's fiat comes back, the sats stay with the operator."""

    async def run() -> dict[str, Any]:
        return answers.share(await retry.cancel_share(share_id, data.reason, actor))

    return await once(key, request, run)


@router.post("/transactions/{any_id}/retry-commission", dependencies=[changes])
async def post_retry_commission(
    any_id: str, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Try a failed commission again, to the commission wallet that is set now."""
    row = await _find(any_id)

    async def run() -> dict[str, Any]:
        await retry.retry_commission(str(row["id"]), by_hand=True, actor=actor)
        return answers.cash_out(await books.get_cash_out(str(row["id"])))

    return await once(key, request, run)


@router.post("/test-transaction")
async def post_test_transaction(
    crypto_atoms: Annotated[int, Query(ge=1, le=INT64_MAX)] = 103,
    commission_percentage: Annotated[Decimal, Query(ge=0, le=1)] = Decimal("0.03"),
    discount: Annotated[Decimal, Query(ge=0, le=100)] = Decimal(0),
    fiat_amount: Annotated[Decimal | None, Query(gt=0, le=WHOLE_UNITS_MAX)] = None,
    raw_ticker_price: Annotated[Decimal | None, Query(gt=0, le=WHOLE_UNITS_MAX)] = None,
    currency: str | None = None,
) -> dict[str, Any]:
    """What such a sale would give now: the split and the plan. Moves nothing (SAT-65)."""
    for name, value in (
        ("commission_percentage", commission_percentage),
        ("discount", discount),
        ("fiat_amount", fiat_amount),
        ("raw_ticker_price", raw_ticker_price),
    ):
        try:
            short_decimal(value)
        except ValueError as exc:
            raise BadInput(f"{name} {exc}", hint="Give a number of ordinary size.") from exc
    try:
        code = known_currency(currency or (await crud.get_settings()).currency)
    except ValueError as exc:
        raise BadInput(f"currency: {exc}") from exc
    plan, assumed = await cash_outs.simulate(
        cash_outs.Simulation(
            crypto_atoms, commission_percentage, discount, fiat_amount, raw_ticker_price, code
        )
    )
    c_eff = effective_commission(Fraction(commission_percentage), Fraction(discount))
    return {
        "success": True,
        "message": "A simulation: nothing was moved and nothing was stored",
        "transaction_details": {
            "transaction_id": "simulation",
            "total_amount_sats": plan.split.total_sats,
            "base_amount_sats": plan.split.base_sats,
            "commission_amount_sats": plan.split.commission_sats,
            "commission_percentage": answers.percent(Fraction(commission_percentage)),
            "effective_commission": answers.percent(c_eff),
            "discount": float(discount),
            "split_rule": plan.given.rule.value,
            "fiat": decimal_text(plan.given.fiat_minor, code),
            "fiat_assumed": assumed,
            "currency": code,
        },
        "plan": answers.plan(plan),
    }
