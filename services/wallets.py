"""Wallets of an LNbits user by name, for choosing one. Keys never leave this file."""

from __future__ import annotations

from typing import Any

from lnbits.core.crud.wallets import get_wallets

from .. import crud
from ..adapters.wallet_rows import PLAIN_WALLET
from ..domain.money import MSAT_PER_SAT

WALLETS_MAX = 500  # of one user; nobody scrolls through more


async def wallets_of(user_id: str) -> tuple[list[dict[str, Any]], int]:
    """What tells the wallets of a user apart, and how many they have.

    By name, those in use here first, so that they are never cut off; `usable` ones can take and
    give sats.
    """
    config = await crud.get_config()
    used = {config.source_wallet_id, config.commission_wallet_id} if config else set()
    wallets = await get_wallets(user_id)
    found = sorted(wallets, key=lambda w: (w.id not in used, w.name.lower(), w.id))
    shown = [
        {
            "id": wallet.id,
            "name": wallet.name,
            "user_id": wallet.user,
            "balance_sats": wallet.balance_msat // MSAT_PER_SAT,
            "usable": str(wallet.wallet_type) == PLAIN_WALLET,
        }
        for wallet in found[:WALLETS_MAX]
    ]
    return shown, len(found)
