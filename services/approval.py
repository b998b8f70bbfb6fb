"""The second person: above a limit a correction is done only with their passphrase.

LNbits has one superuser, so that the second person has no account: they know a passphrase of their
own, of which only a scrypt hash is kept. The limit and the passphrase change only with the old
passphrase; a few wrong ones lock it for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from typing import Any

from .. import books, clock, crud
from ..adapters.audit import record
from ..adapters.settlement import settlement
from ..database import BooksConnection
from ..domain.days import US_PER_S
from ..errors import BadInput, StateConflict
from ..models import OperatorSettings
from ..models_corrections import ApprovalRequest

META = "second_approval"
SETTING = "second_approval_above_sats"
COST = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}  # some 50 ms and 16 MB
SALT_BYTES = 16
ATTEMPTS_MAX = 5  # wrong ones in a row
LOCKED_US = 900 * US_PER_S


def _hash(passphrase: str, salt: bytes) -> str:
    return hashlib.scrypt(passphrase.encode(), salt=salt, **COST).hex()


async def state() -> dict[str, Any]:
    """What may be told: from when on, and whether a passphrase is set; never what it is."""
    known = await crud.get_meta(META) or {}
    locked_us = known.get("locked_until_us") or 0
    return {
        "above_sats": (await crud.get_settings()).second_approval_above_sats,
        "has_passphrase": bool(known),
        "set_at": clock.iso(known.get("since_us")),
        "locked_until": clock.iso(locked_us) if locked_us > clock.now_us() else None,
    }


async def needed(settings: OperatorSettings, sats: int | None) -> bool:
    """Must a second person agree to this many sats? None: nobody knows what it is worth."""
    limit = settings.second_approval_above_sats
    return limit is not None and (sats is None or sats > limit)


async def worth_sats(currency: str, amount_minor: int) -> int | None:
    """What a fiat amount is worth at the newest sale's price, or None before any sale."""
    price = await books.newest_price(currency)
    return int(abs(amount_minor) / price) if price else None


async def check(passphrase: str | None, actor: str) -> None:
    """Raise unless it is the second person's passphrase; wrong ones are counted and kept."""
    if not passphrase:
        raise BadInput(
            "A second person must agree to this",
            hint="They type their passphrase.",
            missing=["passphrase"],
        )
    known = await _try(actor)
    found = await asyncio.to_thread(_hash, passphrase, bytes.fromhex(known["salt"]))
    if not hmac.compare_digest(found, known["hash"]):
        raise BadInput("This is not the second person's passphrase", hint="Let them type it again.")
    await crud.set_meta(META, {**known, "failures": 0, "locked_until_us": None})


async def _try(actor: str) -> dict[str, Any]:
    """Count an attempt before it is made, so that many at once are no more than a few."""
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> dict[str, Any]:
        known: dict[str, Any] | None = await crud.get_meta(META, conn)
        if not known:
            raise StateConflict("No passphrase is set", hint="Set the second person's passphrase.")
        if (known.get("locked_until_us") or 0) > now_us:
            raise StateConflict(
                "The passphrase was wrong too often", hint="Try again in a quarter of an hour."
            )
        tried = int(known.get("failures") or 0) + 1
        locked = now_us + LOCKED_US if tried >= ATTEMPTS_MAX else None
        facts = {"failures": 0 if locked else tried, "locked_until_us": locked}
        await crud.set_meta(META, {**known, **facts}, conn)
        detail = {"attempt": tried, "locks": locked is not None}
        await record(conn, "approval_tried", "approval", detail, actor=actor, now_us=now_us)
        return known

    return await settlement(work)


async def set_up(data: ApprovalRequest, actor: str) -> None:
    """The limit and the passphrase; what is set already changes only with the old passphrase."""
    known = await crud.get_meta(META)
    if known:
        await check(data.passphrase, actor)
    elif data.above_sats is not None and not data.new_passphrase:
        raise BadInput(
            "A limit needs a passphrase",
            hint="The second person types one that only they know.",
            missing=["new_passphrase"],
        )
    now_us = clock.now_us()
    fresh = None
    if data.new_passphrase:
        salt = secrets.token_bytes(SALT_BYTES)
        hashed = await asyncio.to_thread(_hash, data.new_passphrase, salt)
        fresh = {"salt": salt.hex(), "hash": hashed, "since_us": now_us}

    async def work(conn: BooksConnection) -> None:
        before = (await crud.get_settings(conn)).second_approval_above_sats
        await crud.save_settings({SETTING: data.above_sats}, now_us, conn)
        if fresh is not None:
            await crud.set_meta(META, fresh, conn)
        await record(
            conn,
            "approval_changed",
            "approval",
            {"passphrase_changed": fresh is not None},
            actor=actor,
            now_us=now_us,
            before={"above_sats": before},
            after={"above_sats": data.above_sats},
        )

    await settlement(work)
