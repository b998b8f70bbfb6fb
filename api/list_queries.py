"""What an address can ask of a list, in the words of services/list_filters.py."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from ..services.audit_list import AuditQuery
from ..services.list_filters import CashOutQuery, DepositQuery


def _cash_outs(
    status: Annotated[str | None, Query(description="One state or several, with commas")] = None,
    first: Annotated[str | None, Query(alias="from", description="From this day on")] = None,
    last: Annotated[str | None, Query(alias="to", description="This day included")] = None,
    machine: Annotated[str | None, Query(description="A machine's device id")] = None,
    coin: Annotated[str | None, Query(description="BTC or LN")] = None,
    currency: Annotated[str | None, Query(description="For example GTQ")] = None,
    client: Annotated[str | None, Query(description="A client with a share in it")] = None,
    shares: Annotated[str | None, Query(description="'failed': with sats still owed")] = None,
) -> CashOutQuery:
    return CashOutQuery(status, first, last, machine, coin, currency, client, shares)


def _deposits(
    status: Annotated[str | None, Query(description="One state or several, with commas")] = None,
    first: Annotated[str | None, Query(alias="from", description="From this day on")] = None,
    last: Annotated[str | None, Query(alias="to", description="This day included")] = None,
    client: Annotated[str | None, Query(description="A client's id")] = None,
    currency: Annotated[str | None, Query(description="For example GTQ")] = None,
) -> DepositQuery:
    return DepositQuery(status, first, last, client, currency)


def _audit(
    action: Annotated[str | None, Query(description="What was done")] = None,
    actor: Annotated[str | None, Query(description="'system' or an account's id")] = None,
    subject: Annotated[str | None, Query(description="The id of what it is about")] = None,
    first: Annotated[str | None, Query(alias="from", description="From this day on")] = None,
    last: Annotated[str | None, Query(alias="to", description="This day included")] = None,
) -> AuditQuery:
    return AuditQuery(action, actor, subject, first, last)


AskedCashOuts = Annotated[CashOutQuery, Depends(_cash_outs)]
AskedDeposits = Annotated[DepositQuery, Depends(_deposits)]
AskedAudit = Annotated[AuditQuery, Depends(_audit)]
