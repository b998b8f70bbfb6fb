"""What the lists can be narrowed by: the machines, coins and currencies that there are."""

from __future__ import annotations

from typing import Any

from .. import clock, crud
from ..domain.days import local_day

FACETS_MAX = 200  # far more machines than an operator has


async def read_facets() -> dict[str, Any]:
    """Machines with the name they had last, coins, currencies; and the operator's day."""
    settings = await crud.get_settings()
    day, _, _ = local_day(clock.now_us(), settings.time_zone)
    machines = await crud.fetch_rows(
        f"{_distinct('device_id')} SELECT found.value AS id,"
        " (SELECT machine_name FROM satoshimachine.lamassu_transactions t"
        "  WHERE t.device_id = found.value AND t.machine_name IS NOT NULL"
        "  ORDER BY COALESCE(t.confirmed_at_us, t.created_us, t.observed_us) DESC LIMIT 1) AS name"
        f" FROM found WHERE found.value IS NOT NULL LIMIT {FACETS_MAX}"
    )
    return {
        "machines": [{"id": row["id"], "name": row["name"]} for row in machines],
        "coins": await _values("crypto_code"),
        "currencies": await _values("fiat_code"),
        "currency": settings.currency,
        "time_zone": settings.time_zone,
        "today": day.isoformat(),
    }


async def _values(column: str) -> list[str]:
    rows = await crud.fetch_rows(
        f"{_distinct(column)} SELECT found.value AS value FROM found"
        f" WHERE found.value IS NOT NULL LIMIT {FACETS_MAX}"
    )
    return [str(row["value"]) for row in rows]


def _distinct(column: str) -> str:
    """Steps from one value to the next by the column's index, whatever the number of rows."""
    table = "satoshimachine.lamassu_transactions"
    return (
        f"WITH RECURSIVE found(value) AS (SELECT MIN({column}) FROM {table} UNION ALL"
        f" SELECT (SELECT MIN({column}) FROM {table} WHERE {column} > found.value)"
        " FROM found WHERE found.value IS NOT NULL)"
    )
