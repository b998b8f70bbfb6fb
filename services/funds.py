"""What lies in the operator's two wallets, and for how many days the source wallet lasts.

LNbits adds a wallet up from all its payments, so a balance is kept for some seconds: a page that
is open in several windows must not add up years of payments again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import clock, crud
from ..adapters.wallet_rows import balances_msat, wallet_problems
from ..books import MOMENT
from ..database import BooksConnection, own
from ..domain.days import last_days
from ..domain.money import MSAT_PER_SAT
from ..domain.states import CommissionState, FundingMode
from ..models import OperatorSettings, StoredConfig
from .doorbell import doorbell
from .pool import open_liabilities_sats

PACE_DAYS = 14  # what "the recent pace" is: two of every weekday
KEPT_US = 10 * 1_000_000
COINS = ("BTC", "LN")


@dataclass(frozen=True)
class Balances:
    """What LNbits said, and when."""

    at_us: int
    msat: dict[str, int]
    problems: dict[str, str | None]


_kept: dict[tuple[int | str, ...], Balances] = {}


async def read_funds() -> dict[str, Any]:
    """Both wallets; None for one that is not chosen."""

    async def work(conn: BooksConnection) -> dict[str, Any]:
        config = await crud.get_config(conn)
        settings = await crud.get_settings(conn)
        source_id = config.source_wallet_id if config else None
        commission_id = config.commission_wallet_id if config else None
        ids = sorted({one for one in (source_id, commission_id) if one})
        balances = await _balances(conn, ids)
        source = _wallet(balances, source_id)
        if source is not None and config is not None:
            source |= await _lasting(conn, config, settings, source["balance_sats"])
        return {
            "at_us": balances.at_us,
            "source": source,
            "commission": _wallet(balances, commission_id),
        }

    return await own(work)


async def _balances(conn: BooksConnection, ids: list[str]) -> Balances:
    """What was read a moment ago, unless this extension changed something since."""
    now_us = clock.now_us()
    key: tuple[int | str, ...] = (doorbell.seq, *ids)
    kept = _kept.get(key)
    if kept is None or not 0 <= now_us - kept.at_us < KEPT_US:
        kept = Balances(now_us, await balances_msat(conn, ids), await wallet_problems(conn, ids))
        _kept.clear()
        _kept[key] = kept
    return kept


def _wallet(balances: Balances, wallet_id: str | None) -> dict[str, Any] | None:
    if wallet_id is None:
        return None
    return {
        "id": wallet_id,
        "balance_sats": balances.msat[wallet_id] // MSAT_PER_SAT,
        "problem": balances.problems[wallet_id],
    }


async def _lasting(
    conn: BooksConnection, config: StoredConfig, settings: OperatorSettings, balance_sats: int
) -> dict[str, Any]:
    """How much of the balance is free, and how many days it lasts at the recent pace.

    Only prefunded coins draw on it: with credit a sale brings the sats that it pays out.
    """
    prefunded = [coin for coin in COINS if settings.funding(coin) is FundingMode.PREFUNDED]
    owed_sats = await open_liabilities_sats(conn, str(config.source_wallet_id))
    free_sats = max(0, balance_sats - owed_sats)
    facts: dict[str, Any] = {
        "owed_sats": owed_sats,
        "free_sats": free_sats,
        "prefunded": prefunded,
        "pace_days": PACE_DAYS,
        "pace_sats": None,
        "runway_days": None,
    }
    if not prefunded:
        return facts
    first_us = last_days(clock.now_us(), settings.time_zone, PACE_DAYS)[0][1]
    rows = await crud.fetch_rows(
        "SELECT COALESCE(SUM(t.confirmed_sats), 0) AS shares, COALESCE(SUM(CASE WHEN"
        " t.commission_status = :paid THEN t.commission_sats END), 0) AS commission"
        " FROM satoshimachine.lamassu_transactions t"
        f" WHERE t.status = 'completed' AND {MOMENT} >= :first AND t.funding_mode = :mode",
        {
            "first": first_us,
            "paid": CommissionState.PAID.value,
            "mode": FundingMode.PREFUNDED.value,
        },
        conn,
    )
    pace_sats = int(rows[0]["shares"]) + int(rows[0]["commission"])
    facts["pace_sats"] = pace_sats
    if pace_sats:
        facts["runway_days"] = free_sats * PACE_DAYS // pace_sats
    return facts
