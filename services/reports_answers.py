"""The reports as an answer carries them: sats as integers, fiat as decimal text, ISO instants."""

from __future__ import annotations

from typing import Any

from .. import clock
from ..domain.money import CURRENCY_EXPONENT, MSAT_PER_SAT, decimal_text
from .periods import Period
from .reports_clients import ClientLine
from .reports_commission import CommissionReport, compensation, impact_list, sums_facts
from .reports_sections import FiveSections, SplitCheck, wrong_lines
from .reports_wallets import WalletLine, WalletReport

AMOUNTS = ("opening", "deposits", "corrections", "shares", "closing", "later", "stored")


def fiat(minor: int, currency: str) -> str | None:
    """Decimal text; None for a currency nobody knows."""
    return decimal_text(minor, currency) if currency in CURRENCY_EXPONENT else None


def period(given: Period) -> dict[str, Any]:
    """The days it is about."""
    return {
        "from": given.first.isoformat() if given.first else None,
        "to": given.last.isoformat(),
        "time_zone": given.time_zone,
    }


def sections(found: FiveSections) -> dict[str, Any]:
    """The five sections."""
    one = found.processing
    return {
        "at": clock.iso(found.at_us),
        "period": period(found.period),
        "wrong": wrong_lines(found),
        "clients": [client(line) for line in found.clients],
        "processing": {
            **{name: value for name, value in vars(one).items() if not name.endswith("_us")},
            "first_at": clock.iso(one.first_us),
            "last_at": clock.iso(one.last_us),
            "currencies": [
                {
                    "currency": currency,
                    "cash_outs": sums["cash_outs"],
                    "dispensed": fiat(sums["dispensed_minor"], currency),
                    "charged": fiat(sums["charged_minor"], currency),
                }
                for currency, sums in sorted(found.by_currency.items())
            ],
            "waiting": found.waiting,
        },
        "shares": [
            {
                "status": state.status,
                "count": state.count,
                "sats": state.sats,
                "oldest_at": clock.iso(state.oldest_us),
                "newest_at": clock.iso(state.newest_us),
            }
            for state in found.shares
        ],
        "deposits": [
            {
                "id": late.id,
                "client_id": late.client_id,
                "username": late.username,
                "currency": late.currency,
                "amount": fiat(late.amount_minor, late.currency),
                "amount_minor": late.amount_minor,
                "created_at": clock.iso(late.created_us),
                "hours": late.hours,
            }
            for late in found.deposits
        ],
        "splits": [split(check) for check in found.splits],
    }


def client(line: ClientLine) -> dict[str, Any]:
    """One client in one currency."""
    return {
        "client_id": line.client_id,
        "username": line.username,
        "status": line.status,
        "currency": line.currency,
        **{name: fiat(getattr(line, name), line.currency) for name in AMOUNTS},
        **{f"{name}_minor": getattr(line, name) for name in AMOUNTS},
        "discrepancy": fiat(line.discrepancy, line.currency),
        "discrepancy_minor": line.discrepancy,
        "ok": line.ok,
        "deposits_count": line.deposits_count,
        "shares_count": line.shares_count,
        "received_sats": line.received_sats,
        "owed_sats": line.owed_sats,
    }


def split(check: SplitCheck) -> dict[str, Any]:
    """A stored split beside its recalculation."""
    facts = {name: value for name, value in vars(check).items() if name != "moment_us"}
    return {
        **facts,
        "at": clock.iso(check.moment_us),
        "difference_sats": check.difference_sats,
        "ok": check.ok,
    }


def wallets(found: WalletReport) -> dict[str, Any]:
    """The operator's wallets and LNbits as a whole. What a node does not tell is null, not 0."""
    node, owned = found.node, found.node.balance_msat
    owing = found.liabilities_msat + found.in_flight_msat
    return {
        "at": clock.iso(found.before_us),
        "wallets": [wallet(line) for line in found.wallets],
        "unallocated_sats": found.accounts.get("operator", 0),
        "owed_to_clients_sats": found.accounts.get("owed", 0),
        "commission_owed_sats": found.accounts.get("commission_owed", 0),
        "paid_to_clients_sats": found.accounts.get("paid", 0),
        "commission_sats": found.accounts.get("commission", 0),
        "owed": [vars(one) for one in found.owed],
        "lnbits": {
            "liabilities_sats": found.liabilities_msat // MSAT_PER_SAT,
            "in_flight_sats": found.in_flight_msat // MSAT_PER_SAT,
            "node": node.name,
            "node_problem": node.problem,
            "node_owned_sats": None if owned is None else owned // MSAT_PER_SAT,
            # LNbits asks a funding source for one number; what of it can be sent is not told.
            "node_available_sats": None,
            "covered_sats": None if owned is None else (owned - owing) // MSAT_PER_SAT,
        },
    }


def wallet(line: WalletLine) -> dict[str, Any]:
    """What should be in a wallet and what is."""
    others_msat = line.others_in_msat + line.others_out_msat
    return {
        "wallet_id": line.wallet_id,
        "role": line.role,
        "name": line.name,
        "problem": line.problem,
        "legs": dict(sorted(line.legs.items())),
        "expected_sats": line.expected_sats,
        "ours_sats": line.ours_msat // MSAT_PER_SAT,
        "difference_msat": line.difference_msat,
        "difference_sats": line.difference_msat // MSAT_PER_SAT,
        "ok": line.difference_msat == 0,
        "others_in_sats": line.others_in_msat // MSAT_PER_SAT,
        "others_out_sats": -(-line.others_out_msat // MSAT_PER_SAT),
        "others_sats": others_msat // MSAT_PER_SAT,
        "others_count": line.others_rows,
        "balance_sats": line.balance_msat // MSAT_PER_SAT,
        "balance_msat": line.balance_msat,
    }


def commission(found: CommissionReport) -> dict[str, Any]:
    """Commission by rule. `compensate` is the batch correction of what is missing, or null."""
    return {
        "period": period(found.period),
        "against": found.against,
        "used": dict(sorted(found.rules.items())),
        "best": found.best_rule(),
        "whole": sums_facts(found.whole),
        "days": [{"day": day, **sums_facts(sums)} for day, sums in sorted(found.days.items())],
        "months": [
            {"month": month, **sums_facts(sums)} for month, sums in sorted(found.months.items())
        ],
        "machines": [
            {"device_id": device, "machine": found.machine_names[device], **sums_facts(sums)}
            for device, sums in sorted(found.machines.items())
        ],
        "wrong": [split(check) for check in found.wrong],
        "impacts": [
            {
                "client_id": one.client_id,
                "username": one.username,
                "cash_outs": one.cash_outs,
                "got_sats": one.got_sats,
                "expected_sats": one.expected_sats,
                "sats": one.sats,
                "compensated_sats": one.compensated_sats,
                "missing_sats": one.missing_sats,
            }
            for one in impact_list(found)
        ],
        "compensate": compensation(found),
    }


def snapshot(day: dict[str, Any]) -> dict[str, Any]:
    """One day of a client; each currency the client had anything in."""
    return {
        "day": day["day"],
        "paid_sats": day["paid_sats"],
        "owed_sats": day["owed_sats"],
        "balances": [
            {"currency": currency, "balance_minor": minor, "balance": fiat(minor, currency)}
            for currency, minor in sorted(day["fiat"].items())
        ],
    }
