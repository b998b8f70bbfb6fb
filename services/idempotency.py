"""One answer per Idempotency-Key, kept for ever: an outage at the caller may last for days.

The key is stored before the work begins. Work that we refused changed nothing and gives its key
back; work that died keeps it until it is safe to ask again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from .. import clock
from ..adapters.settlement import settlement
from ..database import BooksConnection
from ..errors import IdempotencyConflict, SatMachineError, StateConflict

# A first request that never answered died with its process; what it did is safe to do again,
# because the work itself is guarded by the books.
UNANSWERED_AFTER_US = 300 * 1_000_000


async def once(key: str, request_hash: str, run: Callable[[], Awaitable[Any]]) -> Any:
    """Run and remember, or answer what was remembered.

    Raises IdempotencyConflict for the same key with other content, StateConflict while the first
    request still runs.
    """
    first = await _claim(key, request_hash)
    if first is not None:
        return first
    try:
        answer = await run()
    except SatMachineError:
        await _forget(key)
        raise
    await _remember(key, answer)
    return answer


async def _claim(key: str, request_hash: str) -> Any:
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> Any:
        row = await conn.row(
            "SELECT * FROM satoshimachine.idempotency_keys WHERE key = :key", {"key": key}
        )
        if row is None:
            await conn.execute(
                "INSERT INTO satoshimachine.idempotency_keys (key, request_hash, created_us)"
                " VALUES (:key, :hash, :now)",
                {"key": key, "hash": request_hash, "now": now_us},
            )
            return None
        if row["request_hash"] != request_hash:
            raise IdempotencyConflict("This Idempotency-Key was used for another request")
        if row["answer"] is not None:
            return json.loads(row["answer"])
        if now_us - int(row["created_us"]) < UNANSWERED_AFTER_US:
            raise StateConflict(
                "The first request with this Idempotency-Key is still running",
                hint="Ask again in a moment.",
            )
        await conn.execute(
            "UPDATE satoshimachine.idempotency_keys SET created_us = :now WHERE key = :key",
            {"key": key, "now": now_us},
        )
        return None

    return await settlement(work)


async def _remember(key: str, answer: Any) -> None:
    async def work(conn: BooksConnection) -> None:
        await conn.execute(
            "UPDATE satoshimachine.idempotency_keys SET status_code = 200, answer = :answer"
            " WHERE key = :key",
            {"key": key, "answer": json.dumps(answer)},
        )

    await settlement(work)


async def _forget(key: str) -> None:
    async def work(conn: BooksConnection) -> None:
        await conn.execute(
            "DELETE FROM satoshimachine.idempotency_keys WHERE key = :key AND answer IS NULL",
            {"key": key},
        )

    await settlement(work)
