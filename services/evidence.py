"""All the evidence in one file: the export of tools.py, packed, with the head of the audit trail.

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

from ..errors import StateConflict
from . import audit_chain
from .dump import dump

MEDIA_TYPE = "application/zip"
AUDIT_HEAD = "audit_head.json"
PIECE = 1 << 16

_lock = asyncio.Lock()


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
            return f"{folder.name}.zip", await asyncio.to_thread(_packed, folder)


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
