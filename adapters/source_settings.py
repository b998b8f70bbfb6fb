"""How to reach one Lamassu database, and how long we wait for it.

Held in memory only, decrypted; `repr` shows no secret. Every limit carries its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SourceSettings:
    """One connection. A `host` beginning with `/` is the folder of PostgreSQL's socket.

    `ssh_host_key` is the accepted ("pinned") OpenSSH public key line of the SSH server.
    """

    host: str
    port: int
    database_name: str
    username: str
    password: str = field(repr=False)
    use_ssh_tunnel: bool
    ssh_host: str | None
    ssh_port: int
    ssh_username: str | None
    ssh_password: str | None = field(repr=False)
    ssh_private_key: str | None = field(repr=False)
    ssh_key_passphrase: str | None = field(repr=False)
    ssh_host_key: str | None

    @property
    def by_socket(self) -> bool:
        """True if PostgreSQL is reached by its unix socket, as libpq decides it."""
        return self.host.startswith("/")

    @property
    def socket_path(self) -> str:
        return f"{self.host.rstrip('/')}/.s.PGSQL.{self.port}"

    @property
    def database_place(self) -> str:
        return self.socket_path if self.by_socket else f"{self.host}:{self.port}"

    @property
    def ssh_place(self) -> str:
        return f"{self.ssh_host}:{self.ssh_port}"

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes it the same database and role; no secret takes part."""
        ssh = (self.ssh_host, self.ssh_port) if self.use_ssh_tunnel else None
        return (ssh, self.host, self.port, self.database_name, self.username)


@dataclass(frozen=True)
class SourceLimits:
    """Seconds. The defaults suit an ATM behind a home line; tests inject short ones."""

    connect_s: float = 10  # name, TCP: a mobile uplink answers within 3 s or not at all
    login_s: float = 10  # key exchange and login, counted from the TCP connection
    query_s: float = 30  # a scan of a million rows on a small server takes 5 s
    lock_s: float = 5  # a migration of Lamassu holds its table; the next tick retries
    close_s: float = 3  # a polite goodbye; afterwards the connection is aborted
    test_s: float = 60  # the whole connection test: a person is waiting


DEFAULT_LIMITS = SourceLimits()
