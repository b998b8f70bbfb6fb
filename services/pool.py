"""Reads what a plan needs from the books and the wallets, inside the settlement transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ..adapters import wallet_rows
from ..database import BooksConnection, Row
from ..domain.days import local_day
from ..domain.eligibility import Stated, read_sale
from ..domain.money import CURRENCY_EXPONENT, MSAT_PER_SAT
from ..domain.plan import Plan, PlanInput
from ..domain.pool import PoolClient
from ..domain.replay import read_stated
from ..domain.states import DcaMode, FundingMode
from ..errors import (
    FundingShort,
    FundingUnusable,
    NotConfigured,
    OutgoingBlocked,
    ensure,
)
from ..models import OperatorSettings, StoredConfig
from .gates import Standing


@dataclass(frozen=True)
class Books:
    """What the operator set, complete enough to plan with."""

    config: StoredConfig
    settings: OperatorSettings


def books_of(standing: Standing) -> Books:
    """Raises NotConfigured or FundingUnusable when nobody said where the sats come from."""
    if standing.config is None:
        raise NotConfigured("No connection to Lamassu is saved")
    if not standing.config.source_wallet_id:
        raise FundingUnusable("No source wallet is set")
    return Books(standing.config, standing.settings)


def stated_facts(cash_out: Row) -> Stated | None:
    """What a person stated about this cash-out; None when the rules alone decide."""
    return read_stated(cash_out["operator_facts"])


async def read_plan_input(
    conn: BooksConnection, cash_out: Row, books: Books, stated: Stated | None
) -> PlanInput:
    """Everything the plan depends on, at this moment of this transaction."""
    said = stated or Stated()
    sale = read_sale(json.loads(cash_out["source_row"]))
    wrong = said.fiat_is_wrong and said.fiat_minor is not None
    fiat_minor = said.fiat_minor if wrong else sale.fiat_minor
    rate, discount = said.commission_rate, said.discount_percent
    ensure(fiat_minor is not None and sale.total_sats is not None, "an unreadable sale is pending")
    source_id = books.config.source_wallet_id or ""
    commission_id = books.config.commission_wallet_id
    clients = await read_clients(conn, cash_out, sale.fiat_code, books.settings)
    wallets = {client.wallet_id for client in clients} | {source_id}
    wallets |= {commission_id} if commission_id else set()
    problems = await wallet_rows.wallet_problems(conn, wallets)
    if problems[source_id]:
        raise FundingUnusable(f"The source wallet cannot be used: {problems[source_id]}")
    rooms = await wallet_rows.rooms_sats(conn, sorted(wallets))
    return PlanInput(
        lamassu_transaction_id=cash_out["lamassu_transaction_id"],
        rule=books.settings.split_rule,
        total_sats=sale.total_sats or 0,
        commission_rate=sale.commission_rate if rate is None else rate,
        discount_percent=(sale.discount_percent or Fraction(0) if discount is None else discount),
        ticker_price=sale.ticker_price,
        currency=sale.fiat_code,
        fiat_minor=fiat_minor or 0,
        draw_limit_minor=(fiat_minor or 0) if said.fiat_minor is None else said.fiat_minor,
        funding_mode=books.settings.funding(sale.crypto_code),
        source_wallet_id=source_id,
        commission_wallet_id=commission_id,
        clients=tuple(
            replace(
                client,
                wallet_problem=problems[client.wallet_id],
                room_sats=rooms[client.wallet_id],
            )
            for client in clients
        ),
        settle_without_clients=books.settings.settle_without_clients,
        commission_wallet_problem=problems[commission_id] if commission_id else None,
        commission_room_sats=rooms[commission_id] if commission_id else None,
    )


async def read_clients(
    conn: BooksConnection, cash_out: Row, currency: str, settings: OperatorSettings
) -> list[PoolClient]:
    """Active clients with a balance in this currency, as of the cash-out (design.md 3.3)."""
    source_us = int(cash_out["confirmed_at_us"] or cash_out["created_us"] or 0)
    our_us = source_us - int(cash_out["clock_difference_us"])
    rows = await conn.rows(
        """
        SELECT c.id, c.wallet_id, c.dca_mode, c.fixed_mode_daily_limit, b.balance,
            (SELECT COALESCE(SUM(d.amount_minor), 0) FROM satoshimachine.dca_deposits d
             WHERE d.client_id = c.id AND d.currency = :currency AND d.effective_us > :moment)
            + (SELECT COALESCE(SUM(k.amount_minor), 0) FROM satoshimachine.corrections k
             WHERE k.client_id = c.id AND k.currency = :currency AND k.status = 'executed'
                AND k.kind = 'adjust_balance' AND k.effective_us > :moment)
            AS later_minor, r.owed_sats, r.pace_percent
        FROM satoshimachine.dca_clients c
        JOIN satoshimachine.ledger_balances b
            ON b.account = 'client:' || c.id AND b.unit = :currency AND b.balance > 0
        LEFT JOIN satoshimachine.receivables r ON r.client_id = c.id AND r.owed_sats > 0
        WHERE c.status = 'active' ORDER BY c.id
        """,
        {"currency": currency, "moment": our_us},
    )
    charged = {}
    if any(row["dca_mode"] == DcaMode.FIXED.value for row in rows):
        _, start_us, end_us = local_day(source_us, settings.time_zone)
        charged = await _sums(
            conn,
            "SELECT client_id, SUM(fiat_minor) AS minor FROM satoshimachine.dca_payments"
            " WHERE currency = :currency AND cash_out_us >= :start AND cash_out_us < :end"
            " AND status IN ('confirmed', 'failed') GROUP BY client_id",
            {"currency": currency, "start": start_us, "end": end_us},
        )
    return [
        PoolClient(
            client_id=row["id"],
            wallet_id=row["wallet_id"],
            mode=row["dca_mode"],
            daily_limit_minor=daily_limit_minor(row["fixed_mode_daily_limit"], currency),
            remaining_minor=int(row["balance"]),
            later_credits_minor=int(row["later_minor"]),
            charged_same_day_minor=charged.get(row["id"], 0),
            owed_sats=int(row["owed_sats"] or 0),
            pace_percent=int(row["pace_percent"] or 0),
        )
        for row in rows
    ]


def daily_limit_minor(whole: Any, currency: str) -> int | None:
    """A stored daily limit in minor units, rounded down; None when there is none or it is below 0.

    The column holds whole units as the companion writes them, a number of any kind.
    """
    try:
        limit = Fraction(str(whole)) * 10 ** CURRENCY_EXPONENT[currency]
    except ValueError:  # NULL, NaN or infinity: not a limit
        return None
    return int(limit) if limit > 0 else None


async def _sums(conn: BooksConnection, query: str, values: dict[str, Any]) -> dict[str, int]:
    return {row["client_id"]: int(row["minor"]) for row in await conn.rows(query, values)}


async def refuse_unfunded(conn: BooksConnection, plan: Plan) -> None:
    """Raise when this plan cannot be paid from its source wallet now; the cash-out stays pending.

    Prefunded, the wallet must hold what leaves it plus what it already owes (design.md 3.6).
    """
    if wallet_rows.outgoing_blocked():
        raise OutgoingBlocked("LNbits is in incoming-only mode")
    if plan.given.funding_mode is not FundingMode.PREFUNDED:
        return
    source_id = plan.given.source_wallet_id
    held_msat = (await wallet_rows.balances_msat(conn, [source_id]))[source_id]
    need_sats = plan.outgoing_sats + plan.owed_sats + await open_liabilities_sats(conn, source_id)
    if held_msat < need_sats * MSAT_PER_SAT:
        raise FundingShort(
            f"The source wallet holds {held_msat // MSAT_PER_SAT} sats and {need_sats} are needed"
        )


async def open_liabilities_sats(conn: BooksConnection, source_wallet_id: str) -> int:
    """Sats in this wallet that belong to somebody else: failed shares and failed commission."""
    row = await conn.row(
        """
        SELECT
          (SELECT COALESCE(SUM(s.amount_sats), 0) FROM satoshimachine.dca_payments s
           JOIN satoshimachine.lamassu_transactions t ON t.id = s.cash_out_id
           WHERE s.status = 'failed' AND s.origin = 'observed' AND t.source_wallet_id = :wallet)
          AS shares,
          (SELECT COALESCE(SUM(commission_sats), 0) FROM satoshimachine.lamassu_transactions
           WHERE commission_status = 'failed' AND source_wallet_id = :wallet) AS commission
        """,
        {"wallet": source_wallet_id},
    )
    return int(row["shares"]) + int(row["commission"]) if row else 0
