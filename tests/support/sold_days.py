"""A machine's last days for tests of lists and files: every state, coin and currency, day edges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .operator import Operator, ago

ZONE = ZoneInfo("America/Guatemala")  # the default of the settings
MICROSECOND = timedelta(microseconds=1)


@dataclass
class SoldDays:
    """What was sold, and to whose benefit."""

    clients: list[str]
    ids: list[str]  # Lamassu ids
    midnight: datetime  # the last one, where the operator is


async def sell_some_days(operator: Operator) -> SoldDays:
    """Two machines, two coins, two currencies, three clients, ten sales around two midnights."""
    from satmachineadmin.dev import sample_rows as sample

    clients = [
        await operator.add_client("5000", username="Ana"),
        await operator.add_client("700", username='=Béla, "the" 2nd'),
        await operator.add_client("900", "USD", username="Carla"),
    ]
    now = ago(minutes=1)
    midnight = now.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    before = midnight - timedelta(days=3)
    other = {"device_id": sample.OTHER_MACHINE}
    rows = [
        sample.sale(fiat=100, confirmed_at=midnight),
        sample.sale(fiat=120, confirmed_at=midnight - MICROSECOND),
        sample.on_chain(fiat=140, confirmed_at=midnight - timedelta(hours=30), **other),
        sample.sale(fiat=160, confirmed_at=before),
        sample.sale(fiat=180, confirmed_at=before - MICROSECOND, **other),
        sample.sale(fiat=60, fiat_code="USD", confirmed_at=before + timedelta(hours=5)),
        sample.on_chain(fiat=80, fiat_code="USD", confirmed_at=midnight, **other),
        sample.partly_dispensed(confirmed_at=before + timedelta(days=1)),
        sample.paid_not_dispensed(confirmed_at=now),
        sample.authorized_and_dispensed(),
    ]
    await operator.lamassu.insert(rows)
    await operator.poll()
    ids = [row["id"] for row in rows]
    await operator.api("POST", f"transactions/{ids[7]}/skip", json={"reason": "-1+1 by hand"})
    return SoldDays(clients, ids, midnight)


async def every(operator: Operator, path: str, **params: Any) -> list[dict[str, Any]]:
    """All rows of a list that fits one page."""
    answer = await operator.api("GET", path, params={"limit": 1000, **params})
    assert len(answer["data"]) == answer["total"]
    return list(answer["data"])
