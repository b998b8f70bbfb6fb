"""This installation's secret: from it the preimages of its payments derive."""

from __future__ import annotations

import secrets

from .. import crud
from ..adapters.settlement import SettlementConnection

SECRET_BYTES = 32


async def installation_secret(conn: SettlementConnection) -> bytes:
    """Made inside the first settlement, the same from then on."""
    await crud.add_meta("installation_secret", secrets.token_hex(SECRET_BYTES), conn)
    return bytes.fromhex(await crud.get_meta("installation_secret", conn))
