"""Every operation of our own OpenAPI, with bodies and parameters that schemathesis makes of it.

Right and wrong ones, as the superuser. The values are made by schemathesis, the requests are sent
on the app's own loop: LNbits' locks belong to it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from hypothesis import strategies as st
from hypothesis.errors import Flaky, Unsatisfiable
from satmachineadmin.dev import sample_rows
from schemathesis import Case, openapi
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from support.lnbits_app import make_account
from support.machine import patient
from support.operator import BASE, Operator

from .fuzz_engine import Watch, explore, plain_answer

OURS = "/satmachineadmin/"
PAGE = OURS
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
# Tables that a refused request may write, and why: what was tried is written down.
LOGS = frozenset({"polls", "alerts", "leases"})  # a poll that failed, and its alert
# A reconciliation that an earlier request began goes on by itself.
LOGS |= {"reconciliation_runs", "reconciliation_items", "findings", "finding_notes"}
NOTES: dict[tuple[str, str], frozenset[str]] = {
    # A row that was fetched is stored before it is refused, as a poll would store it.
    ("POST", "process-transaction/{lamassu_id}"): frozenset({"lamassu_transactions", "audit_log"}),
    ("POST", "test-connection"): frozenset({"lamassu_config", "audit_log"}),  # how it went
    # Why it failed again, and that a person asked for it.
    ("POST", "payments/{share_id}/retry"): frozenset({"dca_payments", "audit_log"}),
    ("POST", "transactions/{any_id}/retry-commission"): frozenset(
        {"lamassu_transactions", "audit_log"}
    ),
    # A passphrase that was not right is counted.
    ("PUT", "approval"): frozenset({"meta", "audit_log"}),
    # What its checks found stays written when one of them is not green.
    ("POST", "resuming/begin"): frozenset({"meta", "health_checks", "audit_log"}),
    ("POST", "manual-poll"): frozenset({"meta", "source_hours", "audit_log"}),
    # Taking a preview is written down before its poll begins.
    ("POST", "previews/{preview_id}/execute"): frozenset(
        {"previews", "meta", "source_hours", "audit_log"}
    ),
}
# Who calls is tests/api/test_access.py's subject: here it is always the superuser.
WHO = ("authorization", "cookie", "x-api-key", "api-key", "usr", "connection")
# What these have saved is put right before the next operation talks to Lamassu.
UNDONE = ("config", "polling", "host-key")
# Every one of these talks over SSH or runs the start-up check: fewer of them.
SLOW = (
    "manual-poll",
    "test-connection",
    "host-key",
    "readiness",
    "start-point",
    "process-",
    "previews",
)


def operations(app: FastAPI) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    """What LNbits' own OpenAPI documents of ours, the page left out: it answers HTML."""
    described = json.loads(json.dumps(app.openapi()))
    described["paths"] = {
        path: what
        for path, what in described["paths"].items()
        if path.startswith(OURS) and path != PAGE
    }
    for found in openapi.from_dict(described).get_all_operations():
        yield found.ok()


def name_of(operation: Any) -> tuple[str, str]:
    """('PUT', 'config/{config_id}')."""
    return operation.method.upper(), operation.path.removeprefix(f"{BASE}/")


class Books:
    """Something of every kind that a path can name."""

    def __init__(self, operator: Operator):
        self.operator = operator
        self.ids: dict[str, list[str]] = {}

    async def fill(self) -> None:
        """A settled and a held sale, a share, a client, deposits, the connection."""
        client = await self.operator.add_client("3000")
        deposit = await self.operator.api(
            "POST", "deposits", json={"client_id": client, "amount": "5"}
        )
        rows = [sample_rows.sale(fiat=50), sample_rows.sale(fiat=20, status="instant")]
        await self.operator.lamassu.insert(rows)
        await self.operator.poll()
        cash_outs = [(await self.operator.cash_out(row["id"]))["id"] for row in rows]
        shares = await self.operator.shares(rows[0]["id"])
        lamassu_ids = [str(row["id"]) for row in rows]
        self.ids = {
            "any_id": [*cash_outs, *lamassu_ids],
            "lamassu_id": lamassu_ids,
            "client_id": [client],
            "deposit_id": [deposit["id"]],
            "share_id": [share["id"] for share in shares],
            "gate": ["halt", "takeover", "restore"],
            "preview_id": [await self._preview({"action": "poll"})],
        }
        user_id, wallet_id = await make_account()
        self.bodies = {"client_id": [client], "user_id": [user_id], "wallet_id": [wallet_id]}
        self.bodies |= {name: self.ids[name] for name in ("lamassu_id", "share_id")}
        await self.right_again()

    async def _preview(self, body: dict[str, str]) -> str:
        return str((await self.operator.api("POST", "previews", json=body))["preview_id"])

    async def right_again(self) -> None:
        """The connection as it was, whatever a request has saved over it."""
        config = await self.operator.api("POST", "config", json=self.operator.connection())
        await self.operator.api("PUT", "polling", json={"enabled": True})
        self.ids["config_id"] = [config["id"]]


def requests_of(operation: Any, books: Books, mode: GenerationMode) -> Any:
    """Cases; in half of them the path and the body name something that exists."""

    def aim(case: Case, real: bool, number: int) -> Case:
        if real and case.path_parameters:
            for name in case.path_parameters:
                known = books.ids.get(name)
                if known:
                    case.path_parameters[name] = quote(known[number % len(known)], safe="")
        if real and isinstance(case.body, dict):
            for name, known in books.bodies.items():
                if name in case.body:
                    case.body[name] = known[0]
        return case

    return st.builds(
        aim, operation.as_strategy(generation_mode=mode), st.booleans(), st.integers(0, 9)
    )


async def fuzz_api(
    operator: Operator, app: FastAPI, *, examples: int, fixed: bool = True
) -> Counter[str]:
    """All operations; how many there are, and how many requests were taken and refused."""
    books = Books(operator)
    await books.fill()
    watch = await Watch.begin()
    http = patient(operator.http)
    seen: Counter[str] = Counter()

    async def send(case: Case) -> None:
        made = case.as_transport_kwargs(base_url=str(http.base_url))
        content = made.get("data")
        if "json" in made:
            content = json.dumps(made["json"]).encode()
        headers = {k: v for k, v in made["headers"].items() if k.lower() not in WHO}
        params = {k: v for k, v in (made.get("params") or {}).items() if k.lower() not in WHO}
        answer = await http.request(
            made["method"],
            made["url"],
            params=params,
            content=content,
            headers={k: _header(v) for k, v in headers.items()},
        )
        seen[str(answer.status_code)] += 1
        if plain_answer(answer):
            seen["taken"] += 1
            await watch.accepted()
        else:
            seen["refused"] += 1
            notes = NOTES.get(name_of(case.operation), frozenset())
            await watch.refused(LOGS | notes)

    for operation in operations(app):
        seen["operations"] += 1
        slow = any(part in operation.path for part in SLOW)
        for mode in MODES:
            try:
                await explore(
                    requests_of(operation, books, mode),
                    send,
                    examples=max(1, examples // 4) if slow else examples,
                    fixed=fixed,
                )
            except Unsatisfiable:
                seen["without a wrong form"] += 1  # no parameter, no body: nothing can be wrong
            except (AssertionError, Flaky) as exc:  # flaky: the same request again did not fail
                raise AssertionError(f"{name_of(operation)}: {exc}") from exc
        if any(part in operation.path for part in UNDONE):
            await books.right_again()
            await watch.accepted()
    watch.close()
    return seen


def _header(value: Any) -> str | bytes:
    text = str(value)
    return text if text.isascii() else text.encode("utf-8", "replace")
