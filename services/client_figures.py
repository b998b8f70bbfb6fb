"""What clients did so far: shares, sats, deposits and what a bitcoin cost them on average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .. import books, clock
from ..crud import fetch_rows
from ..database import Row
from ..domain.money import CURRENCY_EXPONENT, SATS_PER_COIN, decimal_text
from ..domain.states import DepositState, ShareState
from . import clients, correction_list, people

FIGURES_MAX = 100  # clients at once: each share of theirs is counted


@dataclass
class InCurrency:
    """One client's sums in one currency; fiat in minor units."""

    deposits: dict[str, int] = field(default_factory=dict)  # state -> how many
    shares: dict[str, int] = field(default_factory=dict)  # state -> how many
    sats: dict[str, int] = field(default_factory=dict)
    fiat_minor: dict[str, int] = field(default_factory=dict)
    last_us: int | None = None

    def average_cost(self, currency: str) -> str | None:
        """Fiat per bitcoin over all confirmed shares, to the minor unit; None without one."""
        state = ShareState.CONFIRMED.value
        sats = self.sats.get(state, 0)
        if not sats or currency not in CURRENCY_EXPONENT:
            return None
        exact = Fraction(self.fiat_minor[state] * SATS_PER_COIN, sats)
        return decimal_text(round(exact), currency)


Sums = dict[str, dict[str, InCurrency]]  # client -> currency -> sums


async def sums_of(client_ids: Sequence[str]) -> Sums:
    """The sums of at most FIGURES_MAX clients."""
    found: Sums = {client_id: {} for client_id in client_ids[:FIGURES_MAX]}
    if not found:
        return found
    named = {f"v{number}": client_id for number, client_id in enumerate(found)}
    marks = ", ".join(f":{name}" for name in named)
    for row in await fetch_rows(
        "SELECT client_id, currency, status, COUNT(*) AS n, SUM(amount_sats) AS sats,"
        " SUM(fiat_minor) AS minor, MAX(cash_out_us) AS last_us FROM satoshimachine.dca_payments"
        f" WHERE client_id IN ({marks}) GROUP BY client_id, currency, status",
        named,
    ):
        one = _place(found, row)
        one.shares[row["status"]] = int(row["n"])
        one.sats[row["status"]] = int(row["sats"])
        one.fiat_minor[row["status"]] = int(row["minor"])
        one.last_us = max(one.last_us or 0, int(row["last_us"] or 0)) or None
    for row in await fetch_rows(
        "SELECT client_id, currency, status, COUNT(*) AS n FROM satoshimachine.dca_deposits"
        f" WHERE client_id IN ({marks}) GROUP BY client_id, currency, status",
        named,
    ):
        _place(found, row).deposits[row["status"]] = int(row["n"])
    return found


def _place(found: Sums, row: Row) -> InCurrency:
    return found[row["client_id"]].setdefault(str(row["currency"]), InCurrency())


def figures(sums: dict[str, InCurrency]) -> dict[str, Any]:
    """One client's sums as an answer carries them."""
    confirmed, failed = ShareState.CONFIRMED.value, ShareState.FAILED.value
    last = [one.last_us for one in sums.values() if one.last_us]
    return {
        "shares": sum(one.shares.get(confirmed, 0) for one in sums.values()),
        "failed_shares": sum(one.shares.get(failed, 0) for one in sums.values()),
        "lifetime_sats": sum(one.sats.get(confirmed, 0) for one in sums.values()),
        "owed_sats": sum(one.sats.get(failed, 0) for one in sums.values()),
        "deposits": _deposits(sums, DepositState.CONFIRMED),
        "pending_deposits": _deposits(sums, DepositState.PENDING),
        "last_share_at": clock.iso(max(last)) if last else None,
        "average_costs": [
            {"currency": currency, "average_cost": cost}
            for currency, one in sorted(sums.items())
            if (cost := one.average_cost(currency)) is not None
        ],
    }


def _deposits(sums: dict[str, InCurrency], state: DepositState) -> int:
    return sum(one.deposits.get(state.value, 0) for one in sums.values())


async def client_sheet(client_id: str) -> dict[str, Any]:
    """Everything a client's own page says but its lists. Raises NotFound.

    Per currency: opening 0 + deposits + corrections - shares = balance, as the ledger has it.
    """
    client = await books.get_client(client_id)
    sums = (await sums_of([client_id]))[client_id]
    sheets = []
    for balance in await clients.client_balances(client_id):
        currency = balance["currency"]
        one = sums.get(currency, InCurrency())
        sheets.append(
            {
                **balance,
                "opening": decimal_text(0, currency),
                "shares": one.shares.get(ShareState.CONFIRMED.value, 0),
                "sats": one.sats.get(ShareState.CONFIRMED.value, 0),
                "owed_sats": one.sats.get(ShareState.FAILED.value, 0),
                "average_cost": one.average_cost(currency),
            }
        )
    names = await people.names_of(str(client["user_id"]), str(client["wallet_id"]))
    corrected = {
        **await correction_list.claim_of(client_id),
        "corrected_sats": await correction_list.given_to(client_id),
    }
    as_of = clock.iso(clock.now_us())
    return {**figures(sums), **names, **corrected, "sheets": sheets, "as_of": as_of}
