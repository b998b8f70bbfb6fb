"""Predicts every balance from what happened, by the rules of docs/money-rules.md alone.

Written a second time on purpose: it imports nothing of the product, works with fractions throughout
and never looks at an amount that the product computed. It is told events in the order in which they
were committed, and a settlement only as "this sale, as Lamassu showed it, now".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

DECIMALS = {"GTQ": 2, "USD": 2, "JPY": 0, "KWD": 3}
NUMBERS = {"crypto_atoms", "received_crypto_atoms", "fiat", "commission_percentage", "discount"}
NUMBERS |= {"raw_ticker_price"}
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
Row = Mapping[str, Any]


def instant_us(text: str) -> int:
    return (datetime.fromisoformat(f"{text}+00:00") - EPOCH) // timedelta(microseconds=1)


def divide(amount: int, weights: dict[str, int]) -> dict[str, int]:
    """Whole parts in proportion; what is left goes one by one to the largest fractions lost."""
    exact = {k: Fraction(amount * w, sum(weights.values())) for k, w in weights.items()}
    whole = {k: int(part) for k, part in exact.items()}
    for k in sorted(exact, key=lambda k: (whole[k] - exact[k], k))[: amount - sum(whole.values())]:
        whole[k] += 1
    return whole


def refusal(row: Row, rule: str, stated: Row | None = None) -> str | None:
    """Why a sale does not settle: by itself, or with what a person stated about it."""
    said = {**row, **(stated or {})}
    n = {k: Fraction(v) for k, v in said.items() if k in NUMBERS and v is not None}
    total = min(n["crypto_atoms"], n.get("received_crypto_atoms", 2**63))
    discount, rate = n.get("discount", Fraction(0)), n.get("commission_percentage", Fraction(-1))
    decimals = DECIMALS.get(row["fiat_code"], -1)
    always = (
        (row["crypto_code"] in ("BTC", "LN"), "coin"),
        (n["crypto_atoms"] < 2**63 and total > 0, "sats"),
        (decimals >= 0 and n["fiat"] > 0, "fiat"),
        ((n["fiat"] * Fraction(10) ** decimals).denominator == 1, "fraction"),
        (rate >= 0 and 0 <= discount <= 100 and rate * (100 - discount) <= 100, "commission"),
        (rule != "ticker" or n.get("raw_ticker_price", 0) > 0, "ticker"),
    )
    by_itself = (
        (row["status"] == "confirmed" and row["confirmed_at"] is not None, "status"),
        (row["dispense"] == row["dispense_confirmed"] == "true", "dispense"),
        (row["error"] is None and row["error_code"] is None, "error"),
        (n["crypto_atoms"] - total <= 100, "short"),
        (row["test_customer"] != "true" and row["device_known"] != "false", "origin"),
    )
    return next((why for ok, why in always + (() if stated else by_itself) if not ok), None)


class Oracle:
    """The books as they must be. Call the methods in the order of what happened."""

    def __init__(self, most_sats: int):
        self.most_sats = most_sats  # LNbits takes no larger payment
        self.setting: dict[str, Any] = {}
        self.wallet: dict[str, int] = defaultdict(int)
        self.gone: set[str] = set()
        self.client: dict[str, dict[str, Any]] = {}
        self.deposits: list[tuple[str, str, int, int]] = []  # client, currency, minor, effective
        self.share: dict[tuple[str, str], dict[str, Any]] = {}  # (sale, client)
        self.fee: dict[str, dict[str, Any]] = {}  # the commission, by sale
        self.remainder = 0

    def charged(self, client: str, currency: str, day: str | None = None) -> int:
        return sum(
            s["minor"]
            for (_, who), s in self.share.items()
            if (who, currency) == (client, s["currency"]) and s["state"] != "cancelled"
            if day is None or self.day(s["sold_us"]) == day
        )

    def deposited(self, client: str, currency: str, until_us: int = 2**63) -> int:
        mine = [d for d in self.deposits if d[:2] == (client, currency)]
        return sum(minor for _, _, minor, effective_us in mine if effective_us <= until_us)

    def remaining(self, client: str, currency: str) -> int:
        return self.deposited(client, currency) - self.charged(client, currency)

    def day(self, us: int) -> str:
        moment = EPOCH + timedelta(microseconds=us)
        return str(moment.astimezone(ZoneInfo(self.setting["time_zone"])).date())

    def caps(self, row: Row, clock_difference_us: int) -> dict[str, int]:
        """Who takes part, and with how much at most."""
        unit, sold_us = row["fiat_code"], instant_us(row["confirmed_at"] or row["created"])
        found = {}
        for name, c in self.client.items():
            there = self.deposited(name, unit, sold_us - clock_difference_us)
            cap = there - self.charged(name, unit)
            if c["mode"] == "fixed":
                limit = int(Fraction(c["limit"] or 0) * 10 ** DECIMALS[unit])
                cap = min(cap, limit - self.charged(name, unit, self.day(sold_us)))
            if cap > 0 and c["status"] == "active" and c["mode"] in ("flow", "fixed"):
                found[name] = cap
        return found

    def settle(self, sale: str, row: Row, stated: Row | None, clock_difference_us: int) -> None:
        """A sale was paid out. `stated`: by column names, and `charged`, the most that may be."""
        rule, source, mode = (self.setting[k] for k in ("split_rule", "source", "funding_btc"))
        mode = self.setting["funding_ln"] if row["crypto_code"] == "LN" else mode
        assert sale not in self.fee, "settled twice"
        why = refusal(row, rule, stated)
        assert why is None, f"settled although: {why}"
        said = {**row, **(stated or {})}
        fiat, received = Fraction(said["fiat"]), row["received_crypto_atoms"]
        total = min(int(row["crypto_atoms"]), int(received or row["crypto_atoms"]))
        c = Fraction(said["commission_percentage"]) * (100 - Fraction(said["discount"] or 0)) / 100
        if rule == "ticker":
            base = min(total, int(fiat * 10**8 / Fraction(said["raw_ticker_price"])))
        else:
            base = int(total / (1 + c) if rule == "markup" else total * (1 - c))
        minor = int(fiat * 10 ** DECIMALS[row["fiat_code"]])
        caps = self.caps(row, clock_difference_us)
        assert caps or self.setting["settle_without_clients"], "settled although nobody had a cap"
        drawn = min(minor, sum(caps.values()), said.get("charged", minor))
        fiats = divide(drawn, caps)
        sats = {k: n for k, n in divide(base * drawn // minor, fiats).items() if n > 0}
        fee, target = total - base, self.setting["commission"]
        need = sum(sats.values()) + (fee if target else 0) + self.owed(source)
        assert mode == "credit" or self.wallet[source] >= need, "settled from a short wallet"
        self.wallet[source] += total if mode == "credit" else 0
        self.remainder += base - sum(sats.values())
        for name in sats:
            sold_us = instant_us(row["confirmed_at"] or row["created"])
            item = {"sats": sats[name], "source": source, "sold_us": sold_us, "state": "owed"}
            self.share[sale, name] = {**item, "minor": fiats[name], "currency": row["fiat_code"]}
            self.pay(self.share[sale, name], self.client[name]["wallet"])
        self.fee[sale] = {"sats": fee, "source": source, "state": "owed" if target else "kept"}
        if target and fee:
            self.pay(self.fee[sale], target)

    def pay(self, item: dict[str, Any], wallet: str) -> None:
        """Move sats out of their source wallet, or leave them owed where the target takes none."""
        if wallet not in self.gone and item["sats"] <= self.most_sats:
            self.wallet[item["source"]] -= item["sats"]
            self.wallet[wallet] += item["sats"]
            item["state"] = "paid"

    def retried(self, sale: str, client: str | None) -> None:
        """What was owed was paid later: a share, or the commission (no client)."""
        item = self.share[sale, client] if client else self.fee[sale]
        assert item["state"] == "owed", "paid twice"
        assert self.wallet[item["source"]] >= item["sats"], "paid from a short wallet"
        self.pay(item, self.client[client]["wallet"] if client else self.setting["commission"])
        assert item["state"] == "paid", "paid although the wallet takes nothing"

    def cancelled(self, sale: str, client: str) -> None:
        """An owed share was given up."""
        assert self.share[sale, client]["state"] == "owed", "gave up what was not owed"
        self.share[sale, client]["state"] = "cancelled"
        self.remainder += self.share[sale, client]["sats"]

    def owed(self, source: str | None = None) -> int:
        """Sats that lie in this source wallet and belong to somebody else."""
        every = [*self.share.values(), *self.fee.values()]
        owed = [item for item in every if item["state"] == "owed" and item["sats"]]
        return sum(item["sats"] for item in owed if source in (None, item["source"]))
