"""SSH to the Lamassu server: the pinned host key, the login and the tunnel.

Nothing is taken from the machine we run on: no ssh_config, no known_hosts, no agent, no
default keys, no environment. Invariant: without a matching pinned host key no login is
attempted, so no secret ever reaches a server that nobody accepted.
asyncssh is no part of LNbits and imported only here, lazily.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import (
    BadInput,
    DependencyMissing,
    HostKeyChanged,
    HostKeyUnknown,
    NotConfigured,
    SatMachineError,
    SourceUnreachable,
    SshKeyUnusable,
    SshPassphraseWrong,
)
from .source_errors import Stage, translate, translating
from .source_settings import DEFAULT_LIMITS, SourceLimits, SourceSettings

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection, SSHKey

# asyncpg derives the socket's name from a port; the number itself means nothing here.
LOCAL_PORT = 5432
_SOCKET_NAME = f".s.PGSQL.{LOCAL_PORT}"
_SOCKET_PATH_MAX = 103  # sun_path of macOS, without NUL; Linux takes 107
_KEEPALIVE_S = 15  # a dead uplink is noticed after three of them
_KEEPALIVE_MISSED_MAX = 3
# Signature algorithms per type of host key. Keys are asked for in this order, and a
# pinned key allows those of its own type only, so that a server that no longer offers
# the type is refused like one with another key. SHA-1 ("ssh-rsa") is never accepted.
_HOST_KEY_ALGORITHMS: dict[str, tuple[str, ...]] = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}


class HostKey(NamedTuple):
    """A server's public key; `public_line` is what is stored as the pin."""

    key_type: str
    fingerprint_sha256: str
    public_line: str

    @property
    def facts(self) -> dict[str, str]:
        return {
            "key_type": self.key_type,
            "fingerprint": self.fingerprint_sha256,
            "public_key": self.public_line,
        }


def require_asyncssh() -> ModuleType:
    """asyncssh, or DependencyMissing with the command that installs it."""
    try:
        import asyncssh
    except ImportError as exc:
        raise DependencyMissing(
            "The Python package asyncssh is not installed",
            hint="Run `pip install asyncssh` in LNbits' environment and restart LNbits.",
        ) from exc
    return asyncssh


def validate_private_key(text: str, passphrase: str | None) -> None:
    """Raise SshKeyUnusable or SshPassphraseWrong before such a key is saved."""
    _load_private_key(text, passphrase)


def parse_host_key(line: str) -> HostKey:
    """Read a public key line ("ssh-ed25519 AAAA… [comment]", or one of ssh-keyscan).

    Raises BadInput if it is none or of a type we do not accept.
    """
    asyncssh = require_asyncssh()
    fields = line.split()
    start = next((i for i, f in enumerate(fields) if f in _HOST_KEY_ALGORITHMS), None)
    if start is None or len(fields) < start + 2:
        raise BadInput(
            "This is not an SSH host key we can accept",
            hint="Paste one line such as `ssh-ed25519 AAAA…` (ed25519, ecdsa or rsa).",
        )
    try:
        key = asyncssh.import_public_key(" ".join(fields[start : start + 2]))
    except asyncssh.KeyImportError as exc:
        raise BadInput(
            "This SSH host key does not parse", hint="Paste the whole line again."
        ) from exc
    return _host_key(key)


async def fetch_host_key(
    settings: SourceSettings,
    *,
    key_type: str | None = None,
    limits: SourceLimits = DEFAULT_LIMITS,
) -> HostKey:
    """Ask the server for its key, without logging in: ed25519, then ecdsa, then rsa.

    Raises HostKeyChanged if only `key_type` is wanted and the server has none of it.
    """
    asyncssh = require_asyncssh()
    wanted = [key_type] if key_type else list(_HOST_KEY_ALGORITHMS)
    algorithms = [name for kind in wanted for name in _HOST_KEY_ALGORITHMS[kind]]
    host = _ssh_host(settings)
    with translating(Stage.SSH_CONNECT, settings.ssh_place):
        try:
            key = await asyncio.wait_for(
                asyncssh.get_server_host_key(
                    host,
                    settings.ssh_port,
                    server_host_key_algs=algorithms,
                    proxy_command=None,
                    tunnel=None,
                    config=None,
                ),
                limits.connect_s,
            )
        except asyncssh.KeyExchangeFailed as exc:
            if key_type and _type_not_offered(exc):
                raise _no_longer_offered(settings, key_type) from exc
            raise
        return _host_key(key)


@asynccontextmanager
async def ssh_connection(
    settings: SourceSettings, limits: SourceLimits
) -> AsyncIterator[SSHClientConnection]:
    """A logged-in connection; closed, at the worst aborted, when the block ends."""
    connection = await _connect(settings, limits)
    try:
        yield connection
    finally:
        connection.close()
        try:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(connection.wait_closed(), limits.close_s)
        finally:
            connection.abort()  # nothing is left to do if it closed politely


@asynccontextmanager
async def tunnel(
    connection: SSHClientConnection,
    settings: SourceSettings,
    limits: SourceLimits,
) -> AsyncIterator[str]:
    """Forward a unix socket in a private folder to the far PostgreSQL; yields the folder.

    A socket in a 0700 folder, never an open local port: no other user of this machine can
    use the tunnel. The folder is removed however the block ends.
    """
    folder = _private_folder()
    try:
        path = f"{folder}/{_SOCKET_NAME}"
        with translating(Stage.TUNNEL, settings.database_place):
            if settings.by_socket:
                listener = await connection.forward_local_path(path, settings.socket_path)
            else:
                listener = await connection.forward_local_path_to_port(
                    path, settings.host, settings.port
                )
        try:
            yield folder
        finally:
            listener.close()
            with suppress(asyncio.TimeoutError):
                # From Python 3.12 on it waits for the last forwarded byte.
                await asyncio.wait_for(listener.wait_closed(), limits.close_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def probe_tunnel(
    connection: SSHClientConnection,
    settings: SourceSettings,
    limits: SourceLimits,
) -> None:
    """Open the forward once and hang up: raises why the server does not let us through.

    The forwarder itself only closes the local socket, which tells nothing.
    """
    with translating(Stage.TUNNEL, settings.database_place):
        if settings.by_socket:
            opening = connection.open_unix_connection(settings.socket_path)
        else:
            opening = connection.open_connection(settings.host, settings.port)
        _, writer = await asyncio.wait_for(opening, limits.connect_s)
        writer.close()


async def _connect(settings: SourceSettings, limits: SourceLimits) -> SSHClientConnection:
    """Prove the server, then log in. Raises HostKeyUnknown, HostKeyChanged, Ssh*…"""
    asyncssh = require_asyncssh()
    pinned = await _pinned_key(settings, limits)
    login = _login_options(settings)
    shown: list[HostKey] = []

    class Client(asyncssh.SSHClient):  # type: ignore[name-defined, misc]
        """Sees the key that the server shows before anything is sent to it."""

        def validate_host_public_key(self, host: str, addr: str, port: int, key: SSHKey) -> bool:
            shown.append(_host_key(key))
            return shown[-1].public_line == pinned.public_line

    try:
        connection = await asyncio.wait_for(
            asyncssh.connect(
                _ssh_host(settings),
                settings.ssh_port,
                client_factory=Client,
                # Explicit and empty: only the comparison above decides.
                known_hosts=([], [], []),
                server_host_key_algs=list(_HOST_KEY_ALGORITHMS[pinned.key_type]),
                login_timeout=limits.login_s,
                **login,
                **_nothing_from_this_machine(),
            ),
            limits.connect_s + limits.login_s,
        )
    except SatMachineError:
        raise
    except Exception as exc:  # the border: see source_errors.translating
        if isinstance(exc, asyncssh.KeyExchangeFailed) and _type_not_offered(exc):
            raise _no_longer_offered(settings, pinned.key_type) from exc
        if shown and shown[-1].public_line != pinned.public_line:
            raise _changed(settings, pinned, shown[-1]) from exc
        stage = Stage.SSH_LOGIN if shown else Stage.SSH_CONNECT
        raise translate(exc, stage, settings.ssh_place) from exc
    return connection  # type: ignore[no-any-return]


def _nothing_from_this_machine() -> dict[str, Any]:
    """asyncssh options that would otherwise be read from files or the environment."""
    return {
        "config": None,
        "proxy_command": None,
        "tunnel": None,
        "agent_path": None,
        "agent_forwarding": False,
        "host_based_auth": False,
        "gss_host": None,
        "gss_auth": False,
        "gss_kex": False,
        "pkcs11_provider": None,
        "client_certs": (),
        "x509_trusted_certs": None,
        "x509_trusted_cert_paths": None,
        "compression_algs": ["none"],
        "keepalive_interval": _KEEPALIVE_S,
        "keepalive_count_max": _KEEPALIVE_MISSED_MAX,
    }


def _login_options(settings: SourceSettings) -> dict[str, Any]:
    """User and secrets, each method only if its secret was saved."""
    if not settings.ssh_username:
        raise NotConfigured("No SSH user is set", hint="Enter the user of the SSH server.")
    methods, keys = [], []
    if settings.ssh_private_key:
        keys = [_load_private_key(settings.ssh_private_key, settings.ssh_key_passphrase)]
        methods.append("publickey")
    if settings.ssh_password:
        methods += ["password", "keyboard-interactive"]
    if not methods:
        raise NotConfigured(
            "Neither an SSH private key nor an SSH password is saved",
            hint="Paste the private key that the SSH server accepts.",
        )
    return {
        "username": settings.ssh_username,
        "client_username": settings.ssh_username,  # not the name of our own process
        "client_keys": keys or None,
        "password": settings.ssh_password,
        "preferred_auth": methods,
    }


def _load_private_key(text: str, passphrase: str | None) -> SSHKey:
    asyncssh = require_asyncssh()
    # Browsers and Windows editors add carriage returns and indentation.
    tidy = "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"
    try:
        key: SSHKey = asyncssh.import_private_key(tidy, passphrase or None)
        return key
    except asyncssh.KeyImportError as exc:
        if "assphrase must be" in str(exc):
            raise SshPassphraseWrong("This SSH private key has a passphrase") from exc
        if "decrypt" in str(exc):
            raise SshPassphraseWrong("The passphrase does not fit this key") from exc
        if text.strip().startswith(("ssh-", "ecdsa-", "---- BEGIN SSH2")):
            raise SshKeyUnusable("This is a public key; the private one is needed") from exc
        raise SshKeyUnusable("This is no SSH private key we can read") from exc
    except asyncssh.KeyEncryptionError as exc:
        if "bcrypt" in str(exc):
            raise DependencyMissing(
                "The Python package bcrypt is needed to unlock this key",
                hint="Run `pip install bcrypt` in LNbits' environment and restart LNbits.",
            ) from exc
        if "Incorrect passphrase" not in str(exc):
            raise SshKeyUnusable("This SSH private key is locked in an unknown way") from exc
        raise SshPassphraseWrong("The passphrase does not fit this key") from exc
    except ValueError as exc:  # broken inside: asn1, packet and number errors
        raise SshKeyUnusable("This SSH private key is damaged") from exc


async def _pinned_key(settings: SourceSettings, limits: SourceLimits) -> HostKey:
    """The accepted key; HostKeyUnknown with the server's facts if there is none."""
    with suppress(BadInput):
        if settings.ssh_host_key:
            return parse_host_key(settings.ssh_host_key)
    found = await fetch_host_key(settings, limits=limits)
    raise HostKeyUnknown(
        f"Nobody has accepted the SSH key of {settings.ssh_place} yet:"
        f" {found.key_type} {found.fingerprint_sha256}",
        **found.facts,
    )


def _host_key(key: SSHKey) -> HostKey:
    # Without the comment: two writings of the same key must compare equal.
    line = " ".join(key.export_public_key().decode().split()[:2])
    return HostKey(key.get_algorithm(), key.get_fingerprint(), line)


def _type_not_offered(exc: BaseException) -> bool:
    return "host key" in str(exc).lower()


def _changed(settings: SourceSettings, pinned: HostKey, shown: HostKey) -> HostKeyChanged:
    return HostKeyChanged(
        f"{settings.ssh_place} shows another SSH key than the accepted one:"
        f" {shown.fingerprint_sha256} instead of {pinned.fingerprint_sha256}",
        **shown.facts,
        accepted_fingerprint=pinned.fingerprint_sha256,
    )


def _no_longer_offered(settings: SourceSettings, key_type: str) -> HostKeyChanged:
    return HostKeyChanged(
        f"{settings.ssh_place} no longer offers an SSH key of the accepted type" f" {key_type}"
    )


def _ssh_host(settings: SourceSettings) -> str:
    if not settings.ssh_host:
        raise NotConfigured("No SSH host is set", hint="Enter the SSH server's address.")
    return settings.ssh_host


def _private_folder() -> str:
    """A fresh 0700 folder whose socket path fits; TMPDIR may be too deep for that."""
    try:
        folder = tempfile.mkdtemp(prefix="lamassu-tunnel-")
        if len(f"{folder}/{_SOCKET_NAME}".encode()) <= _SOCKET_PATH_MAX:
            return folder
        shutil.rmtree(folder)
        return tempfile.mkdtemp(prefix="lamassu-tunnel-", dir="/tmp")
    except OSError as exc:
        raise SourceUnreachable(
            f"This machine has no place for the tunnel's own socket: {exc.strerror}",
            hint="Make room in its folder for temporary files and let LNbits write there.",
        ) from exc
