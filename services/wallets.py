"""Wallets of an LNbits user by name, for choosing one. Keys never leave this file."""

from __future__ import annotations

from typing import Any

from lnbits.core.crud.wallets import get_wallets

from ..adapters.wallet_rows import PLAIN_WALLET
from ..domain.money import MSAT_PER_SAT

WALLETS_MAX = 500  # of one user; nobody scrolls through more


async def wallets_of(user_id: str) -> list[dict[str, Any]]:
    """What tells the wallets of a user apart, by name; `usable` ones can take and give sats."""
    found = sorted(await get_wallets(user_id), key=lambda wallet: (wallet.name.lower(), wallet.id))
    return [
        {
            "id": wallet.id,
            "name": wallet.name,
            "user_id": wallet.user,
            "balance_sats": wallet.balance_msat // MSAT_PER_SAT,
            "usable": str(wallet.wallet_type) == PLAIN_WALLET,
        }
        for wallet in found[:WALLETS_MAX]
    ]
