"""The HTTP API: routers by subject, all behind the superuser but the one route that may not be."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from lnbits.decorators import check_super_user

from .api import (
    alerts,
    audit,
    cash_outs,
    clients,
    connection,
    corrections,
    deposits,
    evidence,
    exports,
    health,
    metrics,
    overview,
    people,
    previews,
    reconciliation,
    reports,
    runbook,
    setup,
    summary,
    wallets,
)
from .services.readiness import require_schema

PREFIX = "/api/v1/dca"
METRICS_PREFIX = "/api/v1"

_guards = [Depends(check_super_user), Depends(require_schema)]
_superuser_router = APIRouter(prefix=PREFIX, dependencies=_guards)
for _routes in (
    *(overview, connection, clients, deposits, cash_outs),
    *(people, wallets, previews, setup, exports, summary, audit, corrections),
    *(reconciliation, reports, alerts, health, evidence, runbook),
):
    _superuser_router.include_router(_routes.router)

api_router = APIRouter()
api_router.include_router(clients.public_router, prefix=PREFIX)
api_router.include_router(_superuser_router)
api_router.include_router(metrics.router, prefix=METRICS_PREFIX, dependencies=_guards)
