"""This installation's secret: from it the preimages of its payments derive."""

from __future__ import annotations

import secrets

from .. import crud
from ..database import BooksConnection

NAME = "installation_secret"
SECRET_BYTES = 32


async def installation_secret(conn: BooksConnection) -> bytes:
    """Made inside the first settlement, the same from then on."""
    known = await crud.get_meta(NAME, conn)
    if known is None:
        known = secrets.token_hex(SECRET_BYTES)
        await crud.add_meta(NAME, known, conn)
    return bytes.fromhex(known)
