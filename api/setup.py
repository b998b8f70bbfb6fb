"""Routes: the setup's checklist, its choices on the operator's own sales, and the arming."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request

from .. import clock
from ..domain.eligibility import SourceRow, read_sale
from ..domain.split_fit import RuleFit, SaleFit
from ..models import StartPoint
from ..services import setup, split_choice
from . import answers
from .routing import Actor, AnsweringRoute, IdempotencyKey, changes, once

router = APIRouter(route_class=AnsweringRoute)

Newest = Annotated[int, Query(ge=1, le=split_choice.SALES_MAX)]


@router.get("/setup")
async def get_setup() -> dict[str, Any]:
    """Every step with its state, derived from what is stored; no secret is in it."""
    now = await setup.read_standing()
    steps = setup.steps_of(now)
    open_steps = [step.name for step in steps if step.state is not setup.StepState.DONE]
    return {
        "armed": now.armed,
        "next": open_steps[0] if open_steps else None,
        "start_at_arming": now.starts_at_arming,
        "start_at": clock.iso(now.settings.start_at_us),
        "steps": [{**asdict(step), "state": step.state.value} for step in steps],
    }


@router.get("/setup/split-rules")
async def get_split_rules(limit: Newest = split_choice.SALES_MAX) -> dict[str, Any]:
    """The newest sales under every rule beside Lamassu's own profit; moves nothing."""
    choice = await split_choice.compare_rules(limit)
    return {
        "best": choice.best.value if choice.best else None,
        "compared": sum(fit.comparable for _, fit in choice.sales),
        "rules": [_rule(fit) for fit in choice.rules],
        "sales": [_sale(row, fit) for row, fit in choice.sales],
    }


@router.put("/setup/start", dependencies=[changes])
async def put_start(data: StartPoint, actor: Actor) -> dict[str, Any]:
    """From when sales count: a moment, or null for the moment of arming."""
    await setup.choose_start(data, actor)
    return await get_setup()


@router.post("/setup/arm", dependencies=[changes])
async def post_arm(
    data: StartPoint, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Switch automatic work on with the start point that was shown, when every step is done."""

    async def run() -> dict[str, Any]:
        return {"armed": True, "start_at": clock.iso(await setup.arm(data, actor))}

    return await once(key, request, run)


def _rule(fit: RuleFit) -> dict[str, Any]:
    return {
        **asdict(fit),
        "rule": fit.rule.value,
        "difference_sats": fit.difference_sats,
    }


def _sale(row: SourceRow, fit: SaleFit) -> dict[str, Any]:
    sale = read_sale(row)
    currency = sale.fiat_code
    return {
        "lamassu_transaction_id": row["id"],
        "time": clock.iso(sale.confirmed_at_us),
        "machine_name": row["device_name"],
        "crypto_code": sale.crypto_code,
        "fiat": answers.fiat(sale.fiat_minor, currency),
        "currency": currency,
        "total_sats": sale.total_sats,
        "profit_sats": fit.profit_sats,
        "profit": answers.fiat(fit.profit_minor, currency),
        "rules": {
            **{
                rule.value: {"base_sats": x.base_sats, "commission_sats": x.commission_sats}
                for rule, x in fit.splits.items()
            },
            **{rule.value: {"problem": code.value} for rule, code in fit.problems.items()},
        },
    }
