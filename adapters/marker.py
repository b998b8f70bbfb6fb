"""A small file beside the databases that remembers how far the ledger had come.

After every commit that appended to the ledger its last number is written here. A database that was
put back from a backup is behind its marker; a data folder that was copied has a marker that is not
the file it says it is. Either way nothing is paid until a person has looked (design.md 4).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from lnbits.settings import settings
from loguru import logger

FILE_NAME = "satmachineadmin.marker"
SIZE = 128  # fixed and small: one write, never half of one


def path() -> Path:
    """Where the marker lies: LNbits' data folder."""
    return Path(settings.lnbits_data_folder) / FILE_NAME


def advance(seq: int) -> None:
    """Remember the ledger's last number. A disk that cannot take it is logged, not raised: the
    money is committed already, and a marker that stays behind only makes the next start ask less.
    """
    try:
        handle = os.open(path(), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            body = json.dumps({"ledger_seq": seq, "inode": os.fstat(handle).st_ino})
            os.pwrite(handle, body.ljust(SIZE).encode(), 0)
        finally:
            os.close(handle)
    except OSError as exc:
        logger.error(f"event=marker_not_written reason={exc!s}")


def begin() -> None:
    """Make the marker of a ledger without entries, so that one with entries always has one: a kill
    between the first commit and its marker would look like a marker that is missing.
    """
    if not path().exists() or not path().read_text().strip():
        advance(0)


def doubt(seq: int) -> str | None:
    """Why the ledger at `seq` may be a restored one, or None when all is as it was left."""
    try:
        text = path().read_text()
        inode = path().stat().st_ino
    except FileNotFoundError:
        return "the marker beside the databases is missing" if seq else None
    if not seq and not text.strip():
        return None  # killed while it was made
    try:
        marker = json.loads(text)
        marked_seq, marked_inode = int(marker["ledger_seq"]), int(marker["inode"])
    except (ValueError, KeyError, TypeError):
        return "the marker beside the databases is damaged"
    if marked_seq > seq:
        return f"the ledger ends at entry {seq} and had reached {marked_seq}"
    if marked_inode != inode:
        return "the data folder was copied or restored"
    return None
