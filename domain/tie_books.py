"""The plan run again, what the cash-out says of it, and the clients' shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .eligibility import Stated
from .money import CURRENCY_EXPONENT
from .replay import ReplayProblem, replay
from .verdicts import Difference, Link, Row, is_settled, sats_between, shown


def compare_books(cash_out: Row, shares: Sequence[Row], stated: Stated | None) -> list[Difference]:
    """The plan run again, what the cash-out says of it, and the clients' shares."""
    if not is_settled(cash_out):
        return _unsettled(cash_out, shares)
    try:
        plan = replay(cash_out, stated)
    except ReplayProblem as problem:
        return [Difference(Link.PLAN, problem.code, problem.what, problem.expected, problem.actual)]
    return _outcome(cash_out, plan) + _shares(cash_out, plan, shares)


def _unsettled(cash_out: Row, shares: Sequence[Row]) -> list[Difference]:
    found = []
    if cash_out["total_sats"] is not None or cash_out["plan_hash"] is not None:
        status = shown(cash_out["status"])
        found.append(Difference(Link.PLAN, "plan_outcome", "status", status, "a plan is stored"))
    for share in shares:
        found.append(_share("share_unknown", share, "no share before it is settled", "a share"))
    return found


def _outcome(cash_out: Row, plan: Mapping[str, Any]) -> list[Difference]:
    """What the cash-out says, and the plan with what was cancelled and retried since."""
    split, given = plan["split"], plan["given"]
    state = plan["commission"][0]
    wanted = {
        "total_sats": split["total_sats"],
        "base_sats": split["base_sats"],
        "commission_sats": split["commission_sats"],
        "split_rule": given["rule"],
        "funding_mode": given["funding_mode"],
        "source_wallet_id": given["source_wallet_id"],
        "clients_count": len(plan["shares"]),
    }
    if state != "failed":  # a failed one may have been paid since, to another wallet
        wanted["commission_status"] = state
        wanted["commission_wallet_id"] = given["commission_wallet_id"]
    found = [
        Difference(
            Link.PLAN,
            "plan_outcome",
            name,
            shown(value),
            shown(cash_out[name]),
            sats_between(value, cash_out[name]) if name.endswith("_sats") else None,
        )
        for name, value in wanted.items()
        if value != cash_out[name]
    ]
    if state == "failed" and cash_out["commission_status"] not in ("failed", "paid"):
        was = shown(cash_out["commission_status"])
        found.append(
            Difference(Link.PLAN, "plan_outcome", "commission_status", "failed or paid", was)
        )
    return found


def _shares(cash_out: Row, plan: Mapping[str, Any], shares: Sequence[Row]) -> list[Difference]:
    """Every share of the plan is there once, as planned, and nothing else is."""
    found: list[Difference] = []
    by_client: dict[str, Row] = {}
    for share in shares:
        if share["client_id"] in by_client:
            found.append(_share("share_doubled", share, "one share", "another one"))
        else:
            by_client[share["client_id"]] = share
    currency, lamassu_id = plan["given"]["currency"], cash_out["lamassu_transaction_id"]
    for planned in plan["shares"]:
        stored = by_client.pop(planned["client_id"], None)
        if stored is None:
            found.append(_missing(lamassu_id, planned))
            continue
        for name, value in _as_planned(lamassu_id, currency, planned, stored["status"]).items():
            if stored[name] != value:
                more = stored[name] - value if name == "amount_sats" else None
                texts = f"{name} {shown(value)}", f"{name} {shown(stored[name])}"
                found.append(_share("share_differs", stored, *texts, more))
    for share in by_client.values():
        found.append(_share("share_unknown", share, "no such share", "a share"))
    return found + _sums(cash_out, plan, shares)


def _missing(lamassu_id: str, planned: Mapping[str, Any]) -> Difference:
    sats, client_id = int(planned["sats"]), planned["client_id"]
    return Difference(
        Link.SHARES,
        "share_missing",
        f"{lamassu_id}:share:{client_id}",
        f"{sats} sats",
        "no share",
        -sats,
        client_id,
        planned["wallet_id"],
    )


def _as_planned(
    lamassu_id: str, currency: str, planned: Mapping[str, Any], status: str
) -> dict[str, Any]:
    """The columns of a share by its plan; a failed one may have been paid or given up since."""
    sats, minor = planned["sats"], planned["fiat_minor"]
    withheld = planned.get("withheld_sats", 0)  # no field of a plan in which nobody owes
    scale = 10 ** CURRENCY_EXPONENT.get(currency, 2)
    wanted = {
        "amount_sats": sats,
        "fiat_minor": minor,
        "currency": currency,
        "transaction_type": planned["mode"],
        "leg_key": f"{lamassu_id}:share:{planned['client_id']}",
        "lamassu_transaction_id": lamassu_id,
        "amount_fiat": minor / scale,
        "exchange_rate": (sats + withheld) * scale / minor,
        "withheld_sats": withheld or None,
    }
    if planned["state"] == "confirmed":
        wanted["status"] = "confirmed"
    if status != "confirmed":
        wanted["payment_hash"] = None
    if planned["state"] == "confirmed" or status != "confirmed":
        wanted["wallet_id"] = planned["wallet_id"]  # a retry goes to the client's wallet of then
    return wanted


def _sums(cash_out: Row, plan: Mapping[str, Any], shares: Sequence[Row]) -> list[Difference]:
    sats: Counter[str] = Counter()
    minor: Counter[str] = Counter()
    for share in shares:
        sats[share["status"]] += share["amount_sats"]
        minor[share["status"]] += share["fiat_minor"]
    planned = sum(share["sats"] for share in plan["shares"])
    wanted = {
        "confirmed_sats": sats["confirmed"],
        "failed_sats": sats["failed"],
        "operator_remainder_sats": plan["split"]["base_sats"] - planned + sats["cancelled"],
        "drawn_minor": minor["confirmed"] + minor["failed"],
    }
    return [
        Difference(
            Link.SHARES,
            "totals_differ",
            name,
            shown(value),
            shown(cash_out[name]),
            sats_between(value, cash_out[name]) if name.endswith("_sats") else None,
        )
        for name, value in wanted.items()
        if value != cash_out[name]
    ]


def _share(
    code: str, share: Row, expected: str, actual: str, sats: int | None = None
) -> Difference:
    if sats is None and code in ("share_unknown", "share_doubled"):
        sats = int(share["amount_sats"])
    return Difference(
        Link.SHARES,
        code,
        shown(share["leg_key"]),
        expected,
        actual,
        sats,
        share["client_id"],
        share["wallet_id"],
    )
