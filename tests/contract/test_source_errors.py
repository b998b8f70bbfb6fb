"""The map of foreign exceptions is complete, and every message is fit for a person."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
from collections.abc import Iterator

import asyncpg
import asyncssh
import pytest
from satmachineadmin import errors
from satmachineadmin.adapters import source_errors
from satmachineadmin.adapters.source_errors import (
    TEXT_MAX,
    Stage,
    classify,
    translate,
    translating,
)


def _made(cls: type[BaseException]) -> BaseException:
    """An instance without its constructor, which differs from class to class."""
    made = cls.__new__(cls)
    made.args = ("sample",)
    return made


def _exceptions_of(module: object, library: str) -> list[type[BaseException]]:
    found = [
        item
        for _, item in inspect.getmembers(module, inspect.isclass)
        if issubclass(item, Exception)
        and not issubclass(item, Warning)
        and item.__module__.startswith(library)
    ]
    assert found
    return found


def _subclasses(cls: type) -> Iterator[type]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)


ASYNCSSH = _exceptions_of(asyncssh, "asyncssh")
ASYNCPG = _exceptions_of(asyncpg.exceptions, "asyncpg")


@pytest.mark.parametrize("cls", ASYNCSSH, ids=lambda cls: cls.__name__)
def test_every_asyncssh_exception_has_its_own_entry(cls: type[BaseException]) -> None:
    """By a name of asyncssh's own, not by falling through to ValueError or OSError."""
    names = [
        base.__name__
        for base in cls.__mro__
        if base.__module__.startswith("asyncssh") and base.__name__ in source_errors._SSH_CLASSES
    ]
    assert names
    assert issubclass(classify(_made(cls)) or object, errors.SourceError)


@pytest.mark.parametrize("cls", ASYNCPG, ids=lambda cls: cls.__name__)
def test_every_asyncpg_exception_is_mapped(cls: type[BaseException]) -> None:
    sqlstate = getattr(cls, "sqlstate", None)
    if sqlstate:
        assert sqlstate[:2] in source_errors._SQLSTATE_CLASSES
    assert issubclass(classify(_made(cls)) or object, errors.SourceError)


def test_the_walk_sees_what_we_meet() -> None:
    assert {asyncssh.PermissionDenied, asyncssh.KeyImportError} <= set(ASYNCSSH)
    assert asyncpg.InsufficientPrivilegeError in ASYNCPG
    assert len(ASYNCPG) > 200


@pytest.mark.parametrize("cls", [OSError, *_subclasses(OSError)], ids=str)
def test_every_system_error_is_mapped(cls: type[BaseException]) -> None:
    if cls.__module__.partition(".")[0] in ("builtins", "socket", "ssl"):
        assert issubclass(classify(_made(cls)) or object, errors.SourceError)


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (asyncio.TimeoutError(), errors.SourceTimeout),
        (TimeoutError(), errors.SourceTimeout),
        (socket.gaierror(-2, "unknown"), errors.SourceUnreachable),
        (ConnectionRefusedError(), errors.SourceUnreachable),
        (ConnectionResetError(), errors.SourceConnectionLost),
        (BrokenPipeError(), errors.SourceConnectionLost),
        (EOFError(), errors.SourceConnectionLost),
        (ssl.SSLError("no"), errors.SourceUnreachable),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), errors.SourceAnswerUnusable),
        (asyncssh.ConnectionLost("Login timeout expired"), errors.SourceTimeout),
        (asyncssh.ConnectionLost("gone"), errors.SourceConnectionLost),
        (asyncssh.ChannelOpenError(1, "no"), errors.TunnelRefused),
        (asyncssh.ChannelOpenError(2, "no"), errors.SourceUnreachable),
        (asyncssh.ChannelOpenError(3, "no"), errors.TunnelRefused),
        (asyncssh.ChannelOpenError(4, "no"), errors.SourceBusy),
        (
            asyncssh.ChannelOpenError(2, "SSH connection closed"),
            errors.SourceConnectionLost,
        ),
        (asyncpg.InvalidPasswordError("x"), errors.SourceLoginRefused),
        (asyncpg.InvalidCatalogNameError("x"), errors.SourceDatabaseMissing),
        (asyncpg.UndefinedTableError("x"), errors.SourceTableMissing),
        (asyncpg.UndefinedColumnError("x"), errors.SourceColumnMissing),
        (asyncpg.InsufficientPrivilegeError("x"), errors.SourceGrantMissing),
        (asyncpg.LockNotAvailableError("x"), errors.SourceBusy),
        (asyncpg.TooManyConnectionsError("x"), errors.SourceBusy),
        (asyncpg.QueryCanceledError("x"), errors.SourceTimeout),
        (asyncpg.CannotConnectNowError("x"), errors.SourceUnreachable),
        (asyncpg.AdminShutdownError("x"), errors.SourceConnectionLost),
        (asyncpg.ConnectionDoesNotExistError("x"), errors.SourceConnectionLost),
        (asyncpg.InterfaceError("connection is closed"), errors.SourceConnectionLost),
        (asyncpg.DataCorruptedError("x"), errors.SourceAnswerUnusable),
        (RuntimeError("nobody thought of it"), errors.SourceAnswerUnusable),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_meaning(exc: BaseException, expected: type[errors.SourceError]) -> None:
    assert type(translate(exc, Stage.QUERY)) is expected


def test_message_names_stage_and_place_and_is_cut() -> None:
    found = translate(OSError("first\nsecond " + "x" * 900), Stage.TUNNEL, "10.0.0.9:5432")
    assert "opening the SSH tunnel (10.0.0.9:5432): first" in found.message
    assert "second" not in found.message
    assert "\x1b" not in translate(OSError("a\x1b[2Jb"), Stage.QUERY).message
    assert len(translate(OSError("y" * 9999), Stage.QUERY).message) < TEXT_MAX + 99


def test_every_error_has_a_hint_at_every_stage() -> None:
    for stage in Stage:
        for cls in set(source_errors._WHAT):
            hint = source_errors._HINTS.get(cls, {}).get(stage)
            assert cls("sample", hint=hint).hint


def test_original_is_kept_and_ours_pass_through() -> None:
    original = ConnectionResetError("sample")
    with pytest.raises(errors.SourceConnectionLost) as caught, translating(Stage.QUERY):
        raise original
    assert caught.value.__cause__ is original
    ours = errors.HostKeyChanged("sample")
    with pytest.raises(errors.HostKeyChanged) as same, translating(Stage.QUERY):
        raise ours
    assert same.value is ours
    assert translate(ours, Stage.QUERY) is ours
    with pytest.raises(asyncio.CancelledError), translating(Stage.QUERY):
        raise asyncio.CancelledError
