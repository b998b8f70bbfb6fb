"""Real far ends for the adapter: PostgreSQL, asyncssh's SSH server and OpenSSH's sshd."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import importlib.util
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

if "satmachineadmin" not in sys.modules and not importlib.util.find_spec("satmachineadmin"):
    # The top-level conftest does this for a whole run; alone, the checkout still needs
    # the name LNbits gives it.
    _extensions = tempfile.mkdtemp(prefix="satm-ext-")
    os.symlink(Path(__file__).parents[2], f"{_extensions}/satmachineadmin")
    sys.path.insert(0, _extensions)

from satmachineadmin.adapters import lamassu_postgres
from satmachineadmin.adapters.source_settings import SourceLimits, SourceSettings
from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu, sample_settings

SSHD = "/usr/sbin/sshd"
_PRIVILEGE_FOLDER = Path("/run/sshd")  # sshd insists on it when it runs as root
_START_TIMEOUT_S = 10.0


class OpenSshd:
    """OpenSSH's own server in the foreground on a free port, for the current user."""

    def __init__(self, folder: Path, lamassu: EmbeddedLamassu):
        self.folder = folder
        self.username = getpass.getuser()
        self.port = 0
        self.host_key = ""
        self._lamassu = lamassu
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, options: str = "", config: str = "") -> None:
        """`options` go before the key in authorized_keys, `config` into sshd_config."""
        lamassu = self._lamassu
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = key.export_public_key().decode()
        host_key = self.folder / "host_key"
        host_key.write_bytes(key.export_private_key())
        host_key.chmod(0o600)
        public = lamassu.ssh.client_key.export_public_key().decode()
        (self.folder / "authorized_keys").write_text(f"{options} {public}".lstrip())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        lines = [
            *(f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {host_key}"),
            *(f"AuthorizedKeysFile {self.folder}/authorized_keys", "PidFile none"),
            *("UsePAM no", "StrictModes no", "PasswordAuthentication no"),
            *("KbdInteractiveAuthentication no", "LogLevel QUIET", config),
        ]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            _PRIVILEGE_FOLDER.mkdir(mode=0o755, exist_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            *(SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")),
            stderr=asyncio.subprocess.DEVNULL,
        )
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT_S
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return

    async def stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await self._process.wait()
            self._process = None

    def settings(self, base: SourceSettings) -> SourceSettings:
        return replace(
            base,
            ssh_port=self.port,
            ssh_username=self.username,
            ssh_host_key=self.host_key,
        )


def require_sshd() -> None:
    """Skip where OpenSSH's server is missing; in CI that is a failure."""
    if Path(SSHD).exists():
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{SSHD} is missing: the contract must run against OpenSSH in CI")
    pytest.skip(f"{SSHD} is not installed")


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """Short, because unix socket paths are limited to 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="sl-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def own_tempdir(short_folder: Path) -> Iterator[None]:
    """What other processes leave in the common one is none of our tests' business."""
    before, tempfile.tempdir = tempfile.tempdir, str(short_folder / "t")
    (short_folder / "t").mkdir(mode=0o777)
    (short_folder / "t").chmod(0o777)
    yield
    tempfile.tempdir = before


@pytest.fixture(scope="session")
async def shared_lamassu(short_folder: Path) -> AsyncIterator[EmbeddedLamassu]:
    async with EmbeddedLamassu(short_folder / "lamassu") as lamassu:
        yield lamassu


@pytest.fixture(scope="session")
async def shared_sshd(
    short_folder: Path, shared_lamassu: EmbeddedLamassu
) -> AsyncIterator[OpenSshd]:
    require_sshd()
    folder = short_folder / "sshd"
    folder.mkdir()
    sshd = OpenSshd(folder, shared_lamassu)
    await sshd.start()
    yield sshd
    await sshd.stop()


@pytest.fixture
async def lamassu(shared_lamassu: EmbeddedLamassu) -> EmbeddedLamassu:
    """The embedded Lamassu without sales and with every lever at rest."""
    shared_lamassu.ssh.forbid_forwarding = False
    shared_lamassu.ssh.allow_password = False
    shared_lamassu.ssh.delay_s = 0.0
    await shared_lamassu.start_pg()
    await shared_lamassu.start_ssh()
    await shared_lamassu.empty()
    lamassu_postgres._probes_kept.clear()
    return shared_lamassu


@pytest.fixture
def settings(lamassu: EmbeddedLamassu) -> SourceSettings:
    """Through asyncssh's server to TCP: the plain way."""
    return SourceSettings(**sample_settings(lamassu))


@pytest.fixture(
    params=[
        *("asyncssh-tcp", "asyncssh-socket", "openssh-tcp", "openssh-socket"),
        *("direct-tcp", "direct-socket"),
    ]
)
def any_way(
    request: pytest.FixtureRequest, lamassu: EmbeddedLamassu, settings: SourceSettings
) -> SourceSettings:
    """Every way to the same rows."""
    server, end = request.param.split("-")
    found = settings
    if server == "openssh":
        sshd: Any = request.getfixturevalue("shared_sshd")
        found = sshd.settings(found)
    if server == "direct":
        found = replace(found, use_ssh_tunnel=False)
    if end == "socket":
        found = replace(found, host=lamassu.pg_socket_dir, password="")
    return found


@pytest.fixture
def limits() -> SourceLimits:
    """Short, so that the faults are quick; the defaults are the product's."""
    return SourceLimits(connect_s=2, login_s=1, query_s=2, lock_s=0.3, close_s=1, test_s=10)
