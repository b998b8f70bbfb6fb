"""How much room LNbits' disk has, and how large the databases are."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lnbits.core.db import db as core_db
from lnbits.db import SQLITE
from lnbits.settings import settings

from ..database import db, own


@dataclass(frozen=True)
class Room:
    """Of the disk that LNbits' data folder is on. Raises OSError when it cannot be looked at."""

    free_bytes: int
    total_bytes: int


def room() -> Room:
    """What is free there now."""
    found = shutil.disk_usage(settings.lnbits_data_folder)
    return Room(found.free, found.total)


async def database_bytes() -> int:
    """LNbits' own database and ours together."""
    if db.type == SQLITE:
        paths = (Path(core_db.path), Path(db.path))
        return sum(path.stat().st_size for path in paths if path.is_file())
    rows = await own(lambda conn: conn.rows("SELECT pg_database_size(current_database()) AS n"))
    return int(rows[0]["n"])
