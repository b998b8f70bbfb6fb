"""LNbits and this extension over their real HTTP API, as a script of the operator would do it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

EXTENSION = "satmachineadmin"
BASE = f"/{EXTENSION}/api/v1/dca"
PAGE = 1000


class ApiRefused(Exception):
    """The server said no; the message is its own sentence."""

    def __init__(self, what: str, answer: httpx.Response):
        super().__init__(f"{what}: {answer.status_code} {_sentence(answer)}")
        self.status = answer.status_code
        self.code = _field(answer, "code")


@dataclass(frozen=True)
class WalletView:
    """A wallet as LNbits shows it."""

    id: str
    name: str
    balance_msat: int


class LnbitsApi:
    """One logged-in operator. `login` first; `base_url` may change when LNbits comes back."""

    def __init__(self, url: str):
        self.http = httpx.AsyncClient(base_url=url, timeout=60)
        self.user_id = ""

    async def close(self) -> None:
        await self.http.aclose()

    async def call(self, method: str, path: str, **keywords: Any) -> Any:
        """The JSON answer; raises ApiRefused when it is an error, httpx.TransportError without."""
        answer = await self.http.request(method, path, **keywords)
        if answer.is_error or answer.is_redirect:
            raise ApiRefused(f"{method} {path}", answer)
        return answer.json()

    async def dca(self, method: str, path: str, **keywords: Any) -> Any:
        """A route of the extension."""
        return await self.call(method, f"{BASE}/{path}", **keywords)

    async def login(self, username: str, password: str) -> bool:
        """Log in; on a fresh LNbits this makes the superuser first. True if it was fresh."""
        account = {"username": username, "password": password}
        answer = await self.http.post("/api/v1/auth", json=account)
        fresh = answer.is_redirect  # LNbits sends everybody to its first-install page
        if fresh:
            answer = await self.http.put(
                "/api/v1/auth/first_install", json={**account, "password_repeat": password}
            )
        if answer.is_error:
            raise ApiRefused("logging in", answer)
        # The bearer token alone: a cookie beside it could be somebody else's.
        self.http.cookies.clear()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self.user_id = str((await self.call("GET", "/api/v1/auth"))["id"])
        return fresh

    async def enable_extension(self) -> None:
        """For this account. One that failed to load once must be activated again (lnbits.md 2)."""
        await self.call("PUT", f"/api/v1/extension/{EXTENSION}/enable")
        answer = await self.http.get(f"{BASE}/client-limits")
        if answer.status_code == httpx.codes.NOT_FOUND:
            await self.call("PUT", f"/api/v1/extension/{EXTENSION}/activate")
            await self.call("GET", f"{BASE}/client-limits")

    async def account(self, username: str, password: str) -> str:
        """The user id of this account, which is made when there is none."""
        found = await self.call("GET", "/users/api/v1/user", params={"username[eq]": username})
        for user in found["data"]:
            if user["username"] == username:
                return str(user["id"])
        made = await self.call(
            "POST",
            "/users/api/v1/user",
            json={"username": username, "password": password, "password_repeat": password},
        )
        return str(made["id"])

    async def wallets(self, user_id: str) -> list[WalletView]:
        """The wallets of an account."""
        found = await self.call("GET", f"/users/api/v1/user/{user_id}/wallet")
        return [
            WalletView(str(w["id"]), str(w["name"]), int(w["balance_msat"]))
            for w in found
            if not w["deleted"]
        ]

    async def own_wallet(self, name: str) -> str:
        """The id of the operator's wallet of this name, which is made when there is none."""
        for wallet in await self.wallets(self.user_id):
            if wallet.name == name:
                return wallet.id
        return str((await self.call("POST", "/api/v1/wallet", json={"name": name}))["id"])

    async def every(self, path: str) -> list[dict[str, Any]]:
        """All rows of a list of the extension, page by page."""
        rows: list[dict[str, Any]] = []
        while True:
            page = await self.dca("GET", path, params={"limit": PAGE, "offset": len(rows)})
            rows += page["data"]
            if not page["data"] or len(rows) >= page["total"]:
                return rows

    async def poll(self, patience_s: float = 20) -> dict[str, Any]:
        """Ask for a poll now; waits while another one is running."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                answer: dict[str, Any] = await self.dca("POST", "manual-poll")
                return answer
            except ApiRefused as refused:
                if refused.code != "POLL_RUNNING" or time.monotonic() > deadline:
                    raise


def _sentence(answer: httpx.Response) -> str:
    detail, hint = _field(answer, "detail"), _field(answer, "hint")
    return " ".join(part for part in (detail, hint) if part) or answer.text[:500]


def _field(answer: httpx.Response, name: str) -> str:
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get(name, "")) if isinstance(body, dict) else ""
