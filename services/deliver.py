"""Sends the messages that are due: five attempts, further and further apart, each one logged.

A message is claimed before it is sent, by moving its next attempt away: a crash in between tries
it again, so a receiver may hear the same delivery id twice, and never none (LSP-19, LSP-20).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from loguru import logger

from .. import clock, crud
from ..adapters import lnbits_notify, webhook
from ..adapters.audit import record
from ..adapters.secret_box import unseal
from ..adapters.settlement import settlement
from ..books import get_client
from ..database import BooksConnection, Row
from ..domain.alert_said import said
from ..domain.messages import render, text_of
from ..domain.telling import ATTEMPTS_MAX, next_attempt_us
from ..errors import DeliveryFailed, SatMachineError
from .alert_rules import read_settings
from .alerts import alert_now, resolve_now
from .channels import all_channels, get_channel
from .telling import DELIVERIES, delivery

AT_ONCE = 10  # requests side by side
PER_PASS_MAX = 50
CLAIM_US = 120 * 1_000_000  # longer than any attempt takes
KEPT_US = 90 * 86_400_000_000
PINGS_KEPT_US = 86_400_000_000
TEST_BODY = {
    "event": "test",
    "severity": "info",
    "kind": "test",
    "message": "This channel works.",
    "hint": "",
    "alert_id": None,
    "subject_id": None,
    "count": 1,
}


async def send_due() -> int:
    """Try what is due; how many were tried."""
    now_us = clock.now_us()
    rows = await crud.fetch_rows(
        f"SELECT * FROM {DELIVERIES} WHERE status = 'waiting' AND next_us <= :now"
        f" ORDER BY next_us LIMIT {PER_PASS_MAX}",
        {"now": now_us},
    )
    few = asyncio.Semaphore(AT_ONCE)

    async def one(row: Row) -> None:
        async with few:
            await attempt(row)

    # One that meets an error of ours must not take the others with it; it is logged all the same.
    ended = await asyncio.gather(*(one(row) for row in rows), return_exceptions=True)
    if rows:
        await _tell_of_failures()
    for error in ended:
        if isinstance(error, BaseException):
            raise error
    return len(rows)


async def attempt(row: Row) -> str | None:
    """One attempt, unless somebody else makes it; None when it was taken, or what it met."""
    now_us = clock.now_us()
    claimed = await crud.write(
        f"UPDATE {DELIVERIES} SET attempts = attempts + 1, next_us = :later"
        " WHERE id = :id AND status = 'waiting' AND attempts = :attempts",
        {"later": now_us + CLAIM_US, "id": row["id"], "attempts": row["attempts"]},
    )
    if claimed != 1:
        return None
    number = int(row["attempts"]) + 1
    try:
        if number > ATTEMPTS_MAX:
            raise DeliveryFailed("Every attempt was interrupted")
        result, problem = await _send(row), None
    except SatMachineError as exc:
        result = problem = exc.message
    retry_us = next_attempt_us(number, clock.now_us()) if problem else None
    status = "sent" if problem is None else "failed" if retry_us is None else "waiting"
    await crud.write(
        f"UPDATE {DELIVERIES} SET status = :status, next_us = :next, last_us = :now,"
        " last_result = :result WHERE id = :id",
        {
            "status": status,
            "next": retry_us or clock.now_us(),
            "now": clock.now_us(),
            "result": result,
            "id": row["id"],
        },
    )
    told = f"id={row['id']} channel={row['channel_id']} attempt={number}/{ATTEMPTS_MAX}"
    if problem is None:
        logger.info(f"event=delivery_sent {told}")
    else:
        logger.warning(f"event=delivery_failed {told} status={status} reason={problem!r}")
    return problem


async def _send(row: Row) -> str:
    """What the other side said. Raises SatMachineError."""
    body = json.loads(row["body"])
    if row["client_id"] is not None:
        client = await get_client(row["client_id"])
        return await lnbits_notify.notify(
            await lnbits_notify.ways_of(str(client["user_id"])), str(body["message"])
        )
    channel = await get_channel(str(row["channel_id"]))
    if channel["kind"] == "lnbits":
        return await lnbits_notify.notify(lnbits_notify.administrator(), text_of(body))
    url = unseal(channel["url_sealed"]) or ""
    allowed = (await read_settings()).allow_private_addresses
    if channel["kind"] == "ping":
        answer = await webhook.send(f"{url.rstrip('/')}{body['path']}", allow_private=allowed)
        return str(answer.status)
    request = render(
        str(channel["kind"]),
        body,
        delivery_id=str(row["id"]),
        secret=unseal(channel["secret_sealed"]),
        timestamp=str(clock.now_us() // 1_000_000),
    )
    answer = await webhook.send(
        url, content=request.content, headers=request.headers, allow_private=allowed
    )
    return str(answer.status)


async def send_test(channel_id: str, actor: str) -> str | None:
    """Send a test now, once; None when it arrived, or what it met. Raises NotFound."""
    channel = await get_channel(channel_id)
    now_us = clock.now_us()
    body: Mapping[str, Any] = {
        **TEST_BODY,
        "since": clock.iso(now_us),
        "at": clock.iso(now_us),
        "path": "",
    }
    row = delivery(body, channel_id=channel["id"], now_us=now_us)
    row["attempts"] = ATTEMPTS_MAX - 1  # a person waits for the answer: no second attempt later
    await crud.write(
        INSERT.format(names=", ".join(row), marks=", ".join(f":{n}" for n in row)), row
    )
    problem = await attempt(row)

    async def work(conn: BooksConnection) -> None:
        facts = {"name": channel["name"], "result": problem or "sent"}
        await record(conn, "channel_tested", channel_id, facts, actor=actor, now_us=now_us)

    await settlement(work)
    return problem


INSERT = f"INSERT INTO {DELIVERIES} ({{names}}) VALUES ({{marks}})"


async def _tell_of_failures() -> None:
    """A channel whose last message was given up is an alert itself, for the other channels."""
    gone: list[str] = []
    for channel in await all_channels():
        key = f"channel:{channel['id']}"
        last = await crud.fetch_row(
            f"SELECT status FROM {DELIVERIES} WHERE channel_id = :id AND status <> 'waiting'"
            " AND event <> 'test' ORDER BY created_us DESC LIMIT 1",
            {"id": channel["id"]},
        )
        if last is None or last["status"] != "failed":
            gone.append(key)
        else:
            await alert_now(
                key,
                "channel_failed",
                "warning",
                said("channel_failed", name=channel["name"], n=ATTEMPTS_MAX),
            )
    await resolve_now(*gone)


async def forget_old() -> None:
    """Messages that are done and old; pings after a day."""
    now_us = clock.now_us()
    await crud.write(
        f"DELETE FROM {DELIVERIES} WHERE status IN ('sent', 'failed')"
        " AND (created_us < :old OR (event = 'ping' AND created_us < :day))",
        {"old": now_us - KEPT_US, "day": now_us - PINGS_KEPT_US},
    )
