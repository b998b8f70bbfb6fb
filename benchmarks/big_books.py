"""Books of years: 100,000 cash-outs, 1,000,000 shares, 1,000 clients, every sum right to the sat.

Built the same from the same seed, as rows of our own tables; LNbits' wallet rows are left out, so
nothing may be settled on them. The rows differ as real ones do: three machines, two coins, two
currencies, some held, skipped and running sales, some shares that could not be delivered.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from satmachineadmin import clock
from satmachineadmin.database import stored_time
from satmachineadmin.domain.states import HoldCode

from .plain import Plain

SEED = 20_090_103
DAYS = 730
SHARES_EACH = 10
DEPOSITS_EACH = 5
DEPOSIT_MINOR = 10**9  # nobody runs out
MACHINES = tuple((f"{n}f" * 32, name) for n, name in enumerate(("Mercado", "Terminal", "Plaza")))
WAITING = (("held", 0.001), ("skipped", 0.001), ("watching", 0.0002))
FAILED_SHARES = 0.001
CHUNK = 2_000  # cash-outs inserted together
DAY_US = 86_400_000_000

Record = tuple[Any, ...]
COLUMNS = {
    "dca_clients": "id user_id wallet_id username dca_mode status created_at updated_at",
    "dca_deposits": "id client_id amount currency status created_at confirmed_at amount_minor"
    " effective_us decided_us decided_by",
    "lamassu_transactions": "id lamassu_transaction_id status hold_code device_id machine_name"
    " crypto_code fiat_code crypto_atoms fiat_minor commission_percentage discount created_us"
    " confirmed_at_us source_row observed_us operator_reason split_rule effective_commission"
    " funding_mode source_wallet_id commission_wallet_id commission_status total_sats base_sats"
    " commission_sats drawn_minor confirmed_sats failed_sats operator_remainder_sats clients_count"
    " plan_json processed_us announced_us",
    "dca_payments": "id client_id amount_sats amount_fiat exchange_rate transaction_type"
    " lamassu_transaction_id payment_hash status created_at transaction_time leg_key cash_out_id"
    " wallet_id currency fiat_minor cash_out_us attempts updated_us",
    "settlement_legs": "leg_key cash_out_id kind from_wallet_id to_wallet_id amount_sats"
    " payment_hash checking_id_in checking_id_out moved_us",
    "ledger_entries": "seq posting account unit amount balance_before balance_after cash_out_id"
    " client_id reference created_us",
    "ledger_balances": "account unit balance last_seq",
    "audit_log": "seq at_us actor action subject detail",
    "polls": "id cause started_us finished_us result rows_read new_rows settled",
}


@dataclass
class Books:
    """The rows of one build, a chunk at a time, and what has to be remembered between them."""

    cash_outs: int
    clients: int
    source_wallet: str
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    seq: int = 0
    events: int = 1_000  # after what the set-up left
    balances: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))

    def chunks(self) -> Iterator[dict[str, list[Record]]]:
        """Rows by table, in an order that a foreign reader could follow."""
        first_us = clock.now_us() - DAYS * DAY_US
        for number in range(self.clients):
            self._client(number, first_us - DAY_US)
        yield self._given()
        step_us = DAYS * DAY_US // self.cash_outs
        for start in range(0, self.cash_outs, CHUNK):
            for number in range(start, min(start + CHUNK, self.cash_outs)):
                self._cash_out(number, first_us + number * step_us)
            yield self._given()
        for (account, unit), (balance, seq) in self.balances.items():
            self._add("ledger_balances", account, unit, balance, seq)
        yield self._given()

    def _add(self, table: str, *values: Any) -> None:
        self.rows[table].append(values)

    def _given(self) -> dict[str, list[Record]]:
        rows, self.rows = self.rows, defaultdict(list)
        return rows

    def _client(self, number: int, at_us: int) -> None:
        at, name = stored_time(at_us), f"client{number:05}"
        self._add(
            "dca_clients",
            name,
            f"user{number:05}",
            f"wallet{number:05}",
            name,
            "flow",
            "active",
            at,
            at,
        )
        for deposit in range(DEPOSITS_EACH):
            for currency in ("GTQ", "USD"):
                key = f"{name}-{currency}-{deposit}"
                self._add(
                    "dca_deposits",
                    key,
                    name,
                    DEPOSIT_MINOR / 100,
                    currency,
                    "confirmed",
                    at,
                    at,
                    DEPOSIT_MINOR,
                    at_us,
                    at_us,
                    "operator",
                )
                self._post("deposits", currency, -DEPOSIT_MINOR, key, None, name, at_us)
                self._post(f"client:{name}", currency, DEPOSIT_MINOR, key, None, name, at_us)
        if number % 100 == 0:
            self._add(
                "dca_deposits",
                f"{name}-waits",
                name,
                100.0,
                "GTQ",
                "pending",
                at,
                None,
                10_000,
                None,
                None,
                None,
            )

    def _cash_out(self, number: int, at_us: int) -> None:
        chance, our_id = self.chance, f"cash-out-{number:07}"
        lamassu_id = f"00000000-0000-4000-8000-{number:012}"
        device, machine = MACHINES[chance.randrange(3)]
        coin = "LN" if chance.random() < 0.9 else "BTC"
        currency = "GTQ" if chance.random() < 0.95 else "USD"
        state = self._state()
        fiat_minor = 100 * chance.randrange(100, 2_000)
        base = fiat_minor * chance.randrange(11_000, 13_000) // 10_000
        commission = base * 55 // 1_000
        facts = (device, machine, coin, currency, base + commission, fiat_minor, "0.055", "0")
        source = json.dumps({"id": lamassu_id, "device_id": device, "note": "x" * 500})
        head = (our_id, lamassu_id, state, HoldCode.SOURCE_ERROR.value if state == "held" else None)
        reason = "an own trial" if state == "skipped" else None
        seen = (at_us - 40_000_000, at_us, source, at_us + 1_000_000, reason)
        if state != "completed":
            self._add(
                "lamassu_transactions", *head, *facts, *seen, *[None] * 13, 0, None, None, None
            )
            return
        ends = (fiat_minor, base, commission)
        owed = self._settle(our_id, lamassu_id, currency, at_us, ends)
        plan = json.dumps({"legs": [["x" * 60, 1000]] * SHARES_EACH})
        self._add(
            "lamassu_transactions",
            *head,
            *facts,
            *seen,
            "markup",
            "11/200",
            "credit",
            self.source_wallet,
            None,
            "kept",
            base + commission,
            base,
            commission,
            fiat_minor,
            base - owed,
            owed,
            0,
            SHARES_EACH,
            plan,
            at_us + 60_000_000,
            at_us + 61_000_000,
        )

    def _state(self) -> str:
        drawn = self.chance.random()
        for state, part in WAITING:
            if drawn < part:
                return state
            drawn -= part
        return "completed"

    def _settle(
        self, our_id: str, lamassu_id: str, currency: str, at_us: int, ends: Sequence[int]
    ) -> int:
        """Shares, legs, ledger and history of a settled one; returns the sats still owed."""
        fiat_minor, base, commission = ends
        paid_us = at_us + 60_000_000
        first = self.chance.randrange(self.clients)
        self._post("sold", "sat", -(base + commission), lamassu_id, our_id, None, paid_us)
        self._post("commission", "sat", commission, lamassu_id, our_id, None, paid_us)
        self._post("dispensed", currency, fiat_minor, lamassu_id, our_id, None, paid_us)
        self._leg(
            f"{lamassu_id}:funding", our_id, None, self.source_wallet, base + commission, paid_us
        )
        owed = 0
        for place in range(SHARES_EACH):
            name = f"client{(first + place * 7) % self.clients:05}"
            sats = base // SHARES_EACH + (base % SHARES_EACH if place == 0 else 0)
            minor = fiat_minor // SHARES_EACH + (fiat_minor % SHARES_EACH if place == 0 else 0)
            failed = self.chance.random() < FAILED_SHARES
            owed += sats if failed else 0
            key = f"{lamassu_id}:share:{name}"
            self._post(
                f"{'owed' if failed else 'paid'}:{name}", "sat", sats, key, our_id, name, paid_us
            )
            self._post(f"client:{name}", currency, -minor, key, our_id, name, paid_us)
            wallet, digest = name.replace("client", "wallet"), None
            if not failed:
                digest = self._leg(key, our_id, self.source_wallet, wallet, sats, paid_us)
            at = stored_time(paid_us)
            self._add(
                "dca_payments",
                f"{our_id}-{place}",
                name,
                sats,
                minor / 100,
                sats * 100 / minor,
                "flow",
                lamassu_id,
                digest,
                "failed" if failed else "confirmed",
                at,
                stored_time(at_us),
                key,
                our_id,
                wallet,
                currency,
                minor,
                at_us,
                1,
                paid_us,
            )
        self.events += 1
        detail = json.dumps({"total_sats": base + commission})
        self._add("audit_log", self.events, paid_us, "system", "cash_out_settled", our_id, detail)
        return owed

    def _leg(
        self, key: str, our_id: str, source: str | None, target: str, sats: int, at_us: int
    ) -> str:
        digest = f"{self.seq:032x}{self.chance.getrandbits(128):032x}"
        kind = "share" if source else "funding"
        out = f"internal_satm_{digest[:48]}_out" if source else None
        self._add(
            "settlement_legs",
            key,
            our_id,
            kind,
            source,
            target,
            sats,
            digest,
            f"internal_satm_{digest[:48]}_in",
            out,
            at_us,
        )
        return digest

    def _post(
        self,
        account: str,
        unit: str,
        amount: int,
        reference: str,
        our_id: str | None,
        client: str | None,
        at_us: int,
    ) -> None:
        self.seq += 1
        before = (self.balances[account, unit] or [0])[0]
        self.balances[account, unit] = [before + amount, self.seq]
        posting = "settled" if our_id else "deposit_confirmed"
        self._add(
            "ledger_entries",
            self.seq,
            posting,
            account,
            unit,
            amount,
            before,
            before + amount,
            our_id,
            client,
            reference,
            at_us,
        )


async def build(db: Plain, books: Books) -> dict[str, int]:
    """Fill empty tables; returns rows per table."""
    counts: dict[str, int] = defaultdict(int)
    await db.fast()
    await db.begin()
    for chunk in books.chunks():
        for table, rows in chunk.items():
            await db.bulk(table, COLUMNS[table].split(), rows)
            counts[table] += len(rows)
    await db.commit()
    await db.settle_down()
    return dict(counts)
