"""Shares and totals against the ledger, the movements, and LNbits' rows on both ends of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .verdicts import Difference, Link, Row, is_settled, shown


def compare_ledger(
    cash_out: Row, shares: Sequence[Row], entries: Sequence[Row]
) -> list[Difference]:
    """What the ledger must hold of this cash-out, account by account, and what it holds."""
    held: Counter[tuple[str, str, str]] = Counter()
    for entry in entries:
        of_client = entry["client_id"] and entry["account"].endswith(f":{entry['client_id']}")
        reference = entry["reference"] if of_client else ""
        held[entry["account"], entry["unit"], reference] += entry["amount"]
    wanted = expected_entries(cash_out, shares)
    return [
        Difference(
            Link.LEDGER,
            "ledger_differs",
            account,
            f"{wanted[account, unit, reference]} {unit}",
            f"{held[account, unit, reference]} {unit}",
            (
                held[account, unit, reference] - wanted[account, unit, reference]
                if unit == "sat"
                else None
            ),
            account.partition(":")[2] or None,
        )
        for account, unit, reference in sorted(set(wanted) | set(held))
        if wanted[account, unit, reference] != held[account, unit, reference]
    ]


def expected_entries(cash_out: Row, shares: Sequence[Row]) -> Counter[tuple[str, str, str]]:
    """(account, unit, reference of a client's entry) -> its sum, as shares and totals have it."""
    wanted: Counter[tuple[str, str, str]] = Counter()
    if not is_settled(cash_out):
        return wanted
    for share in shares:
        client_id, key = share["client_id"], share["leg_key"]
        if share["status"] == "confirmed":
            wanted[f"paid:{client_id}", "sat", key] += share["amount_sats"]
        elif share["status"] == "failed":
            wanted[f"owed:{client_id}", "sat", key] += share["amount_sats"]
        if share["status"] != "cancelled":
            wanted[f"client:{client_id}", share["currency"], key] -= share["fiat_minor"]
    owed = cash_out["commission_status"] == "failed"
    wanted["sold", "sat", ""] = -int(cash_out["total_sats"])
    wanted["operator", "sat", ""] = int(cash_out["operator_remainder_sats"])
    wanted["commission_owed" if owed else "commission", "sat", ""] = int(
        cash_out["commission_sats"]
    )
    wanted["dispensed", cash_out["fiat_code"], ""] = int(cash_out["drawn_minor"])
    return wanted


def compare_legs(cash_out: Row, shares: Sequence[Row], legs: Sequence[Row]) -> list[Difference]:
    """Every share, commission and funding that was paid has its movement, and nothing else."""
    wanted = expected_legs(cash_out, shares)
    found: list[Difference] = []
    for leg in legs:
        planned = wanted.pop(leg["leg_key"], None)
        if planned is None:
            found.append(
                _leg("leg_unknown", leg, "no movement", "a movement", int(leg["amount_sats"]))
            )
            continue
        for name, value in planned.items():
            if leg[name] != value and (value is not None or name == "from_wallet_id"):
                sats = leg[name] - value if name == "amount_sats" else None
                found.append(
                    _leg(
                        "leg_differs",
                        leg,
                        f"{name} {shown(value)}",
                        f"{name} {shown(leg[name])}",
                        sats,
                    )
                )
    for key, planned in wanted.items():
        sats = int(planned["amount_sats"])
        missing = {"leg_key": key, "to_wallet_id": planned["to_wallet_id"]}
        found.append(_leg("leg_missing", missing, f"{sats} sats moved", "no movement", -sats))
    return found


def expected_legs(cash_out: Row, shares: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Leg key -> its columns; None where nothing else tells the value."""
    if not is_settled(cash_out):
        return {}
    source, lamassu_id = cash_out["source_wallet_id"], cash_out["lamassu_transaction_id"]
    wanted: dict[str, dict[str, Any]] = {}

    def add(
        key: str, kind: str, from_wallet: Any, to_wallet: Any, sats: Any, digest: str | None
    ) -> None:
        wanted[key] = {
            "kind": kind,
            "from_wallet_id": from_wallet,
            "to_wallet_id": to_wallet,
            "amount_sats": sats,
            "payment_hash": digest,
            "cash_out_id": cash_out["id"],
        }

    if cash_out["funding_mode"] == "credit":
        add(f"{lamassu_id}:funding", "funding", None, source, cash_out["total_sats"], None)
    for share in shares:
        if share["status"] == "confirmed":
            facts = (share["wallet_id"], share["amount_sats"], share["payment_hash"])
            add(share["leg_key"], "share", source, *facts)
    if cash_out["commission_status"] == "paid":
        facts = (cash_out["commission_wallet_id"], cash_out["commission_sats"], None)
        add(f"{lamassu_id}:commission", "commission", source, *facts)
    return wanted


def _leg(code: str, leg: Row, expected: str, actual: str, sats: int | None) -> Difference:
    key = str(leg["leg_key"])
    client = key.partition(":share:")[2] or None
    return Difference(Link.LEGS, code, key, expected, actual, sats, client, leg["to_wallet_id"])


def compare_wallets(legs: Iterable[Row], rows: Sequence[Row]) -> list[Difference]:
    """Each movement lies in the wallet that paid it and in the one that received it, once."""
    by_id: dict[str, list[Row]] = {}
    for row in rows:
        by_id.setdefault(row["checking_id"], []).append(row)
    found: list[Difference] = []
    hashes, known = set(), set()
    for leg in legs:
        msat = int(leg["amount_sats"]) * 1000
        ends = [(leg["checking_id_in"], leg["to_wallet_id"], msat)]
        if leg["checking_id_out"]:
            ends.append((leg["checking_id_out"], leg["from_wallet_id"], -msat))
        for checking_id, wallet_id, amount in ends:
            found += _end(leg, by_id.get(checking_id, []), checking_id, wallet_id, amount)
            known.add(checking_id)
        hashes.add(leg["payment_hash"])
    for row in rows:
        if row["payment_hash"] in hashes and row["checking_id"] not in known:
            found.append(
                Difference(
                    Link.WALLETS,
                    "duplicate_hash",
                    shown(row["checking_id"]),
                    "no other payment with this hash",
                    f"{row['amount']} msat, {row['status']}",
                    wallet_id=row["wallet_id"],
                )
            )
    return found


def _end(
    leg: Row, rows: Sequence[Row], checking_id: str, wallet_id: str, amount: int
) -> list[Difference]:
    """One end of a movement: the wallet row with this id, and whatever else carries the id."""
    key = str(leg["leg_key"])
    client = key.partition(":share:")[2] or None

    def differs(code: str, expected: str, actual: str, sats: int | None, wallet: str) -> Difference:
        what = (Link.WALLETS, code, checking_id, expected, actual)
        return Difference(*what, sats, client, wallet, key)

    mine = [row for row in rows if row["wallet_id"] == wallet_id] or list(rows)
    if not mine:
        texts = f"{amount} msat in this wallet", "no payment row"
        return [differs("wallet_row_missing", *texts, -amount // 1000, wallet_id)]
    wanted = {
        "wallet_id": wallet_id,
        "amount": amount,
        "fee": 0,
        "status": "success",
        "payment_hash": leg["payment_hash"],
    }
    found = []
    for name, value in wanted.items():
        now = mine[0][name]
        if now != value:
            sats = (int(now) - amount) // 1000 if name == "amount" else None
            texts = f"{name} {shown(value)}", f"{name} {shown(now)}"
            found.append(differs("wallet_row_differs", *texts, sats, wallet_id))
    for other in rows:
        if other is not mine[0]:
            texts = "one payment row", f"another one in wallet {shown(other['wallet_id'])}"
            sats = int(other["amount"]) // 1000
            found.append(differs("wallet_row_doubled", *texts, sats, other["wallet_id"]))
    return found
