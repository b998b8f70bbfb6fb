"""Our own log lines, kept for the evidence: what LNbits prints is gone with its terminal.

Two files beside the databases, of so many lines and bytes at most: the full one becomes the older
one, and the one before it is gone. Files and no table: a line is written while a database is busy
or damaged, costs it no commit, and outlives a restart. No traceback is kept, because it may show
values; a line is what the code says on purpose (`event=…`), which names no secret.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import timezone
from pathlib import Path
from threading import Lock
from typing import Any

from lnbits.settings import settings
from loguru import logger

FILE_NAME = "satmachineadmin-events.log"
OLDER_NAME = f"{FILE_NAME}.1"
LINES_MAX = 20_000  # of each of the two files
BYTES_MAX = 4 * 1024 * 1024
LINE_CHARS_MAX = 2_000
EVENT = "event="
PACKAGE = __name__.removesuffix(".adapters.event_log")


class _Kept:
    """The newer file, as this process last saw it."""

    sink: int | None = None
    lines = 0
    lock = Lock()


def path() -> Path:
    """The newer of the two files."""
    return Path(settings.lnbits_data_folder) / FILE_NAME


def begin() -> None:
    """Keep our lines from now on."""
    end()
    _Kept.lines = sum(1 for _ in _lines_of(path()))
    _Kept.sink = logger.add(_keep, level="INFO", filter=_ours, format="{message}", catch=True)


def end() -> None:
    """Keep no more: the extension stops."""
    if _Kept.sink is None:
        return
    with suppress(ValueError):  # LNbits took all sinks away
        logger.remove(_Kept.sink)
    _Kept.sink = None


def lines() -> Iterator[str]:
    """What is kept, oldest first."""
    yield from _lines_of(path().with_name(OLDER_NAME))
    yield from _lines_of(path())


def _ours(record: Any) -> bool:
    name = record["name"] or ""
    known = name == PACKAGE or name.startswith(f"{PACKAGE}.")
    return known and record["message"].startswith(EVENT)


def _keep(message: Any) -> None:
    """Write one line; a disk that cannot take it loses it, and nothing else stops."""
    record = message.record
    at = record["time"].astimezone(timezone.utc).isoformat(timespec="milliseconds")
    said = record["message"].replace("\r", "\\r").replace("\n", "\\n")[:LINE_CHARS_MAX]
    raised = record["exception"]
    if raised is not None and raised.type is not None:
        said += f" exception={raised.type.__name__}"
    line = f"{at} {record['level'].name} {said}\n".encode()
    with _Kept.lock:
        try:
            _write(line)
        except OSError:
            return  # LNbits' own log has the line


def _write(line: bytes) -> None:
    handle = os.open(path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        full = _Kept.lines >= LINES_MAX or os.fstat(handle).st_size + len(line) > BYTES_MAX
        if not full:
            os.write(handle, line)
            _Kept.lines += 1
    finally:
        os.close(handle)
    if full:
        os.replace(path(), path().with_name(OLDER_NAME))
        _Kept.lines = 0
        _write(line)


def _lines_of(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            yield from opened
    except OSError:
        return
