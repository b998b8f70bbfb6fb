"""The sums that must hold at any moment, read straight from both databases."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

CASH_OUTS = (
    "SELECT * FROM satoshimachine.lamassu_transactions WHERE status = 'completed'"
    " AND origin = 'observed'"
)
SHARES = "SELECT * FROM satoshimachine.dca_payments WHERE origin = 'observed'"
_LEG = (
    "leg_key, from_wallet_id, to_wallet_id, amount_sats, payment_hash, checking_id_in,"
    " checking_id_out"
)
LEGS = (
    f"SELECT {_LEG} FROM satoshimachine.settlement_legs"
    f" UNION ALL SELECT {_LEG} FROM satoshimachine.correction_legs"
)
ENTRIES = "SELECT * FROM satoshimachine.ledger_entries ORDER BY seq"
BALANCES = "SELECT * FROM satoshimachine.ledger_balances"
WALLET_ROWS = "SELECT * FROM apipayments WHERE checking_id LIKE 'internal_satm_%'"


async def prove() -> None:
    """Assert that cash-outs, shares, legs, ledger and wallet rows tell one story.

    Twice: by the product's own promises, and by what is written here without them.
    """
    from lnbits.core.db import db as core_db
    from satmachineadmin.crud import db
    from satmachineadmin.services.invariants import broken_promises

    broken = await broken_promises()
    assert not broken, "\n".join(map(str, broken))

    prove_rows(
        [await db.fetchall(query) for query in (CASH_OUTS, SHARES, LEGS, ENTRIES, BALANCES)],
        await core_db.fetchall(WALLET_ROWS),
    )


def prove_files(data_folder: Path) -> None:
    """The same for the SQLite files of an LNbits that is not running."""
    with closing(sqlite3.connect(data_folder / "database.sqlite3")) as raw:
        raw.row_factory = sqlite3.Row
        ours = str(data_folder / "ext_satoshimachine.sqlite3")
        raw.execute("ATTACH ? AS satoshimachine", (ours,))
        queries = (CASH_OUTS, SHARES, LEGS, ENTRIES, BALANCES)
        prove_rows(
            [raw.execute(query).fetchall() for query in queries],
            raw.execute(WALLET_ROWS).fetchall(),
        )


def prove_rows(ours: list[list[Any]], wallet_rows: list[Any]) -> None:
    """Assert on rows however they were read."""
    cash_outs, shares, legs, entries, stored = ours
    _prove_cash_outs(cash_outs, shares)
    _prove_legs(cash_outs, shares, legs, wallet_rows)
    _prove_ledger(entries, stored)


def _prove_cash_outs(cash_outs: list[Any], shares: list[Any]) -> None:
    by_cash_out = defaultdict(list)
    for share in shares:
        by_cash_out[share["cash_out_id"]].append(share)
    assert set(by_cash_out) <= {c["id"] for c in cash_outs}, "a share without a settled cash-out"
    for c in cash_outs:
        mine = by_cash_out[c["id"]]
        sats = defaultdict(int)
        for share in mine:
            sats[share["status"]] += share["amount_sats"]
        assert sats["confirmed"] == c["confirmed_sats"]
        assert sats["failed"] == c["failed_sats"]
        parts = c["confirmed_sats"] + c["failed_sats"] + c["operator_remainder_sats"]
        assert parts == c["base_sats"]
        assert c["base_sats"] + c["commission_sats"] == c["total_sats"]
        charged = sum(s["fiat_minor"] for s in mine if s["status"] != "cancelled")
        assert charged == c["drawn_minor"]


def _prove_legs(cash_outs: list[Any], shares: list[Any], legs: list[Any], rows: list[Any]) -> None:
    expected: dict[str, tuple[str, int]] = {}
    for leg in legs:
        msat = leg["amount_sats"] * 1000
        expected[leg["checking_id_in"]] = (leg["to_wallet_id"], msat)
        if leg["checking_id_out"]:
            expected[leg["checking_id_out"]] = (leg["from_wallet_id"], -msat)
    found = {r["checking_id"]: (r["wallet_id"], r["amount"]) for r in rows}
    assert len(found) == len(rows), "a wallet row exists twice"
    assert found == expected, "wallet rows and legs differ"
    assert all(r["status"] == "success" and r["fee"] == 0 for r in rows)
    by_key = {leg["leg_key"]: leg for leg in legs}
    for share in shares:
        leg = by_key.get(share["leg_key"])
        assert (leg is not None) == (share["status"] == "confirmed"), share["leg_key"]
        if leg:
            assert leg["amount_sats"] == share["amount_sats"]
            assert leg["payment_hash"] == share["payment_hash"]
            assert leg["to_wallet_id"] == share["wallet_id"]
    for c in cash_outs:
        paid = by_key.get(f"{c['lamassu_transaction_id']}:commission")
        assert (paid is not None) == (c["commission_status"] == "paid")
        funding = by_key.get(f"{c['lamassu_transaction_id']}:funding")
        assert (funding is not None) == (c["funding_mode"] == "credit")
        if funding:
            assert funding["amount_sats"] == c["total_sats"]


def _prove_ledger(entries: list[Any], stored: list[Any]) -> None:
    sums: dict[str, int] = defaultdict(int)
    balances: dict[tuple[str, str], int] = defaultdict(int)
    for number, entry in enumerate(entries, start=1):
        assert entry["seq"] == number, "the ledger has a gap"
        key = (entry["account"], entry["unit"])
        assert entry["balance_before"] == balances[key]
        balances[key] += entry["amount"]
        assert entry["balance_after"] == balances[key]
        assert balances[key] >= 0 or entry["account"] in ("sold", "deposits")
        sums[entry["unit"]] += entry["amount"]
    assert not any(sums.values()), "the ledger does not sum to zero"
    assert {(s["account"], s["unit"]): s["balance"] for s in stored} == dict(balances)
