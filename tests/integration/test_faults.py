"""The way to the ATM's database breaks: it is said exactly, and no sale is lost (peer.md c).

Every fault: a good poll, a new sale, the fault, a poll and a connection test that both name it, the
repair, and the sale is paid once (C-SAT-o: the earlier extension lost it in 11 of 12).
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncssh
import pytest
from satmachineadmin import errors, transaction_processor
from satmachineadmin.adapters import lamassu_postgres
from satmachineadmin.adapters.connection_test import STEP_NAMES, test_connection_steps
from satmachineadmin.adapters.lamassu_postgres import open_source
from satmachineadmin.adapters.source_settings import SourceLimits
from satmachineadmin.dev import sample_rows
from satmachineadmin.services import connection_test, observe, settle
from support.operator import Operator, ago
from support.trouble import (
    block_outgoing,
    last_success,
    markup_split,
    open_alerts,
    refused_poll,
    stored,
)

# The product's own limits are for an ATM behind a home line (adapters/source_settings.py).
SHORT = SourceLimits(connect_s=2, login_s=2, query_s=5, lock_s=0.5, close_s=1, test_s=20)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    use_limits(monkeypatch, SHORT)
    monkeypatch.setattr(transaction_processor, "INTERACTIVE_PAUSE_S", 0.05)


def use_limits(monkeypatch: pytest.MonkeyPatch, limits: SourceLimits) -> None:
    opener = partial(open_source, limits=limits)
    tester = partial(test_connection_steps, limits=limits)
    monkeypatch.setattr(transaction_processor, "open_source", opener)
    monkeypatch.setattr(connection_test, "test_connection_steps", tester)


@pytest.fixture(autouse=True)
async def whole_again(lamassu: Any) -> AsyncIterator[None]:
    """The next test finds the embedded Lamassu as it was, whatever this one left."""
    lamassu_postgres._probes_kept.clear()
    yield
    lamassu.ssh.forbid_forwarding = False
    await lamassu.start_pg()
    await lamassu.start_ssh()
    lamassu_postgres._probes_kept.clear()


# ---- the faults -----------------------------------------------------------------------

Breaking = Callable[[Operator], AbstractAsyncContextManager[None]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def reconfigured(**changes: Any) -> Breaking:
    """A wrong setting, and the right one again."""

    @asynccontextmanager
    async def broken(operator: Operator) -> AsyncIterator[None]:
        given = {name: value() if callable(value) else value for name, value in changes.items()}
        await operator.api("POST", "config", json=operator.connection(**given))
        yield
        await operator.api("POST", "config", json=operator.connection())

    return broken


def far_sql(broken_by: str, repaired_by: str) -> Breaking:
    """Something changes in Lamassu's database."""

    @asynccontextmanager
    async def broken(operator: Operator) -> AsyncIterator[None]:
        await operator.lamassu.execute(broken_by)
        try:
            yield
        finally:
            await operator.lamassu.execute(repaired_by)

    return broken


@asynccontextmanager
async def ssh_stopped(operator: Operator) -> AsyncIterator[None]:
    await operator.lamassu.stop_ssh()
    yield
    await operator.lamassu.start_ssh()


@asynccontextmanager
async def ssh_silent(operator: Operator) -> AsyncIterator[None]:
    await operator.lamassu.go_silent()
    yield
    await operator.lamassu.start_ssh()


@asynccontextmanager
async def host_key_changed(operator: Operator) -> AsyncIterator[None]:
    await operator.lamassu.rotate_host_key()
    logins = operator.lamassu.ssh.login_attempts
    yield
    # Nobody accepted that server yet, so no login was tried on it (peer.md h).
    assert operator.lamassu.ssh.login_attempts == logins
    await accept_shown_key(operator)


@asynccontextmanager
async def host_key_not_accepted(operator: Operator) -> AsyncIterator[None]:
    body = operator.connection(ssh_host="localhost")
    del body["ssh_host_key"]
    await operator.api("POST", "config", json=body)
    logins = operator.lamassu.ssh.login_attempts
    yield
    assert operator.lamassu.ssh.login_attempts == logins
    await accept_shown_key(operator)


async def accept_shown_key(operator: Operator) -> None:
    shown = await operator.api("GET", "host-key")
    assert shown["ssh_host_key"].split()[:2] == operator.lamassu.ssh_host_key.split()[:2]
    await operator.api("PUT", "host-key", json={"ssh_host_key": shown["ssh_host_key"]})
    if (await operator.api("GET", "halts"))["active"]:
        await operator.resume()  # intake stopped by itself


@asynccontextmanager
async def postgres_stopped(operator: Operator) -> AsyncIterator[None]:
    await operator.lamassu.stop_pg()
    yield
    await operator.lamassu.start_pg()


@asynccontextmanager
async def forwarding_forbidden(operator: Operator) -> AsyncIterator[None]:
    operator.lamassu.ssh.forbid_forwarding = True
    yield
    operator.lamassu.ssh.forbid_forwarding = False


@asynccontextmanager
async def table_locked(operator: Operator) -> AsyncIterator[None]:
    locker = await operator.lamassu.connect_as_owner()
    try:
        async with locker.transaction():
            await locker.execute("LOCK TABLE cash_out_txs IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await locker.close()


@asynccontextmanager
async def cut_in_mid_query(operator: Operator) -> AsyncIterator[None]:
    """Whenever our query waits for the table, the SSH connection dies without a word."""
    lamassu = operator.lamassu
    watcher = await lamassu.connect_as_owner()

    async def cut() -> None:
        while True:
            waiting = await watcher.fetch(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'satmachineadmin'"
                " AND wait_event_type = 'Lock'"
            )
            if waiting:
                await lamassu.drop_connections()
                for row in waiting:
                    await watcher.execute("SELECT pg_terminate_backend($1)", row["pid"])
            await asyncio.sleep(0.01)

    async with table_locked(operator):
        cutter = asyncio.create_task(cut())
        try:
            yield
        finally:
            cutter.cancel()
            with suppress(asyncio.CancelledError):
                await cutter
    await watcher.close()


def another_private_key() -> str:
    return asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()


@dataclass(frozen=True)
class Fault:
    """`words` (a pattern) tell this fault from the others of its code."""

    broken: Breaking
    error: type[errors.SatMachineError]
    words: str
    step: str  # where the connection test ends
    limits: SourceLimits = SHORT
    same_as: str | None = None
    asks_again: bool = False  # the setting names another source, so everything is looked at


FAULTS: dict[str, Fault] = {
    "ssh_stopped": Fault(
        ssh_stopped,
        errors.SourceUnreachable,
        "reaching the SSH server.*Connect call failed",
        "ssh_reached",
    ),
    "refused_port": Fault(
        reconfigured(ssh_port=free_port),
        errors.SourceUnreachable,
        "reaching the SSH server.*Connect call failed",
        "ssh_reached",
        same_as="ssh_stopped",  # nobody listens on that port, which the sentence names
        asks_again=True,
    ),
    "name_does_not_resolve": Fault(
        reconfigured(ssh_host="atm.invalid"),
        errors.SourceUnreachable,
        r"reaching the SSH server \(atm\.invalid",
        "ssh_reached",
        asks_again=True,
    ),
    "ssh_silent": Fault(ssh_silent, errors.SourceTimeout, "No answer in time.*SSH", "ssh_reached"),
    "wrong_key": Fault(
        reconfigured(ssh_private_key=another_private_key),
        errors.SshLoginRefused,
        "SSH server refused the login",
        "ssh_login",
    ),
    "host_key_changed": Fault(
        host_key_changed, errors.HostKeyChanged, "SHA256:.* instead of .*SHA256:", "host_key"
    ),
    "host_key_not_accepted": Fault(
        host_key_not_accepted,
        errors.HostKeyUnknown,
        "ssh-ed25519 SHA256:",
        "host_key",
        asks_again=True,
    ),
    "forwarding_forbidden": Fault(
        forwarding_forbidden, errors.TunnelRefused, "refused the tunnel", "tunnel"
    ),
    "postgres_stopped": Fault(
        postgres_stopped, errors.SourceUnreachable, "opening the SSH tunnel", "tunnel"
    ),
    "wrong_password": Fault(
        reconfigured(password="wrong"),
        errors.SourceLoginRefused,
        "PostgreSQL refused the login",
        "database",
    ),
    "wrong_database": Fault(
        reconfigured(database_name="lamassu_of_yesterday"),
        errors.SourceDatabaseMissing,
        "lamassu_of_yesterday",
        "database",
        asks_again=True,
    ),
    "table_missing": Fault(
        far_sql(
            "ALTER TABLE cash_out_txs RENAME TO moved_away",
            "ALTER TABLE moved_away RENAME TO cash_out_txs",
        ),
        errors.SourceTableMissing,
        r"no table public\.cash_out_txs",
        "table_and_columns",
    ),
    "column_missing": Fault(
        far_sql(
            "ALTER TABLE cash_out_txs RENAME raw_ticker_price TO ticker",
            "ALTER TABLE cash_out_txs RENAME ticker TO raw_ticker_price",
        ),
        errors.SourceColumnMissing,
        "no column raw_ticker_price",
        "table_and_columns",
    ),
    "no_grant": Fault(
        far_sql(
            "REVOKE SELECT (fiat) ON cash_out_txs FROM satmachine_reader",
            "GRANT SELECT (fiat) ON cash_out_txs TO satmachine_reader",
        ),
        errors.SourceGrantMissing,
        r"may not read cash_out_txs\(fiat\)",
        "grants",
    ),
    "table_locked": Fault(table_locked, errors.SourceBusy, "database is busy", "clock_difference"),
    "cut_in_mid_query": Fault(
        cut_in_mid_query,
        errors.SourceConnectionLost,
        "was cut while reading",
        "clock_difference",
        limits=SourceLimits(connect_s=2, login_s=2, query_s=10, lock_s=5, close_s=1, test_s=20),
    ),
}


def is_a_sentence(text: str) -> bool:
    return len(text.split()) >= 4


def secrets_of(operator: Operator) -> list[str]:
    """What must be in no message: whole secrets, and the body of the private key."""
    key_body = operator.lamassu.ssh_private_key.splitlines()[1:-1]
    return [operator.lamassu.password, operator.lamassu.ssh_password, *key_body]


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_named_and_loses_nothing(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """SAT-5, SAT-7, SAT-67, LSP-18: own code, sentence and next step; the sale is paid once."""
    fault = FAULTS[name]
    use_limits(monkeypatch, fault.limits)
    client = await operator.add_client()
    first, second = sample_rows.sale(confirmed_at=ago(minutes=9)), sample_rows.sale()
    await operator.lamassu.insert([first])
    assert (await operator.poll())["transactions_processed"] == 1
    before, balances = await last_success(operator), await operator.balances()
    await operator.lamassu.insert([second])

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(fault.broken(operator))
        poll = await refused_poll(operator)
        test = await operator.api("POST", "test-connection")
        await say_the_same(fault, poll.json(), test)
        assert poll.status_code == fault.error.http_status
        await recorded_as_failed(operator, poll.json())
        assert await last_success(operator) in ((before, None) if fault.asks_again else (before,))
        assert await operator.balances() == balances
        assert not await stored(operator, second["id"])
        told = poll.text + str(test) + str(await operator.api("GET", "status"))
        told += str(await operator.api("GET", "polls"))
        assert not [secret for secret in secrets_of(operator) if secret in told]

    assert (await operator.poll())["transactions_processed"] == 1
    assert "poll_failed" not in await open_alerts(operator)
    assert (await operator.cash_out(second["id"]))["status"] == "completed"
    after = await operator.balances()
    assert (await operator.poll())["transactions_processed"] == 0
    assert await operator.balances() == after
    assert after[client] == markup_split(first)[0] + markup_split(second)[0]
    test = await operator.api("POST", "test-connection")
    assert test["success"] is True, test


async def say_the_same(fault: Fault, poll: dict[str, Any], test: dict[str, Any]) -> None:
    assert (poll["code"], test["code"]) == (fault.error.code, fault.error.code)
    assert test["success"] is False
    assert re.search(fault.words, poll["detail"]), poll["detail"]
    assert re.search(fault.words, test["message"]), test["message"]
    assert poll["hint"]
    assert poll["hint"] == test["hint"]
    ended = [step["name"] for step in test["steps"] if step["ok"] is False]
    assert ended == [fault.step]
    assert [step["name"] for step in test["steps"]] == list(STEP_NAMES)
    reached = STEP_NAMES.index(fault.step)
    assert all(step["ok"] for step in test["steps"][:reached])
    assert all(step["ok"] is None for step in test["steps"][reached + 1 :])
    assert is_a_sentence(poll["detail"]), poll["detail"]


async def recorded_as_failed(operator: Operator, answer: dict[str, Any]) -> None:
    """The poll is on record with the same words, and an alert stands while it fails."""
    newest = (await operator.api("GET", "polls"))["data"][0]
    assert newest["result"] == "failed"
    assert newest["error_code"] == answer["code"]
    assert newest["error_message"] == answer["detail"]
    assert newest["hint"] == answer["hint"]
    status = await operator.api("GET", "status")
    if answer["code"] == "HOST_KEY_CHANGED":
        assert status["state"] == "halted"  # intake, by itself, until it is resumed
    else:
        assert (status["state"], status["state_message"]) == ("failing", answer["detail"])
    (alert,) = (await open_alerts(operator))["poll_failed"]
    assert (alert["message"], alert["hint"]) == (answer["detail"], answer["hint"])


def test_no_two_faults_sound_alike() -> None:
    """Code and words tell each fault from every other one, unless they are one thing."""
    own = {name: (f.error.code, f.words) for name, f in FAULTS.items() if f.same_as is None}
    assert len(set(own.values())) == len(own)
    for name, fault in FAULTS.items():
        if fault.same_as:
            assert (fault.error.code, fault.words) == own[fault.same_as], name


# ---- the host key ---------------------------------------------------------------------


async def test_the_connection_test_says_that_nobody_accepted_the_key(operator: Operator) -> None:
    """SAT-62: the button's answer is a sentence, not a bare fingerprint."""
    async with host_key_not_accepted(operator):
        test = await operator.api("POST", "test-connection")
        assert is_a_sentence(test["message"]), test["message"]


async def test_a_changed_host_key_is_alerted_until_the_operator_accepts_it(
    operator: Operator,
) -> None:
    """An impostor on the same port gets no login and invents no sats (peer.md h)."""
    await operator.poll()
    await operator.lamassu.rotate_host_key()

    answer = (await refused_poll(operator)).json()
    assert answer["code"] == "HOST_KEY_CHANGED"
    (alert,) = (await open_alerts(operator))["host_key_changed"]
    assert alert["severity"] == "critical"
    assert "reinstalled" in alert["hint"]

    await refused_poll(operator)
    (alert,) = (await open_alerts(operator))["host_key_changed"]
    assert alert["times"] == 2  # one condition, one alert (SAT-46)

    await accept_shown_key(operator)
    assert "host_key_changed" not in await open_alerts(operator)
    await operator.poll()
    assert not await open_alerts(operator)


async def test_a_server_that_no_longer_offers_the_pinned_type_is_refused(
    operator: Operator,
) -> None:
    await operator.lamassu.rotate_host_key("ecdsa-sha2-nistp256")
    try:
        answer = (await refused_poll(operator)).json()
        assert answer["code"] == "HOST_KEY_CHANGED"
        assert (await open_alerts(operator))["host_key_changed"]
        await accept_shown_key(operator)
        await operator.poll()
    finally:
        await operator.lamassu.rotate_host_key("ssh-ed25519")


# ---- what is stored goes on ------------------------------------------------------------


async def test_stored_cash_outs_are_settled_while_the_source_is_away(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money work does not wait for the network: what is stored needs no ATM."""
    client = await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    block_outgoing(monkeypatch)
    await operator.poll()
    assert (await operator.cash_out(row["id"]))["status"] == "pending"

    block_outgoing(monkeypatch, False)
    await operator.lamassu.stop_ssh()
    assert (await refused_poll(operator)).json()["code"] == "SOURCE_UNREACHABLE"
    assert (await operator.cash_out(row["id"]))["status"] == "completed"
    assert (await operator.balances())[client] == markup_split(row)[0]
    newest = (await operator.api("GET", "polls"))["data"][0]
    assert newest["result"] == "failed"

    await operator.lamassu.start_ssh()
    assert (await operator.poll())["transactions_processed"] == 0


async def test_a_cut_between_two_hours_keeps_what_was_read(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first hour's sale is stored and paid; the second one comes with the next poll."""
    client = await operator.add_client()
    await operator.poll()
    before = await last_success(operator)
    early = sample_rows.sale(confirmed_at=ago(hours=5))
    late = sample_rows.sale(confirmed_at=ago(hours=2))
    await operator.lamassu.insert([early, late])
    store_rows = observe.store_rows

    async def store_and_cut(*args: Any) -> None:
        await store_rows(*args)
        await operator.lamassu.drop_connections()

    monkeypatch.setattr(transaction_processor, "INTERACTIVE_RETRIES", 0)
    monkeypatch.setattr(observe, "store_rows", store_and_cut)
    assert (await refused_poll(operator)).json()["code"] == "SOURCE_CONNECTION_LOST"
    assert (await operator.cash_out(early["id"]))["status"] == "completed"
    assert not await stored(operator, late["id"])
    assert await last_success(operator) == before

    monkeypatch.setattr(observe, "store_rows", store_rows)
    assert (await operator.poll())["transactions_processed"] == 1
    assert (await operator.balances())[client] == markup_split(early)[0] + markup_split(late)[0]


async def test_the_first_poll_ever_fails(operator: Operator) -> None:
    """Nothing was read yet, so nothing counts as read (peer.md c: null -> now, sale lost)."""
    await operator.add_client()
    row = sample_rows.sale(confirmed_at=ago(hours=30))
    await operator.lamassu.insert([row])
    await operator.lamassu.stop_ssh()
    await refused_poll(operator)
    assert await last_success(operator) is None
    await operator.lamassu.start_ssh()
    assert (await operator.poll())["transactions_processed"] == 1


async def test_passing_trouble_is_tried_again_before_the_operator_is_told(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LSP-18: two more tries for a person; each try is on record (LSP-19)."""
    await operator.add_client()
    await operator.lamassu.insert([sample_rows.sale()])
    tries = 0
    right = transaction_processor.open_source

    @asynccontextmanager
    async def flaky(*args: Any, **more: Any) -> AsyncIterator[Any]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise errors.SourceTimeout("No answer in time while reaching the SSH server")
        async with right(*args, **more) as source:
            yield source

    monkeypatch.setattr(transaction_processor, "open_source", flaky)
    answer = await operator.poll()
    assert (tries, answer["transactions_processed"]) == (3, 1)
    polls = (await operator.api("GET", "polls"))["data"]
    assert [poll["result"] for poll in polls] == ["ok", "failed", "failed"]
    assert not await open_alerts(operator)


async def test_what_needs_a_person_is_not_tried_again(operator: Operator) -> None:
    operator.lamassu.ssh.forbid_forwarding = True
    await refused_poll(operator)
    polls = (await operator.api("GET", "polls"))["data"]
    assert [poll["error_code"] for poll in polls] == ["TUNNEL_REFUSED"]


# ---- what nobody foresaw --------------------------------------------------------------


@pytest.mark.parametrize("where", ["settle", "look"])
async def test_an_error_of_ours_is_told_like_any_other(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """design.md 8: the tick catches broadly. SAT-43, C-SAT-g: the feed is not `live` while nothing
    is paid, and the sale is paid when the error is gone.
    """
    client = await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])

    async def broken(*args: Any, **more: Any) -> Any:
        raise ZeroDivisionError("only for this test")

    with monkeypatch.context() as bug:
        bug.setattr(
            *((settle, "plan_for") if where == "settle" else (observe, "_read_hour")), broken
        )
        with suppress(Exception):
            await transaction_processor.tick("timer")
    newest = (await operator.api("GET", "polls"))["data"][0]
    assert newest["result"] == "failed"
    assert newest["error_message"]
    assert (await operator.api("GET", "status"))["state"] == "failing"
    assert await open_alerts(operator)
    assert (await operator.poll())["transactions_processed"] == 1
    assert (await operator.balances())[client] == markup_split(row)[0]
