"""Routes: health, what is halted and how work is resumed, and what is done by the clock."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from .. import clock
from ..services import health
from .routing import Actor, AnsweringRoute, changes

router = APIRouter(route_class=AnsweringRoute)


@router.get("/health")
async def get_health() -> dict[str, Any]:
    """Every check as it is now, with its state, since when, and the next step."""
    return _health(await health.read_health())


@router.post("/health/check", dependencies=[changes])
async def post_check(actor: Actor) -> dict[str, Any]:
    """Look for real, at the ATM server and the audit trail, and remember what was found."""
    return _health(await health.check_health(look=True, actor=actor))


def _health(found: health.Health) -> dict[str, Any]:
    return {
        "state": found.state,
        "at": clock.iso(found.at_us),
        "checked_at": clock.iso(found.checked_us),
        "checks": [
            {
                "name": check.name,
                "state": check.state,
                "since": clock.iso(check.since_us),
                "detail": check.detail,
                "hint": check.hint,
            }
            for check in found.checks
        ],
        "status": found.status,
        "reconciliation": found.reconciliation,
        "reconciliation_mismatches_total": health.mismatches_seen(),
        "findings": found.findings,
        "alerts": found.alerts,
    }
