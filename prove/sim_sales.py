"""What an ATM does in simulated weeks: sales of every kind, late, cancelled, changed, vanished."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

from satmachineadmin.dev import sample_rows
from satmachineadmin.domain.days import datetime_utc

from .sim_source import MemoryLamassu

HOUR_US = 3_600_000_000
# Each kind of sale: how it first looks, and what it becomes later (None: it stays so).
NOT_OUT = {"dispense": False, "dispense_confirmed": False}
OUT = {"dispense": True, "dispense_confirmed": True}
PRICES = {"GTQ": "826091.28", "USD": "105000", "JPY": "16000000", "KWD": "32000"}

KINDS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "plain": ({}, None),
    "late confirmation": ({"status": "authorized", "confirmed_at": None}, {"status": "confirmed"}),
    "authorized, no cash": ({"status": "authorized", "confirmed_at": None, **NOT_OUT}, OUT),
    "redeem later": ({**NOT_OUT}, OUT),
    "dispense unconfirmed": ({"dispense_confirmed": False}, OUT),
    "never dispensed": ({**NOT_OUT}, None),
    "error": ({"error": "the dispenser jammed"}, None),
    "error, then mended": (
        {"error_code": "operatorCancel", **NOT_OUT},
        {"error_code": None, **OUT},
    ),
    "never paid": ({"status": "rejected", "confirmed_at": None, **NOT_OUT}, None),
    "paid at last": ({"status": "published", "confirmed_at": None, **NOT_OUT}, OUT),
    "instant": ({"status": "instant"}, {"status": "confirmed"}),
    "no commission": ({"commission_percentage": None}, None),
    "no price": ({"raw_ticker_price": None}, None),
    "commission 300 %": ({"commission_percentage": "3"}, None),
    "discount": ({"discount": 10}, None),
    "all discount": ({"discount": 100}, None),
    "discount beyond": ({"discount": 120}, None),
    "unknown currency": ({"fiat_code": "XQX"}, None),
    "no fiat": ({"fiat": "0"}, None),
    "fiat fraction": ({"fiat": "100.00500"}, None),
    "test customer": ({"customer_id": sample_rows.TEST_CUSTOMER}, None),
    "unknown machine": ({"device_id": sample_rows.UNKNOWN_MACHINE}, None),
    "unpaired machine": ({"device_id": sample_rows.UNPAIRED_MACHINE}, None),
    "other coin": ({"crypto_code": "LTC"}, None),
    "on chain": ({"crypto_code": "BTC"}, None),
    "one sat": ({"crypto_atoms": 1, "received_crypto_atoms": 1}, None),
    "few sats": ({"crypto_atoms": 37, "received_crypto_atoms": 37}, None),
    "huge": ({"fiat": "156100", "crypto_atoms": 20_000_000, "received_crypto_atoms": None}, None),
    "beyond 64 bits": ({"crypto_atoms": 10**29}, None),
    "no sats": ({"crypto_atoms": 0, "received_crypto_atoms": 0}, None),
    "received nothing known": ({"received_crypto_atoms": None}, None),
}
CHANGES: dict[str, Callable[[random.Random, dict[str, Any]], dict[str, Any]]] = {
    "cancelled": lambda r, row: {"status": "insufficientFunds", "error": "cancelled"},
    "another amount": lambda r, row: {"crypto_atoms": int(row["crypto_atoms"]) + r.choice((-1, 7))},
    "another fiat": lambda r, row: {"fiat": f"{float(row['fiat']) + 20:.2f}"},
    "less received": lambda r, row: {"received_crypto_atoms": int(row["crypto_atoms"]) - 60},
    "an error late": lambda r, row: {"error_code": "timeout"},
    "dispense taken back": lambda r, row: NOT_OUT,
    "confirmed again": lambda r, row: {"status": "confirmed", "error": None, "error_code": None},
}


class Machine:
    """The ATMs of one seed. `rates` says how often each odd thing happens here."""

    def __init__(self, rng: random.Random, lamassu: MemoryLamassu, now: Callable[[], int]):
        self.rng, self.lamassu, self.now = rng, lamassu, now
        others = rng.sample([k for k in KINDS if k != "plain"], rng.randint(0, len(KINDS) - 1))
        self.kinds = ["plain"] * rng.choice((2, 10, 40)) + others
        self.currencies = ["GTQ"] * rng.choice((1, 4, 20)) + rng.choice(([], list(PRICES)))
        self.late_rate = rng.choice((0, 0, 0.1, 0.4))  # rows that appear long after their moment
        self.change_rate = rng.choice((0, 0, 0.1, 0.5))
        self.vanish_rate = rng.choice((0, 0, 0.05, 0.2))
        self.same_moment_rate = rng.choice((0, 0, 0.2))
        self.size = rng.choice((3, 30, 200))  # notes of 20 in a large sale
        self.cash = rng.choice((10**9, 10_000))  # what is in the machine; then cash comes later
        self.due: list[tuple[int, str, dict[str, Any] | None]] = []  # row id -> what it becomes
        self.coming: list[tuple[int, dict[str, Any]]] = []
        self.gone: list[str] = []
        self.last_us = 0

    def run(self, from_us: int) -> list[str]:
        """What happened between two looks, as words for the log."""
        said, rng = [], self.rng
        for _ in range(rng.choice((0, 1, 1, 2, 3, 5))):
            said.append(self._sell(from_us))
        said += self._appear() + self._become()
        if self.lamassu.rows and rng.random() < self.change_rate:
            said.append(self._change())
        if self.lamassu.rows and rng.random() < self.vanish_rate:
            row_id = rng.choice(sorted(self.lamassu.rows))
            self.lamassu.delete(row_id)
            self.gone.append(row_id)
            said.append(f"{row_id[:8]} vanishes")
        elif self.gone and rng.random() < 0.3:
            row_id = self.gone.pop()
            self.lamassu.bring_back(row_id)
            said.append(f"{row_id[:8]} is back")
        if self.cash <= 0 and rng.random() < 0.5:
            self.cash = 20_000
            said.append("the machine is refilled")
        return [text for text in said if text]

    def _sell(self, from_us: int) -> str:
        rng = self.rng
        sold_us = rng.randint(min(from_us, self.now() - 1), self.now())
        if self.last_us and rng.random() < self.same_moment_rate:
            sold_us = self.last_us
        self.last_us = sold_us
        kind = rng.choice(self.kinds)
        currency = rng.choice(self.currencies)
        fiat = 20 * rng.randint(1, self.size)
        first, later = KINDS[kind]
        row = sample_rows.sale(
            fiat=fiat * (150 if currency == "JPY" else 1),
            bid=PRICES[currency],
            commission=rng.choice(("0.055", "0.03", "0", "0.0777", "0.12345")),
            price=rng.choice(("margin", "markup")),
            confirmed_at=datetime_utc(sold_us),
            fiat_code=currency,
            id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        )
        row |= first
        if kind == "plain" and self.cash <= 0:
            row, later = row | NOT_OUT, OUT
        self.cash -= fiat
        if rng.random() < 0.1:
            row["received_crypto_atoms"] = int(row["crypto_atoms"]) - rng.choice((1, 100, 101, -9))
            row["received_crypto_atoms"] = max(0, row["received_crypto_atoms"])
        if later is not None and row["confirmed_at"] is None:
            later = {**later, "status": "confirmed", "confirmed_at": "then"}
        delay = rng.choice((1, 5, 30, 100)) * HOUR_US
        if later is not None:
            self.due.append((self.now() + delay, str(row["id"]), later))
        if rng.random() < self.late_rate:
            self.coming.append((self.now() + rng.choice((1, 20, 200)) * HOUR_US, row))
            return ""
        self.lamassu.insert(row)
        return f"sale {row['id'][:8]} {kind} {row['fiat']} {row['fiat_code']}"

    def _appear(self) -> list[str]:
        there = [row for at_us, row in self.coming if at_us <= self.now()]
        self.coming = [(at_us, row) for at_us, row in self.coming if at_us > self.now()]
        self.lamassu.insert(there)
        return [f"sale {row['id'][:8]} appears late" for row in there]

    def _become(self) -> list[str]:
        """Sales that went on: confirmed, dispensed, mended."""
        said, kept = [], []
        for at_us, row_id, changes in self.due:
            waits_for_cash = self.cash <= 0 and changes is OUT
            if at_us > self.now() or waits_for_cash or row_id not in self.lamassu.ever:
                kept.append((at_us, row_id, changes))
            elif row_id in self.lamassu.rows:
                given = dict(changes or {})
                if given.get("confirmed_at") == "then":
                    given["confirmed_at"] = datetime_utc(at_us - self.rng.randint(0, HOUR_US))
                self.lamassu.update(row_id, **given)
                said.append(f"{row_id[:8]} goes on: {', '.join(given)}")
        self.due = kept
        return said

    def _change(self) -> str:
        row_id = self.rng.choice(sorted(self.lamassu.rows))
        name = self.rng.choice(sorted(CHANGES))
        before = self.lamassu.rows[row_id]
        if self.rng.random() < 0.3 and len(self.lamassu.versions[row_id]) > 1:
            first = self.lamassu.first[row_id]
            self.lamassu.update(row_id, crypto_atoms=first["crypto_atoms"], fiat=first["fiat"])
            return f"{row_id[:8]} has its first amounts again"
        changes = CHANGES[name](self.rng, before)
        atoms = int(changes.get("crypto_atoms", 1))
        received = int(changes.get("received_crypto_atoms", 1))
        if min(atoms, received) > 0:
            self.lamassu.update(row_id, **changes)
        return f"{row_id[:8]} changes: {name}"

    def settle_down(self) -> None:
        """The quiet phase: what is on its way arrives, and nothing odd happens any more."""
        self.cash = 10**9
        self.lamassu.insert([row for _, row in self.coming])
        self.coming = []
        self.due = [(min(at_us, self.now()), row_id, later) for at_us, row_id, later in self.due]
        self._become()
