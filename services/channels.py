"""The channels that alerts go to. Addresses and secrets are write-only and sealed.

A change says in the audit trail which address's host it was, never the address: that of a Slack or
Discord webhook lets anybody post.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.secret_box import seal
from ..adapters.settlement import settlement
from ..adapters.webhook import check_url
from ..database import BooksConnection, Row, own
from ..errors import BadInput, NotFound, StateConflict
from ..models_watch import ChannelKind, SaveChannel

CHANNELS = "satoshimachine.alert_channels"
CHANNELS_MAX = 50
WITH_SECRET = (ChannelKind.WEBHOOK, ChannelKind.NTFY)


async def all_channels(conn: BooksConnection | None = None) -> Sequence[Row]:
    """Every channel, oldest first."""
    return await crud.fetch_rows(
        f"SELECT * FROM {CHANNELS} ORDER BY created_us, id LIMIT {CHANNELS_MAX}", None, conn
    )


async def with_last_delivery() -> list[dict[str, Any]]:
    """Every channel with its newest delivery."""

    async def work(conn: BooksConnection) -> list[dict[str, Any]]:
        found = []
        for row in await all_channels(conn):
            last = await conn.row(
                "SELECT event, status, attempts, created_us, last_us, last_result"
                " FROM satoshimachine.alert_deliveries WHERE channel_id = :id"
                " ORDER BY created_us DESC LIMIT 1",
                {"id": row["id"]},
            )
            found.append({**row, "last": last})
        return found

    return await own(work)


async def get_channel(channel_id: str, conn: BooksConnection | None = None) -> Row:
    """Raises NotFound."""
    row = await crud.fetch_row(f"SELECT * FROM {CHANNELS} WHERE id = :id", {"id": channel_id}, conn)
    if row is None:
        raise NotFound("There is no such channel")
    return row


async def save_channel(data: SaveChannel, actor: str, channel_id: str | None = None) -> str:
    """Add a channel or change one; its id. Raises BadInput, NotFound or StateConflict."""
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> str:
        before = await get_channel(channel_id, conn) if channel_id else None
        if before is None and len(await all_channels(conn)) >= CHANNELS_MAX:
            raise StateConflict("There are as many channels as there can be", hint="Delete one.")
        row = {**_row(data, before), "updated_us": now_us}
        if before is None:
            row |= {"id": uuid4().hex, "created_us": now_us, "last_poll_id": None}
            await conn.insert_rows(CHANNELS, [row])
        else:
            row["id"] = before["id"]
            changes = ", ".join(f"{name} = :{name}" for name in row if name != "id")
            await conn.execute(f"UPDATE {CHANNELS} SET {changes} WHERE id = :id", row)
        await record(
            conn,
            "channel_saved",
            row["id"],
            {},
            actor=actor,
            now_us=now_us,
            before=_told(before),
            after=_told(row),
        )
        return str(row["id"])

    return await settlement(work)


def _row(data: SaveChannel, before: Row | None) -> dict[str, Any]:
    """What is stored. An address belongs to its kind: another kind needs another address, and
    another host never gets the secret of the one before.
    """
    kept = before if before is not None and before["kind"] == data.kind.value else None
    url = check_url(data.url) if data.url else None
    if data.kind is ChannelKind.LNBITS:
        if data.url or data.secret:
            _refuse("url", "LNbits' own notifications have no address and no secret here")
        sealed, host = None, None
    elif url is not None:
        sealed, host = seal(data.url), url.host
    elif kept is not None and data.url is None:
        sealed, host = kept["url_sealed"], kept["host"]
    else:
        _refuse("url", "an address is needed")
    if data.secret and data.kind not in WITH_SECRET:
        _refuse("secret", "this kind of channel has no secret")
    secret = seal(data.secret)
    if data.secret is None and kept is not None and kept["host"] == host:
        secret = kept["secret_sealed"]
    return {
        "name": data.name,
        "kind": data.kind.value,
        "url_sealed": sealed,
        "host": host,
        "secret_sealed": secret,
        "min_severity": data.min_severity,
        "level": data.level,
        "enabled": data.enabled,
    }


def _refuse(field: str, sentence: str) -> None:
    raise BadInput(
        f"{field}: {sentence}",
        hint="Correct the named field; nothing was changed.",
        errors=[{"field": field, "message": sentence}],
    )


def _told(row: Any) -> dict[str, Any] | None:
    """For the audit trail."""
    if row is None:
        return None
    names = ("name", "kind", "host", "min_severity", "level", "enabled")
    return {**{name: row[name] for name in names}, "secret": bool(row["secret_sealed"])}


async def delete_channel(channel_id: str, actor: str) -> None:
    """Forget a channel and what still waits for it. Raises NotFound."""
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> None:
        before = await get_channel(channel_id, conn)
        await conn.execute(f"DELETE FROM {CHANNELS} WHERE id = :id", {"id": channel_id})
        await conn.execute(
            "UPDATE satoshimachine.alert_deliveries SET status = 'failed',"
            " last_result = 'The channel was deleted'"
            " WHERE channel_id = :id AND status = 'waiting'",
            {"id": channel_id},
        )
        await record(
            conn,
            "channel_deleted",
            channel_id,
            {},
            actor=actor,
            now_us=now_us,
            before=_told(before),
        )

    await settlement(work)
