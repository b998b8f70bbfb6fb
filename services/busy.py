"""Another writer's lock, met outside a settlement, as the error it is."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from ..database import is_busy
from ..errors import DatabaseBusy


def busy_error(exc: DBAPIError) -> DatabaseBusy | None:
    """DatabaseBusy when that is what happened; None when it is something else."""
    return DatabaseBusy("Another writer holds the database") if is_busy(exc) else None
