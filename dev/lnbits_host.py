"""A real LNbits as a process of its own, in one folder, with this checkout as its extension.

It listens on 127.0.0.1 only, keeps its SQLite files and its log in the folder, and holds a lock
file as long as it lives: after the demo was killed, the next start finds it by that lock and ends
it, and never any other program that has its old process id.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

import httpx

PREFERRED_PORT = 5000
START_TIMEOUT_S = 60.0  # a cold disk on a small machine; usually 3 to 5 s
STOP_TIMEOUT_S = 3.0  # in mid-start it does not listen; nothing of ours is half written
EXTENSION = "satmachineadmin"

_CHECKOUT = Path(__file__).resolve().parents[1]
_FOREIGN = ("LNBITS_", "AUTH_", "SUPER_USER", "FIRST_INSTALL", "PYTHONPATH")


class LnbitsDidNotStart(Exception):
    """LNbits ended or stayed silent; the message carries the end of its log."""


class LnbitsHost:
    """Start with `await start()`, end with `await stop()`; `url` is valid after the start.

    `prefers`: the port where nobody else is, 0 for any: tests of several checkouts run at once.
    """

    def __init__(self, folder: Path, auth_secret: str, *, prefers: int = PREFERRED_PORT):
        self.folder = folder
        self.log = folder / "lnbits.log"
        self.port = 0
        self._auth_secret = auth_secret
        self._prefers = prefers
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Where LNbits keeps its databases."""
        return self.folder / "data"

    async def start(self) -> None:
        """Be up and answering; the port stays the same over restarts."""
        data, extensions = self.data, self.folder / "extensions"
        data.mkdir(parents=True, exist_ok=True)
        extensions.mkdir(exist_ok=True)
        link = extensions / EXTENSION
        link.unlink(missing_ok=True)
        link.symlink_to(_CHECKOUT, target_is_directory=True)
        with (self.folder / "lnbits.lock").open("a+") as lock:
            await _end_leftover(lock)
            self.port = _port_or_another(self.port or self._prefers)
            with self.log.open("wb") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "uvicorn", "lnbits.__main__:app"),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                    # An open page holds a websocket: do not wait for it at the end.
                    *("--timeout-graceful-shutdown", "1", "--log-level", "warning"),
                    cwd=_site_packages(),
                    env=self._environment(data),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock.fileno(),),  # held by LNbits from now on
                    start_new_session=True,  # Ctrl-C is ours to handle, in the right order
                )
            lock.write(str(self._process.pid))
        await self._wait_until_ready()

    async def stop(self) -> None:
        """End it; it gets a few seconds to close its databases."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()

    async def ended(self) -> int:
        """Wait until LNbits ends by itself or by somebody else's hand; its return code."""
        if self._process is None:
            raise RuntimeError("LNbits is not running")
        return await self._process.wait()

    def log_end(self, lines: int = 25) -> str:
        """The last lines LNbits wrote."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _environment(self, data: Path) -> dict[str, str]:
        ours = {
            "LNBITS_DATA_FOLDER": str(data),
            "LNBITS_EXTENSIONS_PATH": str(self.folder),
            "LNBITS_BACKEND_WALLET_CLASS": "FakeWallet",
            "LNBITS_ADMIN_UI": "true",
            "LNBITS_EXTENSIONS_DEFAULT_INSTALL": json.dumps([]),
            "LNBITS_RATE_LIMIT_NO": "100000",  # the demo's own calls come from one address
            "AUTH_SECRET_KEY": self._auth_secret,
            "AUTH_HTTPS_ONLY": "false",  # plain http on 127.0.0.1
            "ENABLE_LOG_TO_FILE": "false",
            "PYTHONUNBUFFERED": "1",
        }
        inherited = {k: v for k, v in os.environ.items() if not k.upper().startswith(_FOREIGN)}
        return {**inherited, **ours}

    async def _wait_until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        async with httpx.AsyncClient(base_url=self.url, timeout=5) as client:
            while True:
                try:
                    await client.get("/api/v1/health")
                    return
                except httpx.TransportError:
                    pass
                gone = self._process is None or self._process.returncode is not None
                if gone or asyncio.get_running_loop().time() > deadline:
                    raise LnbitsDidNotStart(f"LNbits did not start:\n{self.log_end()}")
                await asyncio.sleep(0.1)


def _site_packages() -> Path:
    """LNbits finds its templates and static files relative to the current folder."""
    found = importlib.util.find_spec("lnbits")
    if found is None or not found.submodule_search_locations:
        raise LnbitsDidNotStart("LNbits is not installed in this environment")
    return Path(found.submodule_search_locations[0]).parent


async def _end_leftover(lock: IO[str]) -> None:
    """Kill the LNbits of a demo that was killed: whoever still holds the lock wrote its id in."""
    started = asyncio.get_running_loop().time()
    while not _locked(lock):
        waited = asyncio.get_running_loop().time() - started
        lock.seek(0)
        pid = lock.read().strip()
        if not pid or waited > 2 * STOP_TIMEOUT_S:
            raise LnbitsDidNotStart(f"an earlier LNbits still runs in this folder (process {pid})")
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGTERM if waited < STOP_TIMEOUT_S else signal.SIGKILL)
        await asyncio.sleep(0.1)
    lock.truncate(0)  # the next id is written when its process is there


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _port_or_another(wanted: int) -> int:
    """`wanted` if nobody listens there, else a free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")
