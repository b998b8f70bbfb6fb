"""Telling clients, through LNbits' own notifications, what concerns their payouts (SAT-3, SAT-25).

Nobody is told by a machine: the operator sees who is concerned, who can be reached, and the text,
and sends exactly that. Messages are deliveries like all others, with the same attempts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import clock
from ..adapters.audit import record
from ..adapters.lnbits_notify import ways_of
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row, own
from ..errors import NotFound
from ..models_watch import CLIENTS_MAX, TellClients
from .alert_rules import read_settings, rule_of
from .telling import DELIVERIES, delivery

CORRECTED_US = 7 * 86_400_000_000  # how long ago a correction is still news

# Clients with a failed share that is late; where whole cash-outs are late, all who take part.
LATE = f"""
    SELECT c.id, c.user_id, c.username, 'late' AS why, late.sats, late.since_us FROM (
        SELECT p.client_id, SUM(p.amount_sats) AS sats, MIN(t.processed_us) AS since_us
        FROM satoshimachine.dca_payments p
        JOIN satoshimachine.lamassu_transactions t ON t.id = p.cash_out_id
        WHERE p.status = 'failed' AND p.origin = 'observed' AND t.processed_us < :late
        GROUP BY p.client_id
    ) late JOIN satoshimachine.dca_clients c ON c.id = late.client_id
    ORDER BY late.since_us, c.id LIMIT {CLIENTS_MAX}
"""
WAITING = f"""
    SELECT c.id, c.user_id, c.username, 'waiting' AS why, NULL AS sats, NULL AS since_us
    FROM satoshimachine.dca_clients c WHERE c.status = 'active' AND EXISTS (
        SELECT 1 FROM satoshimachine.ledger_balances b
        WHERE b.account = 'client:' || c.id AND b.balance > 0)
    ORDER BY c.id LIMIT {CLIENTS_MAX}
"""
CORRECTED = f"""
    SELECT c.id, c.user_id, c.username, 'corrected' AS why, NULL AS sats,
        MAX(x.decided_us) AS since_us
    FROM satoshimachine.corrections x JOIN satoshimachine.dca_clients c ON c.id = x.client_id
    WHERE x.status = 'executed' AND x.decided_us > :recent
    GROUP BY c.id, c.user_id, c.username ORDER BY since_us DESC, c.id LIMIT {CLIENTS_MAX}
"""


async def concerned() -> dict[str, Any]:
    """Who can be told what, and when they were last told."""
    now_us = clock.now_us()
    await read_settings()
    late_us = now_us - rule_of("payouts_late").threshold_us

    async def work(conn: BooksConnection) -> list[Row]:
        found = await conn.rows(LATE, {"late": late_us})
        waiting = await conn.row(
            "SELECT id FROM satoshimachine.lamassu_transactions"
            " WHERE status = 'pending' AND observed_us < :late LIMIT 1",
            {"late": late_us},
        )
        if waiting is not None:
            known = {row["id"] for row in found}
            found += [row for row in await conn.rows(WAITING) if row["id"] not in known]
        return found + await conn.rows(CORRECTED, {"recent": now_us - CORRECTED_US})

    rows = await own(work)
    told = await _last_told([str(row["id"]) for row in rows])
    ways: dict[str, list[str]] = {}
    for row in rows:
        if row["user_id"] not in ways:
            ways[row["user_id"]] = (await ways_of(str(row["user_id"]))).usable()
    return {"data": [_one(row, ways[row["user_id"]], told) for row in rows], "total": len(rows)}


def _one(row: Row, ways: list[str], told: Mapping[str, int]) -> dict[str, Any]:
    return {
        "client_id": row["id"],
        "username": row["username"],
        "why": row["why"],
        "sats": None if row["sats"] is None else int(row["sats"]),
        "since": clock.iso(row["since_us"]),
        "ways": ways,
        "told_at": clock.iso(told.get(row["id"])),
    }


async def _last_told(client_ids: list[str]) -> dict[str, int]:
    rows = await own(
        lambda conn: conn.rows_in(
            f"SELECT client_id, MAX(created_us) AS us FROM {DELIVERIES}"
            " WHERE client_id IN ({marks}) GROUP BY client_id",
            sorted(set(client_ids)),
        )
    )
    return {str(row["client_id"]): int(row["us"]) for row in rows}


async def tell_clients(data: TellClients, actor: str) -> dict[str, Any]:
    """Write the messages down; the watch sends them. Raises NotFound for an unknown client."""
    now_us = clock.now_us()
    wanted = list(dict.fromkeys(data.client_ids))
    clients = await own(
        lambda conn: conn.rows_in(
            "SELECT id, user_id FROM satoshimachine.dca_clients WHERE id IN ({marks})", wanted
        )
    )
    if len(clients) != len(wanted):
        raise NotFound("One of these clients does not exist", hint="Load the list again.")
    reached: list[str] = []
    missed: list[str] = []
    for client in clients:
        usable = (await ways_of(str(client["user_id"]))).usable()
        (reached if usable else missed).append(str(client["id"]))
    body = {"event": "client", "severity": "info", "message": data.message}

    async def work(conn: BooksConnection) -> None:
        rows = [delivery(body, client_id=client_id, now_us=now_us) for client_id in reached]
        await conn.insert_rows(DELIVERIES, rows)
        facts = {"message": data.message, "told": reached, "not_reached": missed}
        await record(conn, "clients_told", "clients", facts, actor=actor, now_us=now_us)

    await settlement(work)
    return {"queued": len(reached), "not_reached": missed}
