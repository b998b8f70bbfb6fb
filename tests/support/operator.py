"""The operator at work: sets a machine up over the HTTP API and reads what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx

from .lnbits_app import make_account, make_wallet, wallet_balance_sats

BASE = "/satmachineadmin/api/v1/dca"
LONG_AGO = "2026-01-01T00:00:00Z"


def ago(**back: float) -> datetime:
    """An aware instant in the past."""
    return datetime.now(timezone.utc) - timedelta(**back)


@dataclass
class Operator:
    """One superuser, one machine, two wallets of their own and any number of clients."""

    http: httpx.AsyncClient
    lamassu: Any
    source_wallet: str = ""
    commission_wallet: str = ""
    wallets: dict[str, str] = field(default_factory=dict)  # client id -> wallet id

    async def api(self, method: str, path: str, expect: int | None = None, **more: Any) -> Any:
        """Call a route and return its JSON; the status must be 2xx or the expected one."""
        answer = await self.http.request(method, f"{BASE}/{path}", **more)
        wanted = answer.is_success if expect is None else answer.status_code == expect
        assert wanted, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def connection(self, **changes: Any) -> dict[str, Any]:
        """The body that saves the connection to the embedded Lamassu."""
        from satmachineadmin.dev.embedded_lamassu import sample_settings

        given = {k: v for k, v in sample_settings(self.lamassu).items() if v is not None}
        wallets = {
            "source_wallet_id": self.source_wallet,
            "commission_wallet_id": self.commission_wallet,
        }
        return {**given, **wallets, **changes}

    async def set_up(self, **changes: Any) -> None:
        """Wallets, connection, and a start point long ago."""
        self.source_wallet = await make_wallet("source")
        self.commission_wallet = await make_wallet("commission")
        await self.api("POST", "config", json=self.connection(**changes))
        await self.api("PUT", "settings", json={"start_at": LONG_AGO})

    async def add_client(self, fiat: str = "3000", currency: str = "GTQ", **more: Any) -> str:
        """A client with a confirmed deposit that counted long ago; returns the client id."""
        user_id, wallet_id = await make_account()
        body = {"user_id": user_id, "wallet_id": wallet_id, **more}
        client = await self.api("POST", "clients", json=body)
        self.wallets[client["id"]] = wallet_id
        if fiat != "0":
            await self.deposit(client["id"], fiat, currency)
        return str(client["id"])

    async def deposit(
        self, client_id: str, fiat: str, currency: str = "GTQ", effective_at: str = LONG_AGO
    ) -> str:
        """A confirmed deposit."""
        body = {"client_id": client_id, "amount": fiat, "currency": currency}
        deposit = await self.api("POST", "deposits", json=body)
        await self.api(
            "PUT",
            f"deposits/{deposit['id']}/status",
            json={"status": "confirmed", "effective_at": effective_at},
        )
        return str(deposit["id"])

    async def poll(self) -> dict[str, Any]:
        """The button."""
        answer: dict[str, Any] = await self.api("POST", "manual-poll")
        return answer

    async def cash_out(self, lamassu_id: str) -> dict[str, Any]:
        """One cash-out with its details."""
        answer: dict[str, Any] = await self.api("GET", f"transactions/{lamassu_id}")
        return answer

    async def shares(self, lamassu_id: str) -> list[dict[str, Any]]:
        """Its shares."""
        page = await self.api("GET", f"transactions/{lamassu_id}/distributions")
        return list(page["data"])

    async def remaining_minor(self, client_id: str, currency: str = "GTQ") -> int:
        """What a client may still be charged."""
        answer = await self.api("GET", f"clients/{client_id}/balance")
        return next(
            (b["remaining_minor"] for b in answer["balances"] if b["currency"] == currency), 0
        )

    async def resume(self, reason: str = "looked at it and mended it") -> None:
        """The way back to work, step by step to its end (docs/health.md)."""
        await self.api("POST", "resuming/begin", json={"reason": reason})
        await self.api("POST", "resuming/settle")
        await self.api("POST", "resuming/reconcile")
        for _ in range(1_000):
            run = (await self.api("GET", "resuming"))["run"]
            if run["status"] not in ("queued", "running"):
                break
            await asyncio.sleep(0.02)
        done = await self.api("POST", "resuming/automatic")
        assert (done["step"], done["watched_until"] is not None) == (None, True)

    async def balances(self) -> dict[str, int]:
        """Sats in every wallet: 'source', 'commission' and each client's by client id."""
        found = {
            "source": await wallet_balance_sats(self.source_wallet),
            "commission": await wallet_balance_sats(self.commission_wallet),
        }
        for client_id, wallet_id in self.wallets.items():
            found[client_id] = await wallet_balance_sats(wallet_id)
        return found

    async def check_books(self) -> None:
        """Wallets, shares, cash-outs and ledger say the same, to the sat."""
        from .proof import prove

        await prove()
