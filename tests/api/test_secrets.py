"""Secrets go in and never come out: not in an answer, not in the log, not in the clear on disk.

The earlier extension answered the private key and both passwords to GET config and kept them as
plain text (peer.md h).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncssh
import httpx
import pytest
from fastapi import FastAPI
from loguru import logger
from satmachineadmin.dev import sample_rows
from support.lnbits_app import SUPERUSER, browser, login
from support.machine import fetch, our_routes, patient
from support.operator import BASE, LONG_AGO, Operator

SECRETS = ("password", "ssh_password", "ssh_private_key", "ssh_key_passphrase")
# SSH is refused at once: nothing listens on port 1.
NOWHERE = {"host": "127.0.0.1", "ssh_host": "127.0.0.1", "ssh_port": 1}


def locked_key(passphrase: str) -> str:
    """A new private key that its passphrase locks."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    return key.export_private_key("openssh", passphrase=passphrase, rounds=4).decode()


@pytest.fixture
def canaries() -> dict[str, str]:
    """Secrets that appear nowhere else."""
    passphrase = f"phrase-{uuid4().hex}"
    return {
        "password": f"pgword-{uuid4().hex}",
        "ssh_password": f"sshword-{uuid4().hex}",
        "ssh_private_key": locked_key(passphrase),
        "ssh_key_passphrase": passphrase,
    }


def marks(canaries: dict[str, str]) -> list[str]:
    """What must not be seen: each secret, and a line out of the middle of the key."""
    key = canaries["ssh_private_key"]
    return [*(canaries[name] for name in SECRETS if name != "ssh_private_key"), key.split("\n")[2]]


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """Every log line of this process, with its traceback, down to TRACE."""
    lines: list[str] = []
    sink = logger.add(lines.append, level="TRACE", backtrace=True, diagnose=True)  # type: ignore[arg-type]
    yield lines
    logger.remove(sink)


async def stored() -> dict[str, Any]:
    """The raw row, past every layer of ours."""
    (row,) = await fetch("SELECT * FROM satoshimachine.lamassu_config")
    return row


async def save(operator: Operator, **changes: Any) -> dict[str, Any]:
    """Save the connection; a change to None leaves the field out."""
    body = {k: v for k, v in operator.connection(**changes).items() if v is not None}
    answer: dict[str, Any] = await operator.api("POST", "config", json=body)
    return answer


async def every_answer(app: FastAPI, operator: Operator) -> AsyncIterator[tuple[str, str]]:
    """(what was asked, what came back) of every route, with and without a sensible body."""
    config = (await operator.api("GET", "config"))["id"]
    bodies: list[dict[str, Any] | None] = [{"reason": "because of this"}, None]
    for method, path in our_routes(app):
        url = path.replace("{config_id}", "nosuchid" if method == "DELETE" else config)
        url = url.replace("{", "").replace("}", "")
        for body in bodies[: 1 if path.endswith("manual-poll") else 2]:
            if method == "GET" and body:
                continue
            params = {"start_at": LONG_AGO} if "preview" in path else {}
            async with patient(operator.http) as client:
                answer = await client.request(method, url, json=body, params=params)
            yield f"{method} {path} {body}", answer.text + str(answer.headers)


async def test_no_answer_and_no_log_line_shows_a_secret(
    lnbits_app: FastAPI,
    operator: Operator,
    canaries: dict[str, str],
    log_lines: list[str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    hidden = marks(canaries)
    seen = [("POST config", json.dumps(await save(operator, **NOWHERE, **canaries)))]
    config = (await operator.api("GET", "config"))["id"]
    again = operator.connection(**NOWHERE, **canaries)
    put = await operator.http.put(f"{BASE}/config/{config}", json=again)
    seen.append(("PUT config", put.text))
    for wrong in ({"port": 0}, {"no": "field"}, {"ssh_key_passphrase": "wrong"}, {"host": "a b"}):
        answer = await operator.http.post(f"{BASE}/config", json={**again, **wrong})
        assert answer.status_code == 422
        seen.append((f"POST config {wrong}", answer.text))
    for name in SECRETS:  # the secret itself is what does not validate
        answer = await operator.http.post(f"{BASE}/config", json={**again, name: [canaries[name]]})
        assert answer.status_code == 422
        seen.append((f"POST config list of {name}", answer.text))
    seen += [pair async for pair in every_answer(lnbits_app, operator)]
    seen.append(("last_poll", json.dumps(await operator.api("GET", "polls"))))

    for asked, answered in seen:
        assert not [mark for mark in hidden if mark in answered], asked
    printed = capfd.readouterr()
    text = "".join(log_lines) + printed.out + printed.err
    assert not [mark for mark in hidden if mark in text], "a secret is in the log"
    assert "event=" in text, "the log was not seen at all"


async def test_a_secret_in_an_error_of_the_server_is_not_shown(
    operator: Operator, log_lines: list[str]
) -> None:
    """A wrong PostgreSQL password is refused by the far end, with and without the tunnel."""
    word = f"pgword-{uuid4().hex}"
    for tunnel in (True, False):
        await save(operator, password=word, use_ssh_tunnel=tunnel)
        answer = await operator.api("POST", "test-connection")
        assert answer["success"] is False
        assert word not in json.dumps(answer)
        poll = await operator.http.post(f"{BASE}/manual-poll")
        assert poll.status_code >= 400
        assert word not in poll.text
    assert word not in "".join(log_lines)


async def test_the_database_holds_them_sealed(
    operator: Operator, canaries: dict[str, str], environment: Any
) -> None:
    await save(operator, **NOWHERE, **canaries)
    row = await stored()
    for name in SECRETS:
        assert row[name].startswith("sealed:1:")
        assert canaries[name] not in row[name]
    everything = [await fetch(f"SELECT * FROM satoshimachine.{t}") for t in ("audit_log", "meta")]
    assert not [mark for mark in marks(canaries) if mark in str(everything)]
    if environment.database == "sqlite":
        for path in Path(environment.data).glob("*.sqlite3*"):
            found = [mark for mark in marks(canaries) if mark.encode() in path.read_bytes()]
            assert not found, path.name


async def test_what_was_saved_is_what_is_used(operator: Operator, canaries: dict[str, str]) -> None:
    from satmachineadmin.adapters.secret_box import unseal

    await save(operator, **NOWHERE, **canaries)
    row = await stored()
    assert {name: unseal(row[name]) for name in SECRETS} == canaries


@pytest.mark.parametrize(
    "word",
    [
        "a<b>c</b>",
        "x&amp;y",
        "<script>",
        "&#60;",
        "ä ö 漢字 🔑",
        " spaces around ",
        "'; DROP",
        "%s {x}",
    ],
)
async def test_odd_passwords_survive(operator: Operator, word: str) -> None:
    """LNbits strips markup from values that go through its execute (lnbits.md 4)."""
    from satmachineadmin.adapters.secret_box import unseal

    await save(operator, password=word, ssh_password=word)
    row = await stored()
    assert (unseal(row["password"]), unseal(row["ssh_password"])) == (word, word)
    await save(operator, password=word + "2", ssh_password=None)
    row = await stored()
    assert (unseal(row["password"]), unseal(row["ssh_password"])) == (word + "2", word)


async def test_a_secret_that_is_not_given_stays(
    operator: Operator, canaries: dict[str, str]
) -> None:
    await save(operator, **NOWHERE, **canaries)
    before = await stored()
    answer = await save(operator, **NOWHERE, password=None, ssh_private_key=None)
    assert answer["has_password"] is answer["has_ssh_password"] is True
    assert answer["has_ssh_private_key"] is True
    after = await stored()
    assert {n: after[n] for n in SECRETS} == {n: before[n] for n in SECRETS}


async def test_an_empty_secret_is_removed(operator: Operator, canaries: dict[str, str]) -> None:
    await save(operator, **NOWHERE, **canaries)
    empty = {"password": "", "ssh_private_key": "", "ssh_key_passphrase": ""}
    answer = await save(operator, **NOWHERE, **empty)
    assert (answer["has_password"], answer["has_ssh_private_key"]) == (False, False)
    assert answer["has_ssh_password"] is True
    row = await stored()
    assert [row[name] for name in SECRETS if name != "ssh_password"] == [None, None, None]


async def test_the_last_login_secret_cannot_be_removed(
    operator: Operator, canaries: dict[str, str]
) -> None:
    await save(operator, **NOWHERE, **canaries)
    before = await stored()
    body = operator.connection(**NOWHERE, ssh_password="", ssh_private_key="")
    answer = await operator.api("POST", "config", expect=422, json=body)
    assert answer["hint"]
    assert await stored() == before


async def test_deleting_the_connection_forgets_the_secrets(
    operator: Operator, canaries: dict[str, str]
) -> None:
    config = await save(operator, **NOWHERE, **canaries)
    await operator.api("DELETE", f"config/{config['id']}")
    assert await fetch("SELECT * FROM satoshimachine.lamassu_config") == []
    assert await operator.api("GET", "config") is None
    body = operator.connection(**NOWHERE, ssh_private_key=None)
    body = {k: v for k, v in body.items() if v is not None}
    await operator.api("POST", "config", expect=422, json=body)  # no old key comes back


# -- the pin ----------------------------------------


@pytest.mark.parametrize("change", [{"ssh_host": "localhost"}, {"ssh_port": 2222}])
async def test_another_server_clears_the_pin(operator: Operator, change: dict[str, Any]) -> None:
    before = await operator.api("GET", "config")
    assert before["ssh_host_key"]
    assert before["ssh_host_fingerprint"].startswith("SHA256:")
    answer = await save(operator, ssh_host_key=None, **change)
    assert answer["ssh_host_key"] is None
    assert answer["ssh_host_fingerprint"] is None


@pytest.mark.parametrize(
    "change", [{"password": "other"}, {"ssh_username": "someoneelse"}, {"host": "localhost"}]
)
async def test_the_pin_stays_for_the_same_server(
    operator: Operator, change: dict[str, Any]
) -> None:
    before = await operator.api("GET", "config")
    answer = await save(operator, ssh_host_key=None, **change)
    assert answer["ssh_host_key"] == before["ssh_host_key"]


async def test_a_cleared_pin_refuses_until_it_is_accepted(operator: Operator) -> None:
    """LSP: the operator compares the fingerprint; nothing is read before."""
    await save(operator, ssh_host_key=None, ssh_host="localhost")
    await operator.lamassu.insert([sample_rows.sale()])
    refused = await operator.api("POST", "manual-poll", expect=409)
    assert refused["code"] == "HOST_KEY_UNKNOWN"
    shown = await operator.api("GET", "host-key")
    accepted = await operator.api("PUT", "host-key", json={"ssh_host_key": shown["ssh_host_key"]})
    assert accepted["ssh_host_fingerprint"] == shown["fingerprint"]
    assert (await operator.poll())["success"] is True


# -- a changed auth secret ----------------------------------------


@pytest.fixture
async def after_new_auth_secret(
    lnbits_app: FastAPI, operator: Operator
) -> AsyncIterator[httpx.AsyncClient]:
    """The operator, logged in again after LNbits' AUTH_SECRET_KEY was changed."""
    from lnbits.settings import settings

    await operator.lamassu.insert([sample_rows.sale()])
    old, settings.auth_secret_key = settings.auth_secret_key, f"another-{uuid4().hex}"
    try:
        async with browser(lnbits_app, await login(lnbits_app, SUPERUSER)) as client:
            yield client
    finally:
        settings.auth_secret_key = old


async def test_unreadable_secrets_say_so(
    operator: Operator, after_new_auth_secret: httpx.AsyncClient
) -> None:
    http, some_id = after_new_auth_secret, str(uuid4())
    connection = {k: v for k, v in operator.connection().items() if k not in SECRETS}
    asked = [
        await http.post(f"{BASE}/manual-poll"),
        await http.post(f"{BASE}/process-transaction/{some_id}"),
        await http.get(f"{BASE}/host-key"),
        await http.get(f"{BASE}/start-point/preview", params={"start_at": LONG_AGO}),
        await http.post(f"{BASE}/config", json=connection),
        await http.post(f"{BASE}/test-connection"),
    ]
    for answer in asked[:-1]:
        assert answer.status_code == 409, answer.text
        assert answer.json()["code"] == "SECRET_UNREADABLE"
        assert "again" in answer.json()["hint"]
    tested = asked[-1].json()
    assert (tested["success"], tested["code"]) == (False, "SECRET_UNREADABLE")
    assert tested["hint"]
    for path in ("config", "status", "settings", "clients", "transactions", "polls"):
        assert (await http.get(f"{BASE}/{path}")).status_code == 200
    status = (await http.get(f"{BASE}/status")).json()
    assert status["last_poll"]["error_code"] == "SECRET_UNREADABLE"


async def test_entering_them_again_mends_it(
    operator: Operator, after_new_auth_secret: httpx.AsyncClient
) -> None:
    again = operator.connection()
    assert (await after_new_auth_secret.post(f"{BASE}/config", json=again)).status_code == 201
    answer = await after_new_auth_secret.post(f"{BASE}/manual-poll")
    assert answer.status_code == 200, answer.text
