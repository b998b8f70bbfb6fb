"""Every refusal is a sentence, a stable code and a next step, nothing else (design.md 7, 8)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from support.machine import our_routes, patient
from support.operator import BASE, Operator

CANARY = "canary-5e1f"


def every_error() -> Iterator[type[Any]]:
    from satmachineadmin.errors import SatMachineError

    waiting = [SatMachineError]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += found.__subclasses__()


@pytest.fixture
async def browser_like(
    superuser: httpx.AsyncClient, clean_books: None
) -> AsyncIterator[httpx.AsyncClient]:
    """The superuser, who gets a 500 as an answer instead of the exception."""
    async with patient(superuser) as client:
        yield client


def break_status(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """From now on GET status meets this error."""
    from satmachineadmin.services import overview

    async def broken(**_: Any) -> None:
        raise error

    monkeypatch.setattr(overview, "read_overview", broken)


async def test_every_error_of_ours_answers_detail_code_hint(
    browser_like: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: dict[str, type[Any]] = {}
    for kind in every_error():
        break_status(monkeypatch, kind("This is the sentence", hint="This is next"))
        answer = await browser_like.get(f"{BASE}/status")
        assert answer.status_code == kind.http_status >= 400
        assert answer.json() == {
            "detail": "This is the sentence",
            "code": kind.code,
            "hint": "This is next",
        }
        assert codes.setdefault(kind.code, kind) is kind, "two errors share a code"
        break_status(monkeypatch, kind("This is the sentence"))
        bare = (await browser_like.get(f"{BASE}/status")).json()
        assert set(bare) == {"detail", "code", "hint"}
    assert len(codes) > 30


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(CANARY),
        KeyError(CANARY),
        OSError(2, CANARY),
        ValueError(CANARY),
        AssertionError(CANARY),
        UnicodeEncodeError("utf-8", CANARY, 0, 1, CANARY),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_unknown_exception_is_500_without_internals(
    browser_like: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """LNbits turns a ValueError into a 400 that carries its text; a bug of ours is a 500."""
    break_status(monkeypatch, error)
    for accept in ("application/json", "text/html"):
        answer = await browser_like.get(f"{BASE}/status", headers={"Accept": accept})
        assert CANARY not in answer.text
        assert "Traceback" not in answer.text
        assert answer.status_code == 500


async def test_an_invariant_that_breaks_is_in_the_log(
    browser_like: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from loguru import logger
    from satmachineadmin.errors import InvariantViolation

    lines: list[str] = []
    sink = logger.add(lines.append, level="CRITICAL")  # type: ignore[arg-type]
    try:
        break_status(monkeypatch, InvariantViolation("A sum does not hold"))
        answer = await browser_like.get(f"{BASE}/status")
    finally:
        logger.remove(sink)
    assert answer.json()["code"] == "INVARIANT_VIOLATION"
    assert any("event=invariant_broken" in line for line in lines)


WRONG: list[tuple[str, str, Any]] = [
    ("POST", "config", {"host": CANARY + " x", "port": CANARY, "database_name": CANARY + "\n"}),
    ("POST", "config", {CANARY: 1}),
    ("POST", "clients", {"user_id": CANARY + "\n", "wallet_id": [CANARY], "dca_mode": CANARY}),
    ("POST", "clients", {"user_id": "x", "wallet_id": "y", "fixed_mode_daily_limit": CANARY}),
    ("POST", "deposits", {"client_id": "x", "amount": CANARY}),
    ("POST", "deposits", {"client_id": "x", "amount": 1, "currency": CANARY}),
    ("PUT", "deposits/x/status", {"status": CANARY, "effective_at": CANARY}),
    ("PUT", "settings", {"poll_interval_s": CANARY, "split_rule": CANARY, "start_at": CANARY}),
    ("PUT", "settings", {"currency": CANARY}),
    ("PUT", "settings", {"time_zone": CANARY}),
    ("PUT", "polling", {"enabled": CANARY}),
    ("PUT", "host-key", {"ssh_host_key": CANARY}),
    ("PUT", "host-key", {"ssh_host_key": f"ssh-ed25519 {CANARY} {CANARY}"}),
    ("POST", f"process-transaction/{uuid4()}", {"fiat_amount": CANARY, "reason": CANARY + "\n"}),
    ("POST", "transactions/x/skip", {"reason": [CANARY]}),
    ("POST", f"resume/{CANARY}", {"reason": "long enough"}),
    ("POST", f"test-transaction?crypto_atoms={CANARY}", None),
    ("POST", f"test-transaction?currency={CANARY}", None),
    ("GET", f"clients?limit={CANARY}", None),
    ("GET", f"start-point/preview?start_at={CANARY}", None),
    ("GET", "start-point/preview", None),
    ("PATCH", "config", {"ssh_host": CANARY + " x", "port": CANARY}),
    ("PUT", "setup/start", {"start_at": CANARY}),
    ("POST", "setup/arm", {}),
    ("GET", f"setup/split-rules?limit={CANARY}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRONG)
async def test_what_does_not_validate_is_not_repeated(
    operator: Operator, method: str, path: str, body: Any
) -> None:
    """An answer may be logged or shown; it names the field, not what was in it."""
    answer = await operator.http.request(method, f"{BASE}/{path}", json=body)
    assert answer.status_code in (404, 422), answer.text
    said = answer.json()
    assert {"detail", "code", "hint"} <= set(said)
    if body is None or CANARY not in body:  # a field's own name is named
        assert CANARY not in answer.text


async def test_the_broken_json_is_not_repeated(operator: Operator) -> None:
    answer = await operator.http.post(
        f"{BASE}/config",
        content=f'{{"password": "{CANARY}", '.encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert CANARY not in answer.text
    assert answer.json()["code"] == "BAD_INPUT"


async def test_a_missing_field_says_which(operator: Operator) -> None:
    said = await operator.api("POST", "deposits", expect=422, json={"amount": 1})
    assert said["code"] == "BAD_INPUT"
    assert said["errors"] == [{"field": "client_id", "message": "field required"}]
    assert said["detail"] == "client_id: field required"


async def test_what_is_not_there_is_404_in_our_words(
    lnbits_app: FastAPI, operator: Operator
) -> None:
    """Every route that takes an id, with one that nobody has."""
    bodies: dict[str, Any] = {
        "skip": {"reason": "because"},
        "cancel": {"reason": "because"},
        "reject": {"reason": "because"},
        "acknowledge": {"note": "seen"},
        "lift": {"reason": "because"},
        "notes": {"note": "seen"},
        "status": {"status": "confirmed"},
        "phases": {"phase": 1},
        "close": {"outcome": "mended", "note": "it ended"},
        "{role}": {"name": "Eva"},
        "{config_id}": operator.connection(),
        "{channel_id}": {"name": "n", "kind": "lnbits"},
    }
    tried = 0
    for method, path in our_routes(lnbits_app):
        if "{" not in path or "{gate}" in path or "{part}" in path:
            continue
        body = next((b for end, b in bodies.items() if path.endswith(end)), {})
        url = path.replace("{", "").replace("}", "")
        more = {} if method in ("GET", "DELETE") else {"json": body or {}}
        if path.endswith(("/retry", "retry-commission")):
            more = {}
        answer = await operator.http.request(method, url, **more)
        assert answer.status_code == 404, f"{method} {path}: {answer.text}"
        assert answer.json()["code"] == "NOT_FOUND"
        tried += 1
    assert tried > 10


REFUSED: list[tuple[str, str, Any]] = [
    ("GET", "clients/nosuchid", None),
    ("GET", "deposits/nosuchid", None),
    ("GET", "transactions/nosuchid", None),
    ("DELETE", "config/nosuchid", None),
    ("POST", "payments/nosuchid/retry", None),
    ("POST", "resume/nosuchgate", {"reason": "because"}),
    ("POST", "resume/halt", {"reason": "because"}),
    ("POST", "test-transaction?currency=XQX", None),
    ("POST", "test-transaction?fiat_amount=0.001", None),
    ("GET", "start-point/preview?start_at=2026-01-01T00:00:00", None),
    ("POST", "deposits", {"client_id": "nosuchid", "amount": 1}),
    ("PUT", "settings", {"poll_interval_s": 1}),
    ("POST", "incidents/nosuchid/phases", {"phase": 1}),
    ("PUT", "runbook/contacts/nosuchrole", {"name": "Eva"}),
]


async def test_every_refusal_names_a_next_step(operator: Operator) -> None:
    """design.md 7: `hint` is the next step; an empty one leaves the operator alone."""
    without = []
    for method, path, body in REFUSED:
        answer = await operator.http.request(method, f"{BASE}/{path}", json=body)
        assert 400 <= answer.status_code < 500
        assert answer.json()["detail"]
        if not answer.json()["hint"]:
            without.append(f"{method} {path}: {answer.json()['detail']}")
    assert not without


async def test_a_wrong_method_is_405(lnbits_app: FastAPI, operator: Operator) -> None:
    routes = our_routes(lnbits_app)
    for path in {path for _, path in routes}:
        for method in ("PATCH", "DELETE", "PUT", "POST", "GET"):
            if (method, path) not in routes and path.startswith(BASE):
                url = path.replace("{", "").replace("}", "")
                answer = await operator.http.request(method, url)
                # `clients/{id}` is matched by another route's pattern where one fits.
                assert answer.status_code in (404, 405), f"{method} {path}"
