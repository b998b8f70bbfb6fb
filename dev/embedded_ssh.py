"""The SSH half of the embedded Lamassu: asyncssh's server, made to misbehave on demand.

One user, by key or (if allowed) password; it forwards to the one PostgreSQL beside it and
nothing else, and gives no shell.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from pathlib import Path

import asyncssh

SSH_USER = "lamassu-reader"

_CLOSE_TIMEOUT_S = 10.0  # an aborted connection is gone at once; this is a safety net


class _Server(asyncssh.SSHServer):
    def __init__(self, owner: EmbeddedSsh):
        self._owner = owner
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._owner.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._owner.connections.discard(self._connection)

    async def begin_auth(self, username: str) -> bool:
        self._owner.login_attempts += 1
        if self._owner.delay_s:
            await asyncio.sleep(self._owner.delay_s)
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == SSH_USER and key == self._owner.client_key.convert_to_public()

    def password_auth_supported(self) -> bool:
        return self._owner.allow_password

    def validate_password(self, username: str, password: str) -> bool:
        return username == SSH_USER and secrets.compare_digest(password, self._owner.password)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        local = dest_host in ("127.0.0.1", "localhost")
        self._refuse_unless(local and dest_port == self._owner.allowed_port)
        return True

    def unix_connection_requested(self, dest_path: str) -> bool:
        self._refuse_unless(dest_path == self._owner.allowed_path)
        return True

    def _refuse_unless(self, allowed: bool) -> None:
        if not allowed or self._owner.forbid_forwarding:
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "forwarding not permitted"
            )


class EmbeddedSsh:
    """Keys are kept in the folder. Set `allowed_port` and `allowed_path` before `start()`."""

    def __init__(self, folder: Path, host: str, port: int, password: str):
        self.host = host
        self.port = port
        self.password = password
        self.allowed_port = 0
        self.allowed_path = ""
        self.allow_password = False
        self.forbid_forwarding = False
        self.delay_s = 0.0
        self.login_attempts = 0
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._folder = folder
        self._listener: asyncssh.SSHAcceptor | None = None
        self._silent: asyncio.Server | None = None
        self._silent_writers: set[asyncio.StreamWriter] = set()
        self.host_key = self._load_key("ssh_host_key")
        self.client_key = self._load_key("ssh_client_key")

    @property
    def client_key_text(self) -> str:
        """The file's text: every export of the same key looks different."""
        return (self._folder / "ssh_client_key").read_text()

    async def start(self) -> None:
        """Listen; ends a silent phase."""
        await self._end_silence()
        if self._listener is not None:
            return
        self._listener = await asyncssh.listen(
            self.host,
            self.port,
            server_factory=lambda: _Server(self),
            server_host_keys=[self.host_key],
            config=[],  # nothing from the machine's sshd_config
            gss_host=None,
            allow_scp=False,
            login_timeout=30,
        )

    async def stop(self) -> None:
        """Refuse connections from now on and cut the living ones."""
        await self._end_silence()
        if self._listener is not None:
            self._listener.close()
            await self.drop_connections()
            await self._listener.wait_closed()
            self._listener = None

    async def go_silent(self) -> None:
        """Accept TCP and say nothing."""
        await self.stop()

        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._silent_writers.add(writer)
            await reader.read()

        self._silent = await asyncio.start_server(say_nothing, self.host, self.port)

    async def rotate_host_key(self, key_type: str) -> None:
        running = self._listener is not None
        await self.stop()
        self.host_key = self._new_key("ssh_host_key", key_type)
        if running:
            await self.start()

    async def drop_connections(self) -> None:
        for connection in list(self.connections):
            connection.abort()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(connection.wait_closed(), _CLOSE_TIMEOUT_S)

    async def _end_silence(self) -> None:
        if self._silent is None:
            return
        self._silent.close()
        for writer in self._silent_writers:
            writer.transport.abort()
        self._silent_writers.clear()
        await self._silent.wait_closed()
        self._silent = None

    def _load_key(self, name: str) -> asyncssh.SSHKey:
        path = self._folder / name
        if path.exists():
            return asyncssh.read_private_key(path)
        return self._new_key(name, "ssh-ed25519")

    def _new_key(self, name: str, key_type: str) -> asyncssh.SSHKey:
        key = asyncssh.generate_private_key(key_type, comment=f"sample {name}")
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_bytes(key.export_private_key())
        return key
