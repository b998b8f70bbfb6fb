"""What a settled cash-out and its shares are stored as: the columns of a plan."""

from __future__ import annotations

from typing import Any

from lnbits.helpers import urlsafe_short_hash

from ..adapters.wallet_rows import LegIds
from ..database import Row, stored_time
from ..domain.money import whole_from_minor
from ..domain.plan import LegKind, Plan, Share, leg_key
from ..domain.split import effective_commission


def share_row(
    cash_out: Row, plan: Plan, share: Share, ids: dict[str, LegIds], now_us: int
) -> dict[str, Any]:
    """A client's share as it is stored, in a wallet or owed."""
    lamassu_id, currency = plan.given.lamassu_transaction_id, plan.given.currency
    key = leg_key(lamassu_id, LegKind.SHARE, share.client_id)
    whole = whole_from_minor(share.fiat_minor, currency)
    sold_us = int(cash_out["confirmed_at_us"] or cash_out["created_us"] or now_us)
    return {
        "id": urlsafe_short_hash(),
        "client_id": share.client_id,
        "amount_sats": share.sats,
        "amount_fiat": whole.numerator / whole.denominator,
        "exchange_rate": share.full_sats * whole.denominator / whole.numerator,
        "transaction_type": share.mode,
        "lamassu_transaction_id": lamassu_id,
        "payment_hash": ids[key].payment_hash if key in ids else None,
        "status": share.state.value,
        "created_at": stored_time(now_us),
        "transaction_time": stored_time(sold_us),
        "leg_key": key,
        "cash_out_id": cash_out["id"],
        "wallet_id": share.wallet_id,
        "currency": currency,
        "fiat_minor": share.fiat_minor,
        "cash_out_us": sold_us,
        "error_message": share.problem,
        "attempts": 1,
        "updated_us": now_us,
        "withheld_sats": share.withheld_sats or None,
    }


def cash_out_columns(cash_out: Row, plan: Plan, now_us: int) -> dict[str, Any]:
    """What a cash-out becomes when its plan is committed."""
    given, rate = plan.given, plan.given.commission_rate
    c_eff = effective_commission(rate, given.discount_percent) if rate is not None else None
    return {
        "id": cash_out["id"],
        "split_rule": given.rule.value,
        "effective_commission": (
            f"{c_eff.numerator}/{c_eff.denominator}" if c_eff is not None else None
        ),
        "funding_mode": given.funding_mode.value,
        "source_wallet_id": given.source_wallet_id,
        "commission_wallet_id": given.commission_wallet_id,
        "commission_status": plan.commission_state.value,
        "commission_message": plan.commission_problem,
        "total_sats": plan.split.total_sats,
        "base_sats": plan.split.base_sats,
        "commission_sats": plan.split.commission_sats,
        "drawn_minor": plan.drawn_minor,
        "confirmed_sats": plan.confirmed_sats,
        "failed_sats": plan.failed_sats,
        "operator_remainder_sats": plan.operator_remainder_sats,
        "clients_count": len(plan.shares),
        "plan_hash": plan.hash,
        "plan_json": plan.facts,
        "processed_us": now_us,
    }
