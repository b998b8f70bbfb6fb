"""Every exception of asyncssh, asyncpg and the operating system as one of our SourceErrors.

Invariant: `translate` never loses the original (callers raise `from exc`), never returns
anything but one of ours, and puts no secret into a message. asyncssh and asyncpg are named
by class name and SQLSTATE, not imported: asyncssh may be missing. A contract test walks the
public exception classes of both and fails if one is unknown here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from ..errors import (
    HostKeyChanged,
    SatMachineError,
    SourceAnswerUnusable,
    SourceBusy,
    SourceColumnMissing,
    SourceConnectionLost,
    SourceDatabaseMissing,
    SourceError,
    SourceGrantMissing,
    SourceLoginRefused,
    SourceTableMissing,
    SourceTimeout,
    SourceUnreachable,
    SshKeyUnusable,
    SshLoginRefused,
    SshPassphraseWrong,
    TunnelRefused,
)

TEXT_MAX = 200  # characters of a foreign message: enough to recognise it, no log flood


class Stage(str, Enum):
    """What we were doing; the value completes the sentence "... while ..."."""

    SSH_CONNECT = "reaching the SSH server"
    SSH_LOGIN = "logging in over SSH"
    TUNNEL = "opening the SSH tunnel"
    DATABASE = "logging in to PostgreSQL"
    QUERY = "reading from PostgreSQL"


# asyncssh's own classes by name; subclasses are found through their bases.
_SSH_CLASSES: dict[str, type[SourceError]] = {
    "PermissionDenied": SshLoginRefused,
    "IllegalUserName": SshLoginRefused,
    "PasswordChangeRequired": SshLoginRefused,
    "HostKeyNotVerifiable": HostKeyChanged,
    "KeyExchangeFailed": SourceAnswerUnusable,
    "ProtocolError": SourceAnswerUnusable,
    "ProtocolNotSupported": SourceAnswerUnusable,
    "ServiceNotAvailable": SourceUnreachable,
    "ConnectionLost": SourceConnectionLost,
    "CompressionError": SourceConnectionLost,
    "MACError": SourceConnectionLost,
    "DisconnectError": SourceConnectionLost,
    "ChannelOpenError": TunnelRefused,  # refined by its code below
    "ChannelListenError": SourceUnreachable,
    "KeyImportError": SshKeyUnusable,
    "KeyExportError": SshKeyUnusable,
    "KeyGenerationError": SshKeyUnusable,
    "KeyEncryptionError": SshPassphraseWrong,
    "ConfigParseError": SourceAnswerUnusable,
    # Of shells, file transfers and agents, which we never use.
    "BreakReceived": SourceAnswerUnusable,
    "SignalReceived": SourceAnswerUnusable,
    "SoftEOFReceived": SourceAnswerUnusable,
    "TerminalSizeChanged": SourceAnswerUnusable,
    "TimeoutError": SourceTimeout,
    "ProcessError": SourceAnswerUnusable,
    "SFTPError": SourceAnswerUnusable,
    "ASN1Error": SourceAnswerUnusable,
    "PacketDecodeError": SourceAnswerUnusable,
    "SASLPrepError": SshLoginRefused,
    "Error": SourceConnectionLost,
}
# asyncssh.OPEN_*: why the server did not open the channel (RFC 4254, 5.1).
_CHANNEL_CODES: dict[int, type[SourceError]] = {
    1: TunnelRefused,  # administratively prohibited
    2: SourceUnreachable,  # nobody listens there
    3: TunnelRefused,  # this kind of channel is unknown to the server
    4: SourceBusy,  # resource shortage
}
# asyncpg's classes that carry no SQLSTATE: its own opinion, not the server's.
_PG_CLASSES: dict[str, type[SourceError]] = {
    "ClientConfigurationError": SourceAnswerUnusable,
    "UnsupportedClientFeatureError": SourceAnswerUnusable,
    "UnsupportedServerFeatureError": SourceAnswerUnusable,
    "InterfaceError": SourceConnectionLost,  # "connection is closed"
    "TargetServerAttributeNotMatched": SourceUnreachable,
    "OutdatedSchemaCacheError": SourceAnswerUnusable,
    "ProtocolError": SourceAnswerUnusable,
    "InternalClientError": SourceAnswerUnusable,
    "FatalPostgresError": SourceConnectionLost,
    "UnknownPostgresError": SourceAnswerUnusable,
    "PostgresError": SourceAnswerUnusable,
}
# Single SQLSTATEs first, then their classes (the first two characters).
_SQLSTATES: dict[str, type[SourceError]] = {
    "08001": SourceUnreachable,
    "08004": SourceUnreachable,
    "08P01": SourceAnswerUnusable,  # protocol violation
    "25P03": SourceConnectionLost,  # idle in transaction for too long
    "25P04": SourceTimeout,  # transaction timeout
    "3F000": SourceTableMissing,  # schema
    "42501": SourceGrantMissing,
    "42703": SourceColumnMissing,
    "42P01": SourceTableMissing,
    "57014": SourceTimeout,  # statement timeout, or somebody cancelled it there
    "57P03": SourceUnreachable,  # starting up or shutting down
    "57P04": SourceDatabaseMissing,  # dropped while we were in it
}
_SQLSTATE_CLASSES: dict[str, type[SourceError]] = {
    "01": SourceAnswerUnusable,  # warnings, were one ever raised
    "02": SourceAnswerUnusable,
    "03": SourceBusy,  # statement not complete
    "08": SourceConnectionLost,
    "09": SourceAnswerUnusable,
    "0A": SourceAnswerUnusable,  # feature not supported: not a PostgreSQL we know
    "0B": SourceAnswerUnusable,
    "0F": SourceAnswerUnusable,
    "0L": SourceGrantMissing,
    "0P": SourceLoginRefused,  # role
    "0Z": SourceAnswerUnusable,
    "10": SourceAnswerUnusable,
    "20": SourceAnswerUnusable,
    "21": SourceAnswerUnusable,
    "22": SourceAnswerUnusable,  # a value
    "23": SourceAnswerUnusable,
    "24": SourceAnswerUnusable,
    "25": SourceAnswerUnusable,  # transaction state
    "26": SourceAnswerUnusable,
    "27": SourceAnswerUnusable,
    "28": SourceLoginRefused,
    "2B": SourceAnswerUnusable,
    "2D": SourceAnswerUnusable,
    "2F": SourceAnswerUnusable,
    "34": SourceAnswerUnusable,
    "38": SourceAnswerUnusable,
    "39": SourceAnswerUnusable,
    "3B": SourceAnswerUnusable,
    "3D": SourceDatabaseMissing,
    "3F": SourceTableMissing,
    "40": SourceBusy,  # serialisation, deadlock
    "42": SourceAnswerUnusable,
    "44": SourceAnswerUnusable,
    "53": SourceBusy,  # too many connections, disk or memory full
    "54": SourceAnswerUnusable,
    "55": SourceBusy,  # lock not available, object in use
    "57": SourceConnectionLost,  # shut down, crashed, idle session ended
    "58": SourceBusy,  # input/output trouble of the far system
    "72": SourceBusy,  # snapshot too old
    "F0": SourceAnswerUnusable,
    "HV": SourceAnswerUnusable,
    "P0": SourceAnswerUnusable,
    "XX": SourceAnswerUnusable,  # corruption, internal error
}
_HINTS: dict[type[SourceError], dict[Stage, str]] = {
    SourceUnreachable: {
        # OpenSSH answers a forbidden socket like a missing one.
        Stage.TUNNEL: "SSH works, but nothing answers there: check PostgreSQL's host"
        " and port as seen from the SSH server. For a socket also check permitopen"
        " in authorized_keys and AllowStreamLocalForwarding in sshd_config.",
        Stage.DATABASE: "Check that PostgreSQL runs and listens on this host and port.",
    },
    SourceAnswerUnusable: {
        Stage.SSH_CONNECT: "Check that host and port belong to an SSH server.",
        Stage.SSH_LOGIN: "Check that host and port belong to a current SSH server.",
        Stage.DATABASE: "Check that host and port belong to a PostgreSQL 12 or newer.",
    },
    SourceGrantMissing: {
        Stage.DATABASE: "Give the role CONNECT on this database; see" " docs/lamassu-grants.sql.",
    },
}
_WHAT: dict[type[SourceError], str] = {
    SourceUnreachable: "No connection",
    SourceTimeout: "No answer in time",
    SourceConnectionLost: "The connection was cut",
    SourceBusy: "The ATM's database is busy",
    TunnelRefused: "The SSH server refused the tunnel",
    HostKeyChanged: "The SSH server did not prove that it is the accepted one",
    SshKeyUnusable: "The SSH private key cannot be used",
    SshPassphraseWrong: "The SSH private key cannot be unlocked",
    SshLoginRefused: "The SSH server refused the login",
    SourceLoginRefused: "PostgreSQL refused the login",
    SourceDatabaseMissing: "The database does not exist",
    SourceTableMissing: "A table is missing",
    SourceColumnMissing: "A column is missing",
    SourceGrantMissing: "The database role may not do this",
    SourceAnswerUnusable: "The answer cannot be used",
}


def classify(exc: BaseException) -> type[SourceError] | None:
    """Our class for a foreign exception; None if nobody ever thought of it."""
    sqlstate = getattr(exc, "sqlstate", None)
    if _library(type(exc)) == "asyncpg" and sqlstate:
        known = _SQLSTATES.get(sqlstate)
        return known or _SQLSTATE_CLASSES.get(str(sqlstate)[:2])
    for cls in type(exc).__mro__:
        library = _library(cls)
        if library == "asyncssh" and cls.__name__ in _SSH_CLASSES:
            return _ssh_class(exc, cls.__name__)
        if library == "asyncpg" and cls.__name__ in _PG_CLASSES:
            return _PG_CLASSES[cls.__name__]
    return _system_class(exc)


def translate(exc: BaseException, stage: Stage, where: str = "") -> SourceError:
    """The SourceError to raise `from exc`; `where` is a host:port or path for the person.

    One of our own SourceErrors passes through unchanged.
    """
    if isinstance(exc, SourceError):
        return exc
    cls = classify(exc) or SourceAnswerUnusable
    place = f" ({where})" if where else ""
    said = foreign_text(exc)
    message = f"{_WHAT[cls]} while {stage.value}{place}" + (f": {said}" if said else "")
    return cls(message, hint=_HINTS.get(cls, {}).get(stage))


@contextmanager
def translating(stage: Stage, where: str = "") -> Iterator[None]:
    """Translate whatever asyncssh, asyncpg or the system raises inside the block.

    Cancellation and our own errors pass through. Broad on purpose: this is the border
    behind which only our tree exists, and an unknown class becomes SourceAnswerUnusable.
    """
    try:
        yield
    except SatMachineError:
        raise
    except Exception as exc:
        raise translate(exc, stage, where) from exc


def foreign_text(exc: BaseException) -> str:
    """The first line of a foreign message, printable and cut to TEXT_MAX."""
    lines = str(exc).strip().splitlines()
    text = "".join(c for c in (lines[0] if lines else "") if c.isprintable())
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "…"


def _library(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def _ssh_class(exc: BaseException, name: str) -> type[SourceError]:
    text = str(exc)
    if "authentication failures" in text:
        return SshLoginRefused  # sshd's way to say it beyond MaxAuthTries, a protocol error
    if name == "ChannelOpenError":
        if "SSH connection closed" in text:
            return SourceConnectionLost
        return _CHANNEL_CODES.get(getattr(exc, "code", 0), TunnelRefused)
    if name == "ConnectionLost" and "timeout" in text.lower():
        return SourceTimeout  # "Login timeout expired", "Keepalive timeout"
    if name == "KeyImportError" and "assphrase" in text:
        return SshPassphraseWrong
    return _SSH_CLASSES[name]


def _system_class(exc: BaseException) -> type[SourceError] | None:
    if isinstance(exc, (asyncio.TimeoutError, TimeoutError)):
        return SourceTimeout  # two classes on Python 3.10
    if isinstance(exc, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return SourceConnectionLost
    if isinstance(exc, EOFError):
        return SourceConnectionLost
    if isinstance(exc, (socket.gaierror, ssl.SSLError, OSError)):
        return SourceUnreachable
    if isinstance(exc, ValueError):
        return SourceAnswerUnusable  # undecodable text, a NUL in a name
    return None
