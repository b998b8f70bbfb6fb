"""How long the page waits: every list, filter, sum and chart over books of years, and its own load.

Requests go through the whole of LNbits inside this process: routing, login, our code, the database.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

from .big_books import DAYS, MACHINES, Books, build
from .page_load import first_load
from .plain import plain
from .stopwatch import spread
from .world import World

CASH_OUTS, CLIENTS = 100_000, 1_000
ONCE_MORE = 9  # looks at each route, after a first one
TARGET_MS = 150
CLIENT, CASH_OUT = "client00042", "cash-out-0050000"


async def measure(world: World, repeat: int) -> dict[str, Any]:
    """Medians by route, and what they were measured on."""
    await world.reset(0)
    books = Books(CASH_OUTS, CLIENTS, world.operator.source_wallet)
    started = time.perf_counter()
    async with plain(world) as db:
        rows = await build(db, books)
    built_s = round(time.perf_counter() - started)
    routes = {}
    for path, params in cases():
        name = path + ("?" + "&".join(f"{k}={v}" for k, v in params.items()) if params else "")
        routes[name] = await _timed(world, path, params, ONCE_MORE * max(1, repeat // 3))
    slow = [name for name, found in routes.items() if found["median_ms"] > TARGET_MS]
    return {
        "rows": rows,
        "built_s": built_s,
        "routes": routes,
        "slower_than_target": slow,
        "page": await first_load(world, repeat),
    }


def _days(back: int) -> dict[str, str]:
    now = datetime.now(timezone.utc)
    return {"from": f"{now - timedelta(days=back):%Y-%m-%d}", "to": f"{now:%Y-%m-%d}"}


def filters() -> list[dict[str, Any]]:
    """What cash-outs are narrowed, sorted and paged by."""
    month, year = _days(30), _days(DAYS // 2)
    return [
        {},
        {"status": "completed"},
        {"status": "held"},
        {"status": "held,failed"},
        month,
        year,
        {"status": "completed", **month},
        {"machine": MACHINES[1][0]},
        {"machine": "no such machine"},
        {"coin": "BTC"},
        {"currency": "USD"},
        {"client": CLIENT},
        {"client": CLIENT, **month},
        {"shares": "failed"},
        {"search": "000000050123"},
        {"search": "cash-out-0099"},
        {"search": "no such thing"},
        {"search": "plaza"},
        {"offset": 50_000},
        {"offset": 99_990},
        {"status": "completed", "offset": 99_000},
        {"sortby": "total_sats", "direction": "desc"},
        {"sortby": "fiat_minor", "direction": "asc"},
        {"sortby": "status", "direction": "asc"},
        {"sortby": "confirmed_at_us", "direction": "asc"},
        {"machine": MACHINES[0][0], "coin": "LN", "currency": "GTQ", "sortby": "total_sats"},
    ]


def cases() -> list[tuple[str, dict[str, Any]]]:
    """Every route that lists or sums, as the page asks for it, with the filters it has."""
    found = [("transactions", {"limit": 10, **given}) for given in filters()]
    found += [
        (name, {}) for name in ("status", "needs", "summary", "funds", "facets", "users", "polls")
    ]
    found += [("charts", {"days": days}) for days in (7, 30, 90)]
    found += [
        ("clients", {"limit": 10}),
        ("clients", {"limit": 10, "search": "0042"}),
        ("clients", {"limit": 10, "sortby": "remaining", "direction": "desc"}),
        ("clients", {"limit": 10, "activity": True}),
        ("clients", {"limit": 100, "activity": True}),
        ("clients", {"limit": 10, "sortby": "last_share", "direction": "desc"}),
        ("clients", {"limit": 1000}),
        (f"clients/{CLIENT}", {}),
        (f"clients/{CLIENT}/balance", {}),
        (f"clients/{CLIENT}/sheet", {}),
        (f"clients/{CLIENT}/distributions", {"limit": 10}),
        (f"clients/{CLIENT}/distributions", {"limit": 10, "offset": 900}),
        ("deposits", {"limit": 10}),
        ("deposits", {"limit": 10, "status": "pending"}),
        ("deposits", {"limit": 10, "client": CLIENT}),
        ("deposits", {"limit": 10, "search": "waits"}),
        ("deposits", {"limit": 10, **_days(30)}),
        (f"transactions/{CASH_OUT}", {}),
        (f"transactions/{CASH_OUT}/distributions", {}),
    ]
    return found


async def _timed(world: World, path: str, params: dict[str, Any], times: int) -> dict[str, Any]:
    seconds = []
    answer: dict[str, Any] = {}
    for number in range(times + 1):
        started = time.perf_counter()
        answer = await world.operator.api("GET", path, params=params)
        if number:
            seconds.append(time.perf_counter() - started)
    return {**spread(seconds), "total": answer.get("total")}
