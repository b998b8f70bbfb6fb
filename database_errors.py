"""What an error of a database driver means: somebody is in the way, it is broken, it said no."""

from __future__ import annotations

import asyncio
import sqlite3

import asyncpg
from sqlalchemy.exc import DBAPIError

from .errors import DatabaseBusy, DatabaseFailed, InvariantViolation, SatMachineError

SAID_MAX = 200  # characters of a driver's message that reach the page: enough to recognise it
# PostgreSQL: lock not available, statement limit, serialisation, deadlock.
BUSY_STATES = ("55P03", "57014", "40001", "40P01")

# All that a driver raises. SQLAlchemy wraps what happens on a connection in DBAPIError, but not
# what happens while one is made: a login that is cut half way comes as asyncpg's own.
DRIVER_ERRORS = (
    *(DBAPIError, sqlite3.Error, OSError, asyncio.TimeoutError),
    *(asyncpg.PostgresError, asyncpg.InterfaceError),
)


def typed(exc: Exception) -> SatMachineError:
    """The error of ours that it is; the caller raises it `from exc`."""
    if is_busy(exc):
        return DatabaseBusy("Another writer holds the database")
    origin = _origin(exc)
    said = " ".join(str(origin).split())[:SAID_MAX]
    if _is_refusal(origin):
        return InvariantViolation(f"The database refused what must not be: {said}")
    return DatabaseFailed(f"The database does not work: {said}")


def is_busy(exc: Exception) -> bool:
    """Another writer was faster: SQLite's 'locked', PostgreSQL's lock or statement limit."""
    origin = _origin(exc)
    state = _sqlstate(origin)
    if state:
        return state in BUSY_STATES
    return isinstance(origin, sqlite3.OperationalError) and "locked" in str(origin)


def _is_refusal(origin: BaseException | None) -> bool:
    """A constraint or one of our triggers said no."""
    state = _sqlstate(origin)
    return isinstance(origin, sqlite3.IntegrityError) or state.startswith("23") or state == "P0001"


def _origin(exc: Exception) -> BaseException | None:
    return exc.orig if isinstance(exc, DBAPIError) else exc


def _sqlstate(origin: BaseException | None) -> str:
    return str(getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None) or "")
