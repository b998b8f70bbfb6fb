"""The way to the ATM's database: SSH connect, SSH login, tunnel, query."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncssh
from satmachineadmin.adapters.source_settings import SourceLimits
from satmachineadmin.dev import embedded_ssh, sample_rows

from .fault_bench import Bench, Outcome, check, meanwhile, patched, until
from .fault_cells import Must, drill, fault, scene
from .fault_relay import Fault

CONNECT, LOGIN, TUNNEL, QUERY = "SSH connect", "SSH login", "tunnel", "query"
FAR_PATIENCE = SourceLimits(connect_s=2, login_s=2, query_s=5, lock_s=5, close_s=0.5, test_s=20)
# What an SSH server has sent when the keys are exchanged and the login begins.
KEYS_EXCHANGED = 1500
A_SENTENCE = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


def is_broken(error: str, **more: Any) -> Must:
    """The usual outcome of a source that cannot be read."""
    return Must(error=error, **more)


# ---- SSH connect -------------------------------------------------------------------------------


@fault(CONNECT, "refused", is_broken("SOURCE_UNREACHABLE"))
async def connect_refused(bench: Bench) -> AsyncIterator[None]:
    """nobody listens on the SSH port"""
    await bench.ssh.close()
    yield
    await bench.ssh.open()


@fault(CONNECT, "silent", is_broken("SOURCE_TIMEOUT"))
async def connect_silent(bench: Bench) -> AsyncIterator[None]:
    """the port takes the connection and never says a word"""
    bench.ssh.fault = Fault(silent_after=0)
    yield
    await bench.ssh.open()


@fault(CONNECT, "slow", is_broken("SOURCE_TIMEOUT"))
async def connect_slow(bench: Bench) -> AsyncIterator[None]:
    """every piece of the key exchange comes later than the login may take"""
    bench.ssh.fault = Fault(delay_s=1.5)
    yield
    await bench.ssh.open()


@fault(CONNECT, "cut half way", is_broken("SOURCE_CONNECTION_LOST"))
async def connect_cut(bench: Bench) -> AsyncIterator[None]:
    """the line is cut in the middle of the key exchange"""
    bench.ssh.fault = Fault(cut_after=400)
    yield
    await bench.ssh.open()


@fault(CONNECT, "wrong data", is_broken("SOURCE_CONNECTION_LOST"))
async def connect_wrong(bench: Bench) -> AsyncIterator[None]:
    """a web server answers on the SSH port"""
    bench.ssh.fault = Fault(instead=A_SENTENCE)
    yield
    await bench.ssh.open()


@fault(CONNECT, "duplicate", is_broken("SOURCE_ANSWER_UNUSABLE"))
async def connect_twice(bench: Bench) -> AsyncIterator[None]:
    """the server's first words arrive twice"""
    bench.ssh.fault = Fault(double_after=0)
    yield
    await bench.ssh.open()


@fault(CONNECT, "locked", is_broken("SOURCE_CONNECTION_LOST"))
async def connect_locked(bench: Bench) -> AsyncIterator[None]:
    """the server hangs up before its first word, as sshd does beyond MaxStartups"""
    bench.ssh.fault = Fault(hang_up=True)
    yield
    await bench.ssh.open()


@fault(CONNECT, "full", is_broken("SOURCE_TIMEOUT"))
async def connect_full(bench: Bench) -> AsyncIterator[None]:
    """the far queue of connections is full, so the kernel drops every new one"""
    await bench.ssh.close()
    crowd: list[socket.socket] = []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", bench.ssh.port))
        listener.listen(0)
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", bench.ssh.port))
            crowd.append(one)
        yield
        for one in crowd:
            one.close()
    await bench.ssh.open()


# ---- SSH login ---------------------------------------------------------------------------------


@fault(LOGIN, "refused", is_broken("SSH_LOGIN_REFUSED"))
async def login_refused(bench: Bench) -> AsyncIterator[None]:
    """the server no longer accepts the key"""
    with patched(embedded_ssh._Server, "validate_public_key", lambda *_: False):
        yield


@fault(LOGIN, "silent", is_broken("SOURCE_TIMEOUT"))
async def login_silent(bench: Bench) -> AsyncIterator[None]:
    """the server never answers the login"""
    bench.lamassu.ssh.delay_s = 3600
    yield
    bench.lamassu.ssh.delay_s = 0
    await bench.lamassu.drop_connections()


@fault(LOGIN, "slow", is_broken("SOURCE_TIMEOUT"))
async def login_slow(bench: Bench) -> AsyncIterator[None]:
    """the server answers the login, later than the limit"""
    bench.lamassu.ssh.delay_s = 1.3
    yield
    bench.lamassu.ssh.delay_s = 0


@fault(LOGIN, "cut half way", is_broken("SOURCE_CONNECTION_LOST"))
async def login_cut(bench: Bench) -> AsyncIterator[None]:
    """the line is cut while the login waits for its answer"""
    ssh = bench.lamassu.ssh
    begun, ssh.delay_s = ssh.login_attempts, 5

    async def cut() -> None:
        await until(lambda: ssh.login_attempts > begun, "a login", 30)
        await bench.ssh.cut()

    async with meanwhile(cut()):
        yield
    ssh.delay_s = 0


@fault(LOGIN, "wrong data", is_broken("SOURCE_ANSWER_UNUSABLE"))
async def login_wrong(bench: Bench) -> AsyncIterator[None]:
    """one bit of the encrypted login is another one on arrival"""
    bench.ssh.fault = Fault(garble_after=KEYS_EXCHANGED)
    yield
    await bench.ssh.open()


@fault(LOGIN, "duplicate", is_broken("SOURCE_ANSWER_UNUSABLE"))
async def login_twice(bench: Bench) -> AsyncIterator[None]:
    """a piece of the encrypted login arrives twice"""
    bench.ssh.fault = Fault(double_after=KEYS_EXCHANGED)
    yield
    await bench.ssh.open()


async def _disconnecting(error: asyncssh.DisconnectError) -> bool:
    raise error


@fault(LOGIN, "locked", is_broken("SSH_LOGIN_REFUSED"))
async def login_locked(bench: Bench) -> AsyncIterator[None]:
    """the server says that too many logins failed and hangs up, as sshd does"""
    error = asyncssh.ProtocolError("Too many authentication failures")
    with patched(embedded_ssh._Server, "begin_auth", lambda *_: _disconnecting(error)):
        yield


@fault(LOGIN, "full", is_broken("SOURCE_CONNECTION_LOST"))
async def login_full(bench: Bench) -> AsyncIterator[None]:
    """the server has too many logins and says so"""
    error = asyncssh.DisconnectError(asyncssh.DISC_TOO_MANY_CONNECTIONS, "too many connections")
    with patched(embedded_ssh._Server, "begin_auth", lambda *_: _disconnecting(error)):
        yield


# ---- tunnel ------------------------------------------------------------------------------------


@fault(TUNNEL, "refused", is_broken("TUNNEL_REFUSED"))
async def tunnel_refused(bench: Bench) -> AsyncIterator[None]:
    """the SSH server forbids the forward"""
    bench.lamassu.ssh.forbid_forwarding = True
    yield
    bench.lamassu.ssh.forbid_forwarding = False


@fault(TUNNEL, "silent", is_broken("SOURCE_TIMEOUT"))
async def tunnel_silent(bench: Bench) -> AsyncIterator[None]:
    """the far end of the tunnel is open and never says a word"""
    bench.far.fault = Fault(silent_after=0)
    yield
    await bench.far.open()


@fault(TUNNEL, "slow", is_broken("SOURCE_TIMEOUT"))
async def tunnel_slow(bench: Bench) -> AsyncIterator[None]:
    """PostgreSQL's login comes through the tunnel later than the limit"""
    bench.far.fault = Fault(delay_s=1.3)
    yield
    await bench.far.open()


@fault(TUNNEL, "cut half way", is_broken("SOURCE_CONNECTION_LOST"))
async def tunnel_cut(bench: Bench) -> AsyncIterator[None]:
    """the tunnel is cut in the middle of PostgreSQL's login"""
    bench.far.fault = Fault(cut_after=40)
    yield
    await bench.far.open()


@fault(TUNNEL, "wrong data", is_broken("SOURCE_CONNECTION_LOST"))
async def tunnel_wrong(bench: Bench) -> AsyncIterator[None]:
    """a web server answers at the far end of the tunnel"""
    bench.far.fault = Fault(instead=A_SENTENCE)
    yield
    await bench.far.open()


@fault(TUNNEL, "duplicate", is_broken("SOURCE_ANSWER_UNUSABLE"))
async def tunnel_twice(bench: Bench) -> AsyncIterator[None]:
    """a piece of PostgreSQL's login comes twice through the tunnel"""
    bench.far.fault = Fault(double_after=0)
    yield
    await bench.far.open()


@fault(TUNNEL, "locked", is_broken("SOURCE_UNREACHABLE"))
async def tunnel_locked(bench: Bench) -> AsyncIterator[None]:
    """our side may not make its private folder: the place for temporary files is closed"""
    with patched(tempfile, "tempdir", "/proc/closed"):
        yield


@fault(TUNNEL, "full", is_broken("SOURCE_BUSY"))
async def tunnel_full(bench: Bench) -> AsyncIterator[None]:
    """the SSH server has no channel left for the forward"""

    def none_left(*_: Any) -> None:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "no more channels")

    with patched(embedded_ssh._Server, "_refuse_unless", none_left):
        yield


# ---- query -------------------------------------------------------------------------------------


@fault(QUERY, "refused", is_broken("SOURCE_GRANT_MISSING"))
async def query_refused(bench: Bench) -> AsyncIterator[None]:
    """the role may no longer read one of the columns"""
    await bench.lamassu.execute("REVOKE SELECT (fiat) ON cash_out_txs FROM satmachine_reader")
    yield
    await bench.lamassu.execute("GRANT SELECT (fiat) ON cash_out_txs TO satmachine_reader")


async def _locked_table(bench: Bench, meet: Any) -> None:
    """Hold the table, and do something to whoever waits for it."""
    holder = await bench.lamassu.connect_as_owner()
    watcher = await bench.lamassu.connect_as_owner()
    try:
        await holder.execute("BEGIN; LOCK TABLE cash_out_txs IN ACCESS EXCLUSIVE MODE")
        while True:
            waiting = await watcher.fetch(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'satmachineadmin'"
                " AND wait_event_type = 'Lock'"
            )
            if waiting:
                await meet(watcher, [row["pid"] for row in waiting])
            await asyncio.sleep(0.01)
    finally:
        holder.terminate()
        watcher.terminate()


@fault(QUERY, "silent", is_broken("SOURCE_TIMEOUT"))
async def query_silent(bench: Bench) -> AsyncIterator[None]:
    """the line goes dead while the query runs, and nobody hangs up"""
    bench.limits = replace(FAR_PATIENCE, query_s=0.7, lock_s=0.5)

    async def go_silent(*_: Any) -> None:
        bench.ssh.fault = Fault(silent_after=0)

    async with meanwhile(_locked_table(bench, go_silent)):
        await asyncio.sleep(0.1)
        yield
    await bench.ssh.open()


@fault(QUERY, "slow", is_broken("SOURCE_TIMEOUT"))
async def query_slow(bench: Bench) -> AsyncIterator[None]:
    """the query takes longer than the limit given to the server"""
    await bench.lamassu.execute("ALTER TABLE cash_out_txs RENAME TO slow_txs")
    await bench.lamassu.execute(
        "CREATE VIEW cash_out_txs AS SELECT t.* FROM slow_txs t, (SELECT pg_sleep(9)) s"
    )
    await bench.lamassu.execute("GRANT SELECT ON cash_out_txs TO satmachine_reader")
    yield
    await bench.lamassu.execute("DROP VIEW cash_out_txs")
    await bench.lamassu.execute("ALTER TABLE slow_txs RENAME TO cash_out_txs")


@fault(QUERY, "cut half way", is_broken("SOURCE_CONNECTION_LOST"))
async def query_cut(bench: Bench) -> AsyncIterator[None]:
    """the line is cut while the query runs"""
    bench.limits = FAR_PATIENCE

    async def cut(watcher: Any, pids: list[int]) -> None:
        await bench.ssh.cut()
        for pid in pids:
            await watcher.execute("SELECT pg_terminate_backend($1)", pid)

    async with meanwhile(_locked_table(bench, cut)):
        await asyncio.sleep(0.1)
        yield


@fault(QUERY, "locked", is_broken("SOURCE_BUSY"))
async def query_locked(bench: Bench) -> AsyncIterator[None]:
    """another session holds the table, as an upgrade of Lamassu does"""

    async def wait(*_: Any) -> None:
        return None

    async with meanwhile(_locked_table(bench, wait)):
        await asyncio.sleep(0.1)
        yield


@fault(QUERY, "full", is_broken("SOURCE_BUSY"))
async def query_full(bench: Bench) -> AsyncIterator[None]:
    """every connection that the role may have is taken"""
    await bench.lamassu.execute("ALTER ROLE satmachine_reader CONNECTION LIMIT 0")
    yield
    await bench.lamassu.execute("ALTER ROLE satmachine_reader CONNECTION LIMIT 5")


@scene(QUERY, "wrong data")
async def query_wrong(bench: Bench) -> Outcome:
    """a row with a fraction of a cent lies beside the good one"""
    poisoned = sample_rows.fiat_beyond_minor_units()
    await bench.lamassu.insert([poisoned])
    error = await bench.attempt()
    check(error is None, f"the poisoned row stopped the others: {error!r}")
    found = await bench.operator.cash_out(poisoned["id"])
    outcome = Outcome(sale=await bench.state(), alerts=await bench.alerts())
    outcome.notes = [f"the other row is {found['status']} ({found['hold_code']})"]
    await bench.paid_once()
    outcome.recovery = "not needed; the operator processes or skips the held row"
    return outcome


@scene(QUERY, "duplicate")
async def query_twice(bench: Bench) -> Outcome:
    """every row comes twice in one answer, as from a view with a careless join"""

    async def doubled(bench: Bench) -> AsyncIterator[None]:
        await bench.lamassu.execute("ALTER TABLE cash_out_txs RENAME TO once_txs")
        await bench.lamassu.execute(
            "CREATE VIEW cash_out_txs AS SELECT * FROM once_txs UNION ALL SELECT * FROM once_txs"
        )
        await bench.lamassu.execute("GRANT SELECT ON cash_out_txs TO satmachine_reader")
        yield
        await bench.lamassu.execute("DROP VIEW cash_out_txs")
        await bench.lamassu.execute("ALTER TABLE once_txs RENAME TO cash_out_txs")

    from contextlib import asynccontextmanager

    must = Must("none", "completed", "none", moves=True)
    return await drill(bench, asynccontextmanager(doubled), must)
