"""Routes: alerts and their history, the rules behind them, the channels they go to, clients."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from lnbits.db import Filters
from starlette.requests import Request

from ..books import page
from ..models import Page
from ..models_watch import AcknowledgeRequest, ChangeWatchSettings, SaveChannel, TellClients
from ..services import alert_lists as lists
from ..services import alert_rules, alerts, channels, client_notices, deliver
from . import answers_alerts as answers
from .routing import Actor, AnsweringRoute, IdempotencyKey, changes, once, page_filters

router = APIRouter(route_class=AnsweringRoute)

State = Literal["open", "unacknowledged", "resolved", "all"]
AlertFilters = Annotated[Filters[Any], Depends(page_filters(lists.AlertFilters, ("state",)))]
DeliveryFilters = Annotated[Filters[Any], Depends(page_filters(lists.DeliveryFilters))]


@router.get("/alerts")
async def get_alerts(filters: AlertFilters, state: State = "open") -> Page:
    """A page of alerts, those that were met last first; `state=resolved` is the history."""
    rows, total = await page(lists.ALERTS, filters, clauses=[lists.STATES[state]])
    return Page(data=[answers.alert(row) for row in rows], total=total)


@router.get("/alerts/{alert_id}")
async def get_alert(alert_id: str) -> dict[str, Any]:
    """One alert with every message about it."""
    row, deliveries = await lists.with_deliveries(alert_id)
    return {**answers.alert(row), "deliveries": [answers.delivery(one) for one in deliveries]}


@router.post("/alerts/{alert_id}/acknowledge", dependencies=[changes])
async def post_acknowledge(
    alert_id: str, actor: Actor, data: AcknowledgeRequest | None = None
) -> dict[str, Any]:
    """Somebody took it: nobody further up is told."""
    return answers.alert(await alerts.acknowledge(alert_id, data.note if data else None, actor))


@router.get("/alert-settings")
async def get_alert_settings() -> dict[str, Any]:
    """Every kind of alert with its rule, quiet hours, and whether private addresses are allowed."""
    return answers.settings(await alert_rules.read_settings(), alert_rules.current())


@router.put("/alert-settings", dependencies=[changes])
async def put_alert_settings(data: ChangeWatchSettings, actor: Actor) -> dict[str, Any]:
    """Change some of it; what is not given stays."""
    settings = await alert_rules.change_settings(data, actor)
    return answers.settings(settings, alert_rules.current())


@router.get("/channels")
async def get_channels() -> Page:
    """Every channel with its last delivery; no address and no secret."""
    found = await channels.with_last_delivery()
    return Page(data=[answers.channel(row) for row in found], total=len(found))


@router.post("/channels", status_code=201, dependencies=[changes])
async def post_channel(
    data: SaveChannel, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Add a channel."""

    async def run() -> dict[str, Any]:
        return await _channel(await channels.save_channel(data, actor))

    return await once(key, request, run)


@router.put("/channels/{channel_id}", dependencies=[changes])
async def put_channel(channel_id: str, data: SaveChannel, actor: Actor) -> dict[str, Any]:
    """Change a channel; a secret or address that is not given stays."""
    return await _channel(await channels.save_channel(data, actor, channel_id))


@router.delete("/channels/{channel_id}", dependencies=[changes])
async def delete_channel(channel_id: str, actor: Actor) -> dict[str, bool]:
    """Forget a channel; what still waits for it is given up."""
    await channels.delete_channel(channel_id, actor)
    return {"success": True}


@router.post("/channels/{channel_id}/test", dependencies=[changes])
async def post_channel_test(channel_id: str, actor: Actor) -> dict[str, Any]:
    """Send a test message now. Answers 200 with `success` false when it was not taken."""
    problem = await deliver.send_test(channel_id, actor)
    return {"success": problem is None, "message": problem or "The message was taken"}


@router.get("/deliveries")
async def get_deliveries(filters: DeliveryFilters) -> Page:
    """A page of messages, newest first, with their attempts."""
    rows, total = await page(lists.DELIVERIES, filters)
    return Page(data=[answers.delivery(row) for row in rows], total=total)


@router.get("/client-notices")
async def get_client_notices() -> Page:
    """Clients whose payouts are late or were corrected, and how each can be reached."""
    found = await client_notices.concerned()
    return Page(data=found["data"], total=found["total"])


@router.post("/client-notices", dependencies=[changes])
async def post_client_notices(
    data: TellClients, actor: Actor, request: Request, key: IdempotencyKey = None
) -> Any:
    """Send the message that was shown to the clients that were shown."""
    return await once(key, request, lambda: client_notices.tell_clients(data, actor))


async def _channel(channel_id: str) -> dict[str, Any]:
    found = await channels.with_last_delivery()
    return answers.channel(next(row for row in found if row["id"] == channel_id))
