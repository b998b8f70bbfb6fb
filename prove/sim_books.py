"""Follows the product's books with the oracle: tells it what was committed, compares every balance.

From the books it takes what happened and in which order, never an amount. What a settlement was
based on (the sale's row, what a person stated, the clock's difference) is taken as stored, after
proving that this is what Lamassu showed, what a person said, and what the clocks were.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from fractions import Fraction
from typing import Any

from lnbits.settings import settings as lnbits_settings
from satmachineadmin.database import BooksConnection, own

from .oracle import DECIMALS, Oracle, instant_us, refusal
from .sim_world import Stage

AMOUNTS = "crypto_code crypto_atoms fiat fiat_code commission_percentage discount".split()
AMOUNTS += ["raw_ticker_price", "created"]
OURS = {"vanished", "first_amounts"}  # what intake adds to a row that it keeps
MOVES = ("cash_out_settled", "share_paid", "commission_paid", "share_cancelled", "cash_out_held")
NEW = (
    "SELECT a.seq, a.action, a.detail, t.lamassu_transaction_id AS sale, t.source_row,"
    " t.operator_facts, t.clock_difference_us, t.confirmed_at_us, t.created_us, t.id"
    " FROM satoshimachine.audit_log a"
    " JOIN satoshimachine.lamassu_transactions t ON t.id = a.subject"
    " WHERE a.seq > :after ORDER BY a.seq"
)
SALES = "SELECT * FROM satoshimachine.lamassu_transactions ORDER BY lamassu_transaction_id"
GATES = "SELECT name FROM satoshimachine.meta WHERE name IN ('halt', 'restore', 'takeover')"
BALANCES = "SELECT account, unit, balance FROM satoshimachine.ledger_balances WHERE balance <> 0"
SATS = (
    "SELECT wallet_id, SUM(amount) AS msat FROM apipayments WHERE status = 'success'"
    " GROUP BY wallet_id"
)


class Books:
    """What the oracle knows, beside what the product wrote."""

    def __init__(self, stage: Stage):
        self.stage = stage
        most = min(
            lnbits_settings.lnbits_max_incoming_payment_amount_sats,
            lnbits_settings.lnbits_max_outgoing_payment_amount_sats,
        )
        self.oracle = Oracle(most)
        self.seq = 0
        self.differences = {0}
        self.stated: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.skipped: set[str] = set()
        self.start_at_us = 0
        self.counts: Counter[str] = Counter()

    async def follow(self, *, one_pass: bool = False) -> list[str]:
        """Tell the oracle what was committed since, and compare; what happened, for the log.
        `one_pass`: it was one tick, which settles the oldest sale first.
        """

        async def work(conn: BooksConnection) -> tuple[list[Any], ...]:
            new = await conn.rows(NEW, {"after": self.seq})
            return new, await conn.rows(GATES), await conn.rows(BALANCES), await conn.rows(SATS)

        new, gates, balances, sats = await own(work)
        assert not gates, f"money work was stopped: {gates[0]['name']}"
        assert not self.stage.errors, self.stage.errors[0]
        settled = [_age(row) for row in new if row["action"] == "cash_out_settled"]
        assert not one_pass or settled == sorted(settled), f"not the oldest first: {settled}"
        said = []
        for row in new:
            self.seq = int(row["seq"])
            if row["action"] in MOVES:
                self._tell(row)
                self.counts[row["action"]] += 1
                said.append(f"{row['action']} {row['sale'][:8]}")
        self._compare(balances, sats)
        return said

    def _tell(self, row: Any) -> None:
        detail, sale = json.loads(row["detail"]), row["sale"]
        difference = int(row["clock_difference_us"])
        if row["action"] == "cash_out_settled":
            stated = self._what_was_stated(row)
            assert difference in self.differences, "the clocks never differed by that"
            self.oracle.settle(sale, self._seen(row), stated, difference)
            mine = [s for (of, _), s in self.oracle.share.items() if of == sale]
            self.counts["shares"] += len(mine)
            self.counts["shares owed"] += sum(s["state"] == "owed" for s in mine)
            self.counts["by a statement"] += stated is not None
        elif row["action"] == "commission_paid":
            self.oracle.retried(sale, None)
        elif row["action"] == "cash_out_held":
            if detail["code"] == "no_client_balance":
                caps = self.oracle.caps(self._seen(row), difference)
                assert not caps, f"held although {caps} could be charged"
                assert not self.oracle.setting["settle_without_clients"], "held against the setting"
        else:
            client = detail["share"].rsplit(":", 1)[1]
            paid = row["action"] == "share_paid"
            (self.oracle.retried if paid else self.oracle.cancelled)(sale, client)

    def _seen(self, row: Any) -> dict[str, Any]:
        """The stored sale, which Lamassu must have shown just so once."""
        kept = {k: v for k, v in json.loads(row["source_row"]).items() if k not in OURS}
        assert kept in self.stage.lamassu.versions[row["sale"]], "nobody showed this sale like that"
        return kept

    def _what_was_stated(self, row: Any) -> dict[str, Any] | None:
        if row["operator_facts"] is None:
            return None
        facts = json.loads(row["operator_facts"])
        assert facts in self.stated[row["sale"]], "nobody stated that"
        currency = json.loads(row["source_row"])["fiat_code"]
        found: dict[str, Any] = {"by hand": True}
        if facts["fiat_minor"] is not None:
            found["charged"] = facts["fiat_minor"]
            if facts["fiat_is_wrong"]:
                found["fiat"] = Fraction(facts["fiat_minor"], 10 ** DECIMALS[currency])
        if facts["commission_rate"] is not None:
            found["commission_percentage"] = facts["commission_rate"]
        if facts["discount_percent"] is not None:
            found["discount"] = facts["discount_percent"]
        return found

    def _compare(self, balances: list[Any], sats: list[Any]) -> None:
        """Every balance of the product is the oracle's, and the other way round."""
        found = {(row["account"], row["unit"]): int(row["balance"]) for row in balances}
        wanted = self.predicted()
        differ = {
            key: (found.get(key, 0), wanted.get(key, 0))
            for key in set(found) | set(wanted)
            if found.get(key, 0) != wanted.get(key, 0)
        }
        assert not differ, f"(product, oracle) differ in the ledger: {differ}"
        names = self.stage.wallets
        held = {names[row["wallet_id"]]: int(row["msat"]) for row in sats}
        expected = {names[w]: n * 1000 for w, n in self.oracle.wallet.items()}
        wrong = {
            name: (held.get(name, 0), expected.get(name, 0))
            for name in names.values()
            if held.get(name, 0) != expected.get(name, 0)
        }
        assert not wrong, f"(product, oracle) differ in msat in the wallets: {wrong}"
        assert min(expected.values(), default=0) >= 0, "a wallet is below zero"

    def predicted(self) -> dict[tuple[str, str], int]:
        """The oracle's numbers by the ledger's names, zeros left out."""
        oracle = self.oracle
        found: dict[tuple[str, str], int] = defaultdict(int)
        found["operator", "sat"] = oracle.remainder
        for fee in oracle.fee.values():
            owed = fee["state"] == "owed"
            found["commission_owed" if owed else "commission", "sat"] += fee["sats"]
        for (_, client), share in oracle.share.items():
            if share["state"] != "cancelled":
                found[f"{share['state']}:{client}", "sat"] += share["sats"]
                found[f"client:{client}", share["currency"]] -= share["minor"]
                found["dispensed", share["currency"]] += share["minor"]
        found["sold", "sat"] = -sum(found[key] for key in list(found) if key[1] == "sat")
        for client, currency, minor, _ in oracle.deposits:
            found[f"client:{client}", currency] += minor
            found["deposits", currency] -= minor
        return {key: balance for key, balance in found.items() if balance}

    async def check_the_end(self) -> str:
        """After the quiet phase: everything that may settle did. Returns a hash of the state."""

        async def work(conn: BooksConnection) -> tuple[list[Any], list[Any], list[Any]]:
            return await conn.rows(SALES), await conn.rows(BALANCES), await conn.rows(SATS)

        sales, balances, sats = await own(work)
        stored = {row["lamassu_transaction_id"]: row for row in sales}
        for row in sales:
            assert row["status"] not in ("pending", "processing", "failed"), _describe(row)
            assert (row["status"] == "completed") == (
                row["lamassu_transaction_id"] in self.oracle.fee
            )
        for sale, versions in self.stage.lamassu.versions.items():
            if sale in self.stage.lamassu.rows:
                self._check_sale(versions, stored.get(sale))
        for item in [*self.oracle.share.values(), *self.oracle.fee.values()]:
            stuck = item["state"] == "owed" and 0 < item["sats"] <= self.oracle.most_sats
            assert not stuck, f"still owed after the quiet phase: {item}"
        names = self.stage.wallets
        state = [
            sorted((r["lamassu_transaction_id"], r["status"], r["hold_code"] or "") for r in sales),
            sorted((r["account"], r["unit"], int(r["balance"])) for r in balances),
            sorted((names[r["wallet_id"]], int(r["msat"])) for r in sats if r["msat"]),
        ]
        return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]

    def _check_sale(self, versions: list[dict[str, Any]], row: Any) -> None:
        """No sale is lost, and one that may settle by itself has."""
        now = versions[-1]
        sold_us = instant_us(now["confirmed_at"] or now["created"])
        why = refusal(now, self.oracle.setting["split_rule"])
        if sold_us < self.start_at_us or why is not None:
            paid = now["confirmed_at"] is not None and now["crypto_code"] in ("BTC", "LN")
            assert row is not None or not paid or sold_us < self.start_at_us, f"lost: {now}"
            return
        assert row is not None, f"never stored: {now}"
        changed = len({json.dumps([v[name] for name in AMOUNTS]) for v in versions}) > 1
        vanished = json.loads(row["source_row"]).get("vanished") == "true"
        allowed = {"skipped", "completed"} if row["status"] != "held" else set()
        if row["status"] == "held":
            allowed |= {"held"} if row["hold_code"] == "no_client_balance" else set()
            may_differ = row["hold_code"] == "source_changed" and (changed or vanished)
            allowed |= {"held"} if may_differ else set()
        assert row["status"] in allowed, f"may settle and did not: {_describe(row)}"
        skipped = row["status"] == "skipped"
        assert not skipped or row["lamassu_transaction_id"] in self.skipped, "nobody skipped it"


def _age(row: Any) -> tuple[int, str]:
    return int(row["confirmed_at_us"] or row["created_us"]), str(row["id"])


def _describe(row: Any) -> str:
    return (
        f"{row['lamassu_transaction_id']} is {row['status']} ({row['hold_code']}):"
        f" {row['error_message']}"
    )
