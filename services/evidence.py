"""All the evidence in one file: the export of tools.py, packed, with the head of the audit trail
and our log lines of the last time.

Made in a folder that is gone before anything is sent, and packed into a file without a name:
nothing is left on the disk when the reader goes away half way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

from .. import clock
from ..adapters import event_log
from ..errors import StateConflict
from . import audit_chain
from .dump import dump

MEDIA_TYPE = "application/zip"
AUDIT_HEAD = "audit_head.json"
LOG = "log.txt"
PIECE = 1 << 16

_lock = asyncio.Lock()


def keep_log() -> None:
    """Our log lines are kept from now on."""
    event_log.begin()


def end_log() -> None:
    """The extension stops: no more are kept."""
    event_log.end()


async def bundle() -> tuple[str, IO[bytes]]:
    """(name, the packed file from its beginning). Raises StateConflict while one is being made."""
    if _lock.locked():
        raise StateConflict("The evidence is being packed", hint="Wait for that download.")
    async with _lock:
        # The head first: what is in the table by then is covered by it or comes after it.
        head = await audit_chain.head()
        with TemporaryDirectory(prefix="satmachineadmin-") as parent:
            folder, _ = await dump(Path(parent), lambda name, rows: None)
            (folder / AUDIT_HEAD).write_text(json.dumps(head, indent=1) + "\n")
            await asyncio.to_thread(_write_log, folder / LOG)
            return f"{folder.name}.zip", await asyncio.to_thread(_packed, folder)


def _write_log(path: Path) -> None:
    """The kept lines, under one that says from when on they reach."""
    kept = list(event_log.lines())
    since = kept[0].split(" ", 1)[0] if kept else "nowhere: none is kept"
    with path.open("w", encoding="utf-8") as out:
        out.write(
            f"# {len(kept)} lines of this extension, from {since} to {clock.iso(clock.now_us())}."
            " Older ones were not kept.\n"
        )
        out.writelines(kept)


def _packed(folder: Path) -> IO[bytes]:
    with ExitStack() as on_error:
        packed = on_error.enter_context(TemporaryFile())
        with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, f"{folder.name}/{path.name}")
        packed.seek(0)
        on_error.pop_all()
        return packed


def pieces(packed: IO[bytes]) -> Iterator[bytes]:
    """The file piece by piece; it is gone afterwards."""
    with packed:
        while piece := packed.read(PIECE):
            yield piece
