"""Lists of alerts and deliveries, and one alert with all that became of it."""

from __future__ import annotations

from typing import Any

from lnbits.db import FilterModel

from .. import crud
from ..database import Row
from ..listing import Clause, Listing
from .alerts import get_alert

DELIVERIES_SHOWN_MAX = 100


class AlertFilters(FilterModel):
    """What alerts may be filtered and sorted by."""

    __search_fields__: list[str] = []
    __sort_fields__: list[str] | None = ["first_us", "last_us", "severity", "kind"]

    kind: str | None
    severity: str | None
    subject_id: str | None


class DeliveryFilters(FilterModel):
    """What deliveries may be filtered and sorted by."""

    __search_fields__: list[str] = []
    __sort_fields__: list[str] | None = ["created_us"]

    channel_id: str | None
    client_id: str | None
    alert_id: str | None
    event: str | None
    status: str | None


ALERTS = Listing("alerts", "t.last_us", AlertFilters)
DELIVERIES = Listing("alert_deliveries", "t.created_us", DeliveryFilters)
# What the readable parameter `state` of the list stands for.
STATES = {
    "open": Clause("t.resolved_us IS NULL"),
    "unacknowledged": Clause("t.resolved_us IS NULL AND t.acknowledged_us IS NULL"),
    "resolved": Clause("t.resolved_us IS NOT NULL"),
    "all": Clause("1 = 1"),
}


async def with_deliveries(alert_id: str) -> tuple[Row, list[dict[str, Any]]]:
    """An alert and its messages, newest first. Raises NotFound."""
    alert = await get_alert(alert_id)
    rows = await crud.fetch_rows(
        "SELECT d.*, c.name AS channel FROM satoshimachine.alert_deliveries d"
        " LEFT JOIN satoshimachine.alert_channels c ON c.id = d.channel_id"
        f" WHERE d.alert_id = :id ORDER BY d.created_us DESC LIMIT {DELIVERIES_SHOWN_MAX}",
        {"id": alert_id},
    )
    return alert, [dict(row) for row in rows]
