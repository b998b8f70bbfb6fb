"""Who may call what: the superuser everything, everybody else the one public route (SAT-59).

The cases are made from the routes that LNbits really serves, so that a new route is tested the day
it appears.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from satmachineadmin import crud
from satmachineadmin.dev import sample_rows
from support.lnbits_app import PASSWORD, browser, enabled_client, make_account
from support.machine import PAGE, PUBLIC, our_routes, picture
from support.operator import BASE, LONG_AGO, Operator

API_PREFIX = "/satmachineadmin/api/v1"
ROUTES = """
    DELETE channels/{channel_id}
    DELETE config/{config_id}
    GET alert-settings
    GET alerts
    GET alerts/{alert_id}
    GET audit
    GET audit/actions
    GET audit/head
    GET approval
    GET channels
    GET charts
    GET client-notices
    GET client-limits
    GET clients
    GET clients/{client_id}
    GET clients/{client_id}/balance
    GET clients/{client_id}/distributions
    GET clients/{client_id}/sheet
    GET clients/{client_id}/snapshots
    GET config
    GET corrections
    GET deliveries
    GET deposits
    GET deposits/{deposit_id}
    GET exports/audit.csv
    GET exports/cash-outs.csv
    GET exports/clients.csv
    GET exports/deposits.csv
    GET exports/evidence.zip
    GET exports/findings.csv
    GET exports/report.csv
    GET exports/shares.csv
    GET facets
    GET findings
    GET findings/{finding_id}
    GET funds
    GET halts
    GET health
    GET host-key
    GET incidents
    GET incidents/{incident_id}
    GET needs
    GET polls
    GET reconciliations
    GET reconciliations/{run_id}
    GET reconciliations/{run_id}/items
    GET reports/books
    GET reports/commission
    GET reports/wallets
    GET reports/{section}.csv
    GET resuming
    GET runbook
    GET schedules
    GET settings
    GET setup
    GET setup/split-rules
    GET start-point/preview
    GET status
    GET summary
    GET test-connection
    GET transactions
    GET transactions/{any_id}
    GET transactions/{any_id}/distributions
    GET transactions/{any_id}/explanation
    GET transactions/{any_id}/sides
    GET users
    GET wallets
    GET weekly-reports
    GET weekly-reports/{report_id}
    GET weekly-reports/{report_id}/file
    GET weekly-reports/{report_id}/files.zip
    PATCH config
    POST alerts/{alert_id}/acknowledge
    POST audit/verify
    POST channels
    POST channels/{channel_id}/test
    POST client-notices
    POST clients
    POST config
    POST corrections/{correction_id}/reject
    POST deposits
    POST findings/{finding_id}/acknowledge
    POST findings/{finding_id}/notes
    POST halts
    POST halts/{halt_id}/lift
    POST health/check
    POST incidents
    POST incidents/{incident_id}/close
    POST incidents/{incident_id}/notes
    POST incidents/{incident_id}/phases
    POST manual-poll
    POST payments/{share_id}/cancel
    POST payments/{share_id}/retry
    POST previews
    POST previews/{preview_id}/execute
    POST process-transaction/{lamassu_id}
    POST readiness
    POST reconciliations
    POST reconciliations/{run_id}/cancel
    POST resume/{gate}
    POST resuming/automatic
    POST resuming/begin
    POST resuming/reconcile
    POST resuming/settle
    POST runbook/changes
    POST runbook/signoffs
    POST setup/arm
    POST test-connection
    POST test-transaction
    POST transactions/{any_id}/retry-commission
    POST transactions/{any_id}/skip
    POST weekly-reports
    PUT alert-settings
    PUT approval
    PUT channels/{channel_id}
    PUT clients/{client_id}
    PUT config/{config_id}
    PUT deposits/{deposit_id}/status
    PUT host-key
    PUT polling
    PUT runbook/contacts/{role}
    PUT settings
    PUT setup/start
"""
# They move nothing: a simulation, and a look whose outcome alone is remembered.
HARMLESS_POSTS = {f"{BASE}/test-transaction", f"{BASE}/test-connection"}


def fill(path: str, **ids: str) -> str:
    """A route's path with these ids in it; an unknown id where none is given."""
    return re.sub(r"\{(\w+)\}", lambda name: ids.get(name[1], "nosuchid"), path)


def guarded(app: FastAPI) -> list[tuple[str, str]]:
    """Every route of ours but the public one."""
    return [route for route in our_routes(app) if route != PUBLIC]


async def statuses(client: httpx.AsyncClient, app: FastAPI, **more: Any) -> dict[str, int]:
    """What this caller gets from every guarded route."""
    found = {}
    for method, path in guarded(app):
        answer = await client.request(method, fill(path), **more)
        found[f"{method} {path}"] = answer.status_code
    return found


def expected(app: FastAPI, status: int) -> dict[str, int]:
    return {f"{method} {path}": status for method, path in guarded(app)}


async def test_the_routes_are_these(lnbits_app: FastAPI) -> None:
    """The API is what design.md 7 names and nothing else; a change shows up here."""
    paths = lnbits_app.openapi()["paths"]
    found = {
        f"{method.upper()} {path.removeprefix(BASE + '/')}"
        for path, methods in paths.items()
        if path.startswith("/satmachineadmin")
        for method in methods
    }
    wanted = {line.strip() for line in ROUTES.strip().splitlines()}
    wanted |= {f"GET {PAGE}", f"GET {PAGE}parts/{{part}}.js", f"GET {API_PREFIX}/metrics"}
    assert found == wanted
    assert len(our_routes(lnbits_app)) == len(wanted), "a route that the OpenAPI text hides"


async def test_nobody_is_refused(lnbits_app: FastAPI, anonymous: httpx.AsyncClient) -> None:
    assert await statuses(anonymous, lnbits_app) == expected(lnbits_app, 401)


async def test_the_superusers_id_is_no_password(
    lnbits_app: FastAPI, anonymous: httpx.AsyncClient
) -> None:
    from lnbits.settings import settings

    usr = {"usr": settings.super_user}
    assert await statuses(anonymous, lnbits_app, params=usr) == expected(lnbits_app, 401)
    # Also where an LNbits lets its users in by their id alone.
    allowed = list(settings.auth_allowed_methods)
    settings.auth_allowed_methods = [*allowed, "user-id-only"]
    try:
        found = await statuses(anonymous, lnbits_app, params=usr)
    finally:
        settings.auth_allowed_methods = allowed
    assert set(found.values()) <= {401, 403}


@pytest.mark.parametrize("where", ["header", "query"])
async def test_a_wallet_key_is_refused(
    lnbits_app: FastAPI, anonymous: httpx.AsyncClient, superuser: httpx.AsyncClient, where: str
) -> None:
    """Not even the admin key of the superuser's own wallet."""
    key = (await superuser.get("/api/v1/auth")).json()["wallets"][0]["adminkey"]
    more: dict[str, Any] = (
        {"headers": {"X-Api-Key": key}} if where == "header" else {"params": {"api-key": key}}
    )
    assert await statuses(anonymous, lnbits_app, **more) == expected(lnbits_app, 401)


async def test_an_ordinary_user_is_refused(
    lnbits_app: FastAPI, ordinary_user: httpx.AsyncClient
) -> None:
    assert await statuses(ordinary_user, lnbits_app) == expected(lnbits_app, 403)


async def test_an_admin_who_is_not_the_superuser_is_refused(lnbits_app: FastAPI) -> None:
    from lnbits.settings import settings

    user_id, _ = await make_account("secondadmin")
    settings.lnbits_admin_users.append(user_id)
    try:
        async with enabled_client(lnbits_app, "secondadmin") as client:
            assert (await client.get("/admin/api/v1/settings")).status_code == 200
            assert await statuses(client, lnbits_app) == expected(lnbits_app, 403)
    finally:
        settings.lnbits_admin_users.remove(user_id)


async def test_a_forged_token_is_refused(lnbits_app: FastAPI) -> None:
    import jwt
    from lnbits.settings import settings

    forged = jwt.encode({"usr": settings.super_user}, "another secret, 32 bytes or more", "HS256")
    async with browser(lnbits_app, forged) as client:
        assert await statuses(client, lnbits_app) == expected(lnbits_app, 401)


async def test_the_superuser_is_let_in(lnbits_app: FastAPI, operator: Operator) -> None:
    found = await statuses(operator.http, lnbits_app)
    assert not {route for route, status in found.items() if status in (401, 403)}
    assert not {route for route, status in found.items() if status >= 500}


async def test_the_cookie_of_the_superuser_is_enough_for_the_page(
    lnbits_app: FastAPI, superuser: httpx.AsyncClient
) -> None:
    token = superuser.headers["Authorization"].removeprefix("Bearer ")
    async with browser(lnbits_app) as client:
        client.cookies.set("cookie_access_token", token)
        answer = await client.get(PAGE)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", [PAGE, PAGE.rstrip("/"), f"{BASE}/clients", f"{BASE}/config"])
async def test_a_refused_browser_sees_nothing_of_ours(
    anonymous: httpx.AsyncClient, ordinary_user: httpx.AsyncClient, path: str
) -> None:
    """A browser gets an HTML error; it must be LNbits' own, without the page's parts."""
    for client in (anonymous, ordinary_user):
        answer = await client.get(
            path, headers={"Accept": "text/html", "User-Agent": "Mozilla"}, follow_redirects=True
        )
        assert answer.status_code in (401, 403)
        assert "satmachineadmin/static" not in answer.text
        assert "satmachineadmin/parts" not in answer.text


async def test_client_limits_need_no_login(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get(PUBLIC[1])).status_code == 200
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await anonymous.request(method, PUBLIC[1])).status_code == 405


# -- scoped API tokens ----------------------------------------


@asynccontextmanager
async def api_token(
    app: FastAPI, owner: httpx.AsyncClient, *, read: bool = True, write: bool = True
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a token of its owner that reaches the extension's prefix only."""
    acls = await owner.put(
        "/api/v1/auth/acl", json={"id": "", "name": "ours", "password": PASSWORD}
    )
    acl = next(a for a in acls.raise_for_status().json()["access_control_list"])
    for endpoint in acl["endpoints"]:
        if endpoint["path"] == API_PREFIX:
            endpoint.update(read=read, write=write)
    saved = await owner.put("/api/v1/auth/acl", json={**acl, "password": PASSWORD})
    saved.raise_for_status()
    made = await owner.post(
        "/api/v1/auth/acl/token",
        json={
            "acl_id": acl["id"],
            "token_name": "scraper",
            "password": PASSWORD,
            "expiration_time_minutes": 60,
        },
    )
    try:
        async with browser(app, made.raise_for_status().json()["api_token"]) as client:
            yield client
    finally:
        gone = await owner.request(
            "DELETE", "/api/v1/auth/acl", json={"id": acl["id"], "password": PASSWORD}
        )
        gone.raise_for_status()


def changing(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method, path)
        for method, path in guarded(app)
        if method != "GET" and path not in HARMLESS_POSTS
    ]


def needed(path: str) -> dict[str, str]:
    """Parameters a route cannot do without."""
    from satmachineadmin.page_parts import part_url

    if path.endswith("/parts/{part}.js"):
        return {"v": part_url("lists").partition("?v=")[2]}
    return {"start_at": LONG_AGO} if "start-point" in path else {}


async def test_an_api_token_reads_and_changes_nothing(
    lnbits_app: FastAPI, operator: Operator
) -> None:
    client = await operator.add_client()
    async with api_token(lnbits_app, operator.http) as token:
        before = await picture()
        for method, path in guarded(lnbits_app):
            if method == "GET" and path.startswith(API_PREFIX):
                answer = await token.get(fill(path, client_id=client), params=needed(path))
                assert answer.status_code in (200, 404), f"{path}: {answer.text}"
        for method, path in changing(lnbits_app):
            answer = await token.request(method, fill(path, client_id=client))
            assert answer.status_code == 403, f"{method} {path}: {answer.text}"
            assert answer.json()["code"] == "API_TOKEN_REFUSED", f"{method} {path}"
            assert answer.json()["hint"]
        assert await picture() == before
        assert (await token.post(f"{BASE}/test-transaction")).status_code == 200
        assert await picture() == before


async def test_an_api_token_cannot_allow_itself(lnbits_app: FastAPI, operator: Operator) -> None:
    async with api_token(lnbits_app, operator.http) as token:
        answer = await token.put(f"{BASE}/settings", json={"api_tokens_may_move_money": True})
    assert answer.json()["code"] == "API_TOKEN_REFUSED"
    assert (await operator.api("GET", "settings"))["api_tokens_may_move_money"] is False


async def test_an_api_token_works_when_the_operator_allows_it(
    lnbits_app: FastAPI, operator: Operator
) -> None:
    client = await operator.add_client("0")
    await operator.api("PUT", "settings", json={"api_tokens_may_move_money": True})
    async with api_token(lnbits_app, operator.http) as token:
        made = await token.post(f"{BASE}/deposits", json={"client_id": client, "amount": 5})
        assert made.status_code == 201
        await operator.lamassu.insert([sample_rows.sale()])
        assert (await token.post(f"{BASE}/manual-poll")).status_code == 200
        for method, path in changing(lnbits_app):
            answer = await token.request(method, fill(path, client_id=client))
            assert answer.status_code not in (401, 403), f"{method} {path}: {answer.text}"
        await operator.api("PUT", "settings", json={"api_tokens_may_move_money": False})
        again = await token.post(f"{BASE}/manual-poll")
        assert again.json()["code"] == "API_TOKEN_REFUSED"


async def test_a_read_only_token_is_stopped_by_lnbits(
    lnbits_app: FastAPI, operator: Operator
) -> None:
    await operator.api("PUT", "settings", json={"api_tokens_may_move_money": True})
    async with api_token(lnbits_app, operator.http, write=False) as token:
        assert (await token.get(f"{BASE}/status")).status_code == 200
        for method, path in changing(lnbits_app):
            assert (await token.request(method, fill(path))).status_code == 403


async def test_the_api_token_of_somebody_else_is_refused(
    lnbits_app: FastAPI, ordinary_user: httpx.AsyncClient
) -> None:
    async with api_token(lnbits_app, ordinary_user) as token:
        found = await statuses(token, lnbits_app)
    assert set(found.values()) == {403}


# -- reading changes nothing ----------------------------------------


async def a_finding() -> dict[str, str]:
    """A run that found something (a balance that was edited and put back again)."""
    from satmachineadmin.models_reconciliation import Scope
    from satmachineadmin.services import reconcile

    balance = "UPDATE satoshimachine.ledger_balances SET balance = balance"
    await crud.db.execute(f"{balance} + 1 WHERE account = 'commission'")
    run_id = await reconcile.run_now(Scope())
    await crud.db.execute(f"{balance} - 1 WHERE account = 'commission'")
    found = await crud.fetch_rows("SELECT id FROM satoshimachine.findings LIMIT 2")
    return {"run_id": run_id, "finding_id": str(found[0]["id"])}


async def test_no_get_changes_anything(lnbits_app: FastAPI, operator: Operator) -> None:
    """LNbits' only defence against foreign pages is the Lax cookie: GET must be harmless."""
    client = await operator.add_client()
    rows = [sample_rows.sale(), sample_rows.partly_dispensed(), sample_rows.paid_not_dispensed()]
    await operator.lamassu.insert(rows)
    await operator.poll()
    deposit = (await operator.api("GET", "deposits"))["data"][0]["id"]
    ids = {"client_id": client, "deposit_id": deposit, "section": "clients"}
    ids |= await a_finding()
    ids["part"] = "lists"
    ids["alert_id"] = (await operator.api("GET", "alerts"))["data"][0]["id"]
    ids["report_id"] = (await operator.api("POST", "weekly-reports"))["id"]
    begun = {"failure": "other", "severity": "low", "note": "a drill"}
    ids["incident_id"] = (await operator.api("POST", "incidents", json=begun))["id"]
    before = await picture()
    for method, path in our_routes(lnbits_app):
        if method != "GET":
            continue
        for cash_out in rows:
            url = fill(path, **ids, any_id=cash_out["id"])
            answer = await operator.http.get(url, params=needed(path))
            assert answer.status_code == 200, f"{url}: {answer.text}"
            if "any_id" not in path:
                break
    assert await picture() == before
