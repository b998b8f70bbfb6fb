"""What people do in simulated weeks: the operator over the API, clients, owners of wallets."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from satmachineadmin import clock
from satmachineadmin.database import own
from satmachineadmin.domain.days import datetime_utc
from support.operator import BASE

from .oracle import DECIMALS
from .sim_books import Books
from .sim_calls import call_service
from .sim_world import CLIENTS_MAX, Stage

DAY_US = 86_400_000_000
ZONES = ("America/Guatemala", "UTC", "Europe/Madrid", "Asia/Kathmandu")
LIMITS = ("500", "99.99", "2000", "40", "12345.67")
EXPECTED = range(400, 500)  # a refusal is an answer
PASSING = (502, 503, 504)  # the source or another writer is in the way


class People:
    """The people of one seed. `rates` weigh what they do; 0 is never."""

    def __init__(self, rng: random.Random, stage: Stage, books: Books, currencies: list[str]):
        self.rng, self.stage, self.books, self.oracle = rng, stage, books, books.oracle
        self.currencies = currencies
        self.clients: list[str] = []
        self.user_of: dict[str, int] = {}
        self.by_http = False
        self.pending: list[tuple[str, str, str, int]] = []  # deposits nobody decided yet
        self.acts: dict[str, Callable[[], Awaitable[str]]] = {
            "join": self.join,
            "change": self.change_client,
            "companion": self.companion_writes,
            "deposit": self.bring_cash,
            "decide": self.decide_deposit,
            "wallet": self.move_wallet,
            "settings": self.change_settings,
            "wallets of the machine": self.change_wallets,
            "owner": self.owner_moves,
            "switch": self.switch,
            "by id": self.process_one,
            "skip": self.skip_one,
            "owed": self.treat_owed,
        }
        self.weights = {name: rng.choice((0, 1, 1, 3)) for name in self.acts}
        self.weights |= {"deposit": 3, "decide": 4, "wallet": rng.choice((0, 1, 4, 10))}
        self.weights["owed"] = rng.choice((0, self.weights["wallet"]))

    async def api(self, method: str, path: str, **more: Any) -> Any:
        """An API call: the answer's JSON, or None when it was refused with a clear error.

        While the machine is set up the same services are called without HTTP, which takes a third
        of the time.
        """
        if not self.by_http:
            return await call_service(method, path, more["json"])
        answer = await self.stage.http.request(method, f"{BASE}/{path}", **more)
        if answer.is_success:
            return answer.json()
        refused = answer.status_code in EXPECTED or answer.status_code in PASSING
        assert refused, f"{method} {path}: {answer.status_code} {answer.text}"
        assert answer.json().get("code"), f"{method} {path}: no code in {answer.text}"
        return None

    async def act(self) -> str:
        """Somebody does something."""
        names = sorted(self.acts)
        name = self.rng.choices(names, [self.weights[n] for n in names])[0]
        if self.oracle.owed() and self.rng.random() < 0.3:
            name = "owner"
        return f"{name}: {await self.acts[name]()}"

    async def set_up(self) -> None:
        """The machine is set up, and the first clients come."""
        rng, setting = self.rng, self.oracle.setting
        setting |= {
            "source": self.stage.sources[0],
            "commission": rng.choice((None, self.stage.commissions[0])),
            "split_rule": rng.choice(("markup", "markup", "margin", "ticker")),
            "time_zone": rng.choice(ZONES),
            "funding_btc": rng.choice(("credit", "credit", "prefunded")),
            "funding_ln": rng.choice(("credit", "credit", "prefunded")),
            "settle_without_clients": rng.random() < 0.3,
        }
        assert await self._save_wallets() is not None
        start_us = clock.now_us() - rng.choice((DAY_US, 30 * DAY_US))
        start_us -= self.stage.time.skew_us
        self.books.start_at_us = start_us // 1_000_000 * 1_000_000
        start = datetime_utc(self.books.start_at_us).isoformat()
        names = ("split_rule", "time_zone", "funding_btc", "funding_ln", "settle_without_clients")
        body = {name: setting[name] for name in names}
        assert await self.api("PUT", "settings", json={**body, "start_at": start}) is not None
        for _ in range(rng.choice((0, 1, 2, 3, 4))):
            await self.join()
            await self.bring_cash()
            await self.decide_deposit()
        self.by_http = True

    async def _save_wallets(self) -> Any:
        setting = self.oracle.setting
        body = {
            **{"host": "127.0.0.1", "database_name": "lamassu", "username": "reader"},
            **{"use_ssh_tunnel": False, "password": "none"},
            "source_wallet_id": setting["source"],
            "commission_wallet_id": setting["commission"] or "",
        }
        return await self.api("POST", "config", json=body)

    # ---- clients ---------------------------------------------------------------------------

    def _somebody(self) -> str | None:
        return self.rng.choice(self.clients) if self.clients else None

    def _told(self, name: str, **facts: Any) -> None:
        self.oracle.client.setdefault(name, {}).update(facts)

    async def join(self) -> str:
        if len(self.clients) == CLIENTS_MAX:
            return "nobody else"
        number = len(self.clients)
        user, wallets = self.stage.users[number]
        mode = self.rng.choice(("flow", "flow", "fixed"))
        limit = self.rng.choice((None, *LIMITS))
        body = {"user_id": user, "wallet_id": wallets[0], "dca_mode": mode}
        body |= {"fixed_mode_daily_limit": limit} if limit else {}
        answer = await self.api("POST", "clients", json=body)
        if answer is None:
            return "refused"
        name = str(answer["id"])
        self.clients.append(name)
        self.user_of[name] = number
        facts = {"mode": mode, "limit": limit, "wallet": wallets[0], "status": "active"}
        self._told(name, **facts)
        return f"{name[:6]} {mode} {limit}"

    async def change_client(self) -> str:
        name, rng = self._somebody(), self.rng
        if name is None:
            return "nobody"
        wallet = rng.choice(self.stage.users[self.user_of[name]][1])
        said: dict[str, Any] = rng.choice(
            (
                {"status": "inactive"},
                {"status": "active"},
                {"dca_mode": rng.choice(("flow", "fixed"))},
                {"fixed_mode_daily_limit": rng.choice((None, *LIMITS))},
                {"wallet_id": wallet},
            )
        )
        if await self.api("PUT", f"clients/{name}", json=said) is None:
            return "refused"
        names = {"dca_mode": "mode", "fixed_mode_daily_limit": "limit", "wallet_id": "wallet"}
        self._told(name, **{names.get(k, k): v for k, v in said.items()})
        return f"{name[:6]} {said if 'wallet_id' not in said else 'another wallet'}"

    async def companion_writes(self) -> str:
        """The companion extension writes modes and limits past our API."""
        name, rng = self._somebody(), self.rng
        if name is None:
            return "nobody"
        mode, limit = rng.choice(("flow", "fixed", "someday")), rng.choice((None, -5.0, 250.5, 0.0))
        await own(
            lambda conn: conn.changed(
                "UPDATE satoshimachine.dca_clients SET dca_mode = :mode,"
                " fixed_mode_daily_limit = :limit WHERE id = :id",
                {"mode": mode, "limit": limit, "id": name},
            )
        )
        self._told(name, mode=mode, limit=str(limit) if limit else None)
        return f"{name[:6]} {mode} {limit}"

    async def bring_cash(self) -> str:
        name, rng = self._somebody(), self.rng
        if name is None:
            return "nobody"
        currency = rng.choice(self.currencies)
        whole = rng.choice((20, 500, 3000, 10_000, 100_000)) * (150 if currency == "JPY" else 1)
        amount = str(whole) if rng.random() < 0.7 or not DECIMALS[currency] else f"{whole}.37"
        body = {"client_id": name, "amount": amount, "currency": currency}
        answer = await self.api("POST", "deposits", json=body)
        if answer is None:
            return "refused"
        minor = int(Fraction(amount) * 10 ** DECIMALS[currency])
        self.pending.append((str(answer["id"]), name, currency, minor))
        return f"{name[:6]} {amount} {currency}"

    async def decide_deposit(self) -> str:
        if not self.pending:
            return "nothing to decide"
        rng = self.rng
        deposit, name, currency, minor = self.pending.pop(rng.randrange(len(self.pending)))
        status = "cancelled" if rng.random() < 0.1 else "confirmed"
        body, before_us = {"status": status}, clock.now_us()
        if rng.random() < 0.4:
            effective_us = before_us - rng.randint(0, 20 * DAY_US)
            body["effective_at"] = datetime_utc(effective_us).isoformat()
        answer = await self.api("PUT", f"deposits/{deposit}/status", json=body)
        if answer is None:
            self.pending.append((deposit, name, currency, minor))
            return "refused"
        if status == "confirmed":
            if "effective_at" not in body:
                effective_us = await self._effective_us(deposit)
                assert before_us <= effective_us <= clock.now_us()
            self.oracle.deposits.append((name, currency, minor, effective_us))
        return f"{deposit[:6]} of {name[:6]} {minor} {currency} {body}"

    async def _effective_us(self, deposit: str) -> int:
        row = await own(
            lambda conn: conn.row(
                "SELECT effective_us FROM satoshimachine.dca_deposits WHERE id = :id",
                {"id": deposit},
            )
        )
        assert row is not None
        return int(row["effective_us"])

    async def move_wallet(self) -> str:
        """A wallet is deleted, or one comes back."""
        rng, gone = self.rng, self.oracle.gone
        if gone and rng.random() < 0.5:
            wallet = rng.choice(sorted(gone, key=self.stage.wallets.__getitem__))
            gone.discard(wallet)
            await self.stage.move_wallet(wallet, deleted=False)
            return f"{self.stage.wallets[wallet]} is back"
        used = [c["wallet"] for c in self.oracle.client.values()] + self.stage.commissions
        wallet = rng.choice(used if rng.random() < 0.9 else self.stage.sources)
        gone.add(wallet)
        await self.stage.move_wallet(wallet, deleted=True)
        return f"{self.stage.wallets[wallet]} is deleted"

    # ---- the operator ----------------------------------------------------------------------

    async def change_settings(self) -> str:
        rng = self.rng
        said: dict[str, Any] = rng.choice(
            (
                {"split_rule": rng.choice(("markup", "margin", "ticker"))},
                {"time_zone": rng.choice(ZONES)},
                {"funding_btc": rng.choice(("credit", "prefunded"))},
                {"funding_ln": rng.choice(("credit", "prefunded"))},
                {"settle_without_clients": rng.random() < 0.5},
                {"watch_grace_s": rng.choice((3_600, 86_400, 20 * 86_400))},
            )
        )
        if await self.api("PUT", "settings", json=said) is None:
            return "refused"
        self.oracle.setting |= said
        return str(said)

    async def change_wallets(self) -> str:
        setting, before = self.oracle.setting, dict(self.oracle.setting)
        setting["source"] = self.rng.choice(self.stage.sources)
        setting["commission"] = self.rng.choice((None, *self.stage.commissions))
        if await self._save_wallets() is None:
            setting |= before
            return "refused"
        names = self.stage.wallets
        return f"{names[setting['source']]}, {names.get(setting['commission'])}"

    async def owner_moves(self) -> str:
        """The owner of a source wallet receives or spends there."""
        owing = [wallet for wallet in self.stage.sources if self.oracle.owed(wallet)]
        wallet = self.rng.choice(owing or self.stage.sources)
        held = self.oracle.wallet[wallet]
        sats = self.rng.choice((1_000_000, 20_000_000, -(held // 2), -held))
        owed = self.oracle.owed(wallet)
        if owed and self.rng.random() < 0.7:
            # Enough for the next sale only for somebody who forgets what is owed.
            sats = owed + self.rng.randint(0, 40_000) - held
        if not sats:
            return "has nothing"
        await self.stage.owner_moves(wallet, sats)
        self.oracle.wallet[wallet] += sats
        return f"{self.stage.wallets[wallet]} {sats:+}"

    async def switch(self) -> str:
        enabled = self.rng.random() < 0.6
        await self.api("PUT", "polling", json={"enabled": enabled})
        return f"polling {enabled}"

    async def _sales(self, where: str) -> list[str]:
        rows = await own(
            lambda conn: conn.rows(
                "SELECT lamassu_transaction_id AS id FROM satoshimachine.lamassu_transactions"
                f" WHERE {where} ORDER BY 1"
            )
        )
        return [str(row["id"]) for row in rows]

    async def process_one(self) -> str:
        """Process a sale by its id, with or without a statement."""
        rng = self.rng
        where = rng.choice(("status = 'held'", "status <> 'completed'", "status = 'completed'"))
        known = await self._sales(where) or sorted(self.stage.lamassu.rows)
        return await self.process(rng.choice(known)) if known else "nothing"

    async def process(self, sale: str, reason: str | None = "seen by hand") -> str:
        """Process this sale, with what a person may state."""
        rng = self.rng
        currency = str(self.stage.lamassu.ever[sale]["fiat_code"])
        said: dict[str, Any] = {"reason": reason} if reason and rng.random() < 0.8 else {}
        if rng.random() < 0.3:
            said["fiat_amount"] = str(20 * rng.randint(1, 50))
            said["fiat_is_wrong"] = rng.random() < 0.5
        if rng.random() < 0.3:
            said["commission_percentage"] = rng.choice(("0.03", "0.0777", "0"))
        if rng.random() < 0.1:
            said["discount"] = rng.choice(("0", "12.5"))
        self.books.stated[sale].append(_facts(said, currency))
        answer = await self.api("POST", f"process-transaction/{sale}", json=said or None)
        outcome = "refused" if answer is None else "done"
        return f"{sale[:8]} {json.dumps(said)}: {outcome}"

    async def skip_one(self) -> str:
        known = await self._sales("status IN ('held', 'watching', 'pending')")
        if not known or self.rng.random() < 0.5:
            return "nothing"
        sale = self.rng.choice(known)
        if await self.api("POST", f"transactions/{sale}/skip", json={"reason": "not ours"}):
            self.books.skipped.add(sale)
        return sale[:8]

    async def treat_owed(self) -> str:
        """An owed share is retried or given up by hand; an owed commission is retried."""
        rows = await own(
            lambda conn: conn.rows(
                "SELECT id FROM satoshimachine.dca_payments WHERE status = 'failed' ORDER BY id"
            )
        )
        fees = await self._sales("commission_status = 'failed'")
        if fees and (not rows or self.rng.random() < 0.3):
            sale = self.rng.choice(fees)
            answer = await self.api("POST", f"transactions/{sale}/retry-commission")
            return f"commission of {sale[:8]}: {'paid' if answer else 'refused'}"
        if not rows:
            return "nothing"
        share = self.rng.choice(rows)["id"]
        if self.rng.random() < 0.3:
            body = {"reason": "given up"}
            answer = await self.api("POST", f"payments/{share}/cancel", json=body)
            return f"{share[:6]} {'given up' if answer else 'refused'}"
        answer = await self.api("POST", f"payments/{share}/retry")
        return f"{share[:6]} {'paid' if answer else 'refused'}"

    async def settle_down(self) -> None:
        """The quiet phase: wallets back, work switched on, enough sats everywhere."""
        self.by_http = False
        for wallet in sorted(self.oracle.gone):
            await self.stage.move_wallet(wallet, deleted=False)
        self.oracle.gone.clear()
        self.oracle.setting["commission"] = self.stage.commissions[0]
        assert await self._save_wallets() is not None
        await self.api("PUT", "polling", json={"enabled": True})
        for wallet in self.stage.sources:
            await self.stage.owner_moves(wallet, 1_000_000_000)
            self.oracle.wallet[wallet] += 1_000_000_000


def _facts(said: dict[str, Any], currency: str) -> dict[str, Any]:
    """What the product keeps of a statement, computed here."""
    fiat, rate, discount = (
        said.get(name) for name in ("fiat_amount", "commission_percentage", "discount")
    )
    exponent = DECIMALS.get(currency, 0)
    return {
        "fiat_minor": int(Decimal(fiat) * 10**exponent) if fiat is not None else None,
        "fiat_is_wrong": bool(said.get("fiat_is_wrong")),
        "commission_rate": str(Fraction(rate)) if rate is not None else None,
        "discount_percent": str(Fraction(discount)) if discount is not None else None,
    }
