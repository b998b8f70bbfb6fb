"""What LNbits' funding source says it holds. It may be slow, wrong or silent; it never stops us."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
from lnbits.wallets import get_funding_source

TIMEOUT_S = 5.0
SAID_MAX = 200


@dataclass(frozen=True)
class NodeBalance:
    """`balance_msat` None: it does not tell, which is not zero. `problem` says why, if it does."""

    name: str
    balance_msat: int | None
    problem: str | None = None


async def node_balance() -> NodeBalance:
    """Ask the funding source, for a few seconds."""
    source = get_funding_source()
    name = type(source).__name__
    try:
        status = await asyncio.wait_for(source.status(), TIMEOUT_S)
    except asyncio.TimeoutError:
        return NodeBalance(name, None, "it did not answer in time")
    except (httpx.HTTPError, OSError, RuntimeError, ValueError, KeyError, TypeError) as exc:
        return NodeBalance(name, None, type(exc).__name__)
    if status.error_message:
        return NodeBalance(name, None, str(status.error_message)[:SAID_MAX])
    return NodeBalance(name, int(status.balance_msat))
