"""`make demo`: LNbits, a Lamassu server and an ATM that sells, all set up; Ctrl-C ends it.

`--once` does one round in a fresh folder instead, prints what was paid and checks every sum;
`--drills` causes the runbook's six failures there and follows its steps.
Everything it starts ends with it: on Ctrl-C, on SIGTERM and when any step fails.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from .console import complain, happened, say
from .demo_setup import set_up
from .drills import drills
from .embedded_lamassu import EmbeddedLamassu
from .lnbits_api import ApiRefused, LnbitsApi
from .lnbits_host import LnbitsDidNotStart, LnbitsHost
from .once import one_round
from .shop import keep_shop

DEMO_FOLDER = Path(__file__).resolve().parents[1] / ".demo"
USERNAME = "admin"
RESTARTS_MAX = 5  # within RESTART_WINDOW_S: then something is wrong that a restart does not mend
RESTART_WINDOW_S = 60.0


class DemoCannotStart(Exception):
    """A reason a person can do something about."""


@dataclass(frozen=True)
class Login:
    """The operator's login and LNbits' secret; kept in the folder, so that a restart works."""

    username: str
    password: str
    auth_secret: str

    @classmethod
    def of(cls, folder: Path) -> Login:
        """The folder's own, made on first use."""
        path = folder / "login.json"
        if path.exists():
            return cls(**json.loads(path.read_text()))
        login = cls(USERNAME, secrets.token_urlsafe(12), secrets.token_urlsafe(32))
        draft = path.with_suffix(".draft")  # a kill in between leaves the old file or none
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(login.__dict__, indent=2))
        draft.replace(path)
        return login


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[LnbitsHost, EmbeddedLamassu, LnbitsApi]]:
    """Both servers up and the operator logged in; both down afterwards, whatever happens."""
    login = Login.of(folder)
    host = LnbitsHost(folder / "lnbits", login.auth_secret)
    lamassu = EmbeddedLamassu(folder / "lamassu")
    api = LnbitsApi("")
    try:
        say("starting Lamassu's PostgreSQL and SSH server")
        await lamassu.start()
        say("starting LNbits")
        await host.start()
        api.http.base_url = httpx.URL(host.url)
        try:
            fresh = await api.login(login.username, login.password)
        except ApiRefused as refused:
            raise DemoCannotStart(
                f"{refused}\nThe folder {folder.name} holds another login; remove it to start anew."
            ) from refused
        await api.enable_extension()
        say("LNbits is up, made new" if fresh else "LNbits is up, with its data from last time")
        yield host, lamassu, api
    finally:
        await api.close()
        await host.stop()
        await lamassu.stop()


async def demo(folder: Path) -> int:
    """Run until somebody stops it."""
    async with running(folder) as (host, lamassu, api):
        say("setting up wallets, clients, deposits and the connection")
        operation = await set_up(api, lamassu)
        login = Login.of(folder)
        say("everything is ready")
        print(
            f"\n  Open   {host.url}/satmachineadmin/\n"
            f"  Login  {login.username}\n"
            f"  Pass   {login.password}\n\n"
            "  The ATM sells every few seconds. Ctrl-C stops everything; data stays in .demo\n",
            flush=True,
        )
        tasks = {
            asyncio.create_task(keep_alive(host, api)),
            asyncio.create_task(keep_shop(api, lamassu, operation)),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # neither ends without an error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return 0


async def keep_alive(host: LnbitsHost, api: LnbitsApi) -> None:
    """Start LNbits again when somebody kills it; its data and the login stay."""
    starts: list[float] = []
    while True:
        code = await host.ended()
        starts = [t for t in starts if t > time.monotonic() - RESTART_WINDOW_S]
        if len(starts) >= RESTARTS_MAX:
            raise LnbitsDidNotStart(f"LNbits ended again and again:\n{host.log_end()}")
        starts.append(time.monotonic())
        happened(f"LNbits ended ({_ending(code)}); starting it again")
        await host.start()
        api.http.base_url = httpx.URL(host.url)
        happened(f"LNbits is back at {host.url}")


async def afresh(drilled: bool) -> int:
    """One round, or the runbook's failures, in a fresh folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="satm-demo-"))
    try:
        async with running(folder) as (host, lamassu, api):
            return await (drills(api, lamassu, host.data) if drilled else one_round(api, lamassu))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def guarded(given: argparse.Namespace) -> int:
    """Turn signals into a cancellation, so that every `finally` runs, and errors into sentences."""
    task = asyncio.current_task()
    assert task is not None
    stopping = False

    def interrupt() -> None:
        nonlocal stopping
        if not stopping:  # the stop itself is bounded; a second Ctrl-C changes nothing
            stopping = True
            print(flush=True)
            say("stopping everything")
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt)
    try:
        if given.once or given.drills:
            return await afresh(given.drills)
        with alone(DEMO_FOLDER):
            return await demo(DEMO_FOLDER)
    except asyncio.CancelledError:
        if not stopping:
            raise
        say("stopped")
        return 130 if given.once or given.drills else 0
    except (DemoCannotStart, LnbitsDidNotStart, ApiRefused, httpx.TransportError) as problem:
        complain(f"The demo stopped: {type(problem).__name__}: {problem}")
        return 1


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Only one demo works in a folder; the lock ends with the process, however that ends."""
    folder.mkdir(exist_ok=True)
    with (folder / "demo.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise DemoCannotStart(f"one is running already (process {lock.read()})") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _ending(code: int) -> str:
    with suppress(ValueError):
        return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
    return f"with code {code}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="one round, checked, then end")
    parser.add_argument("--drills", action="store_true", help="the runbook's failures, then end")
    return asyncio.run(guarded(parser.parse_args()))
