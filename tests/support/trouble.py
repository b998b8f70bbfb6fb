"""Making trouble on purpose, and reading what the product says about it."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from .lnbits_app import make_wallet
from .operator import BASE, Operator

NS_PER_S = 1_000_000_000


async def refused_poll(operator: Operator) -> httpx.Response:
    """The button, when it is expected to fail."""
    answer = await operator.http.post(f"{BASE}/manual-poll")
    assert not answer.is_success, answer.text
    return answer


async def open_alerts(operator: Operator) -> dict[str, list[dict[str, Any]]]:
    """Open alerts by kind."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for alert in (await operator.api("GET", "status"))["alerts"]:
        found[alert["kind"]].append(alert)
    return found


async def last_success(operator: Operator) -> str | None:
    """When the feed was last read to its end."""
    moment: str | None = (await operator.api("GET", "config"))["last_successful_poll"]
    return moment


async def stored(operator: Operator, lamassu_id: str) -> bool:
    """Do we know this sale?"""
    answer = await operator.http.get(f"{BASE}/transactions/{lamassu_id}")
    assert answer.status_code in (200, 404), answer.text
    return answer.status_code == 200


async def state_of(operator: Operator, lamassu_id: str) -> tuple[str, str | None]:
    """A cash-out's status and hold code."""
    found = await operator.cash_out(lamassu_id)
    return found["status"], found["hold_code"]


async def settings(operator: Operator, **changes: Any) -> None:
    """Change the operator's settings."""
    await operator.api("PUT", "settings", json=changes)


async def set_column(client_id: str, **changes: Any) -> None:
    """Write a client's row as the companion extension does, past our API."""
    from satmachineadmin.crud import db

    names = ", ".join(f"{name} = :{name}" for name in changes)
    await db.execute(
        f"UPDATE satoshimachine.dca_clients SET {names} WHERE id = :id",
        {**changes, "id": client_id},
    )


async def delete_wallet(wallet_id: str) -> None:
    """As its owner does it in LNbits."""
    from lnbits.core.crud.wallets import delete_wallet_by_id

    assert await delete_wallet_by_id(wallet_id) == 1


async def share_wallet(wallet_id: str, kind: str = "lightning-shared") -> None:
    """Make a wallet a view of somebody else's, or 'lightning' again."""
    from lnbits.core.crud.wallets import clear_wallet_id_cache
    from lnbits.core.db import db

    clear_wallet_id_cache(wallet_id)
    theirs = None if kind == "lightning" else await make_wallet("somebody else's")
    await db.execute(
        "UPDATE wallets SET wallet_type = :kind, shared_wallet_id = :theirs WHERE id = :id",
        {"kind": kind, "theirs": theirs, "id": wallet_id},
    )


async def sats_in(wallet_id: str) -> int:
    """The sum of a wallet's rows, whether the wallet still exists or not."""
    from lnbits.core.db import db

    row = await db.fetchone(
        "SELECT COALESCE(SUM(amount), 0) AS msat FROM apipayments WHERE wallet_id = :id",
        {"id": wallet_id},
    )
    assert row["msat"] % 1000 == 0
    return int(row["msat"]) // 1000


def move_our_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Our whole machine's clock is off by this much; Lamassu's is not."""
    from satmachineadmin import clock
    from satmachineadmin.adapters import lamassu_postgres

    offset_ns = round(by.total_seconds() * NS_PER_S)

    def now_ns() -> int:
        return time.time_ns() + offset_ns

    monkeypatch.setattr(clock, "source", now_ns)
    fake = SimpleNamespace(time_ns=now_ns, monotonic=time.monotonic)
    monkeypatch.setattr(lamassu_postgres, "time", fake)


def pass_time(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """So much later, by our clock; the difference to Lamassu's stays what it is."""
    from satmachineadmin import clock

    offset_ns = round(by.total_seconds() * NS_PER_S)
    monkeypatch.setattr(clock, "source", lambda: time.time_ns() + offset_ns)


def block_outgoing(monkeypatch: pytest.MonkeyPatch, blocked: bool = True) -> None:
    """LNbits' incoming-only mode."""
    limit_lnbits(monkeypatch, lnbits_only_allow_incoming_payments=blocked)


def limit_lnbits(monkeypatch: pytest.MonkeyPatch, **limits: Any) -> None:
    """Settings of LNbits itself."""
    from lnbits.settings import settings as lnbits_settings

    for name, value in limits.items():
        monkeypatch.setattr(lnbits_settings, name, value)


def markup_split(row: dict[str, Any]) -> tuple[int, int]:
    """(base, commission) by the owner's formula, computed here on its own (lamassu.md 0)."""
    received = row["received_crypto_atoms"]
    total = int(row["crypto_atoms"])
    total = total if received is None else min(total, int(received))
    discount = Fraction(row["discount"] or 0)
    effective = Fraction(row["commission_percentage"]) * (100 - discount) / 100
    base = int(total / (1 + effective))
    return base, total - base


def at(text: str) -> datetime:
    """An instant in UTC, '2026-06-10T05:59:00'."""
    return datetime.fromisoformat(f"{text}+00:00")
