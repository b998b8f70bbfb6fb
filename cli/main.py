"""Run one command and say in plain words why it could not look (docs/tools.md).

Exit code 0: fine. 1: it looked, and something is wrong. 2: it could not look.
"""

from __future__ import annotations

import argparse
import asyncio

from asyncpg import PostgresError
from lnbits.core.db import db as core_db
from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from ..errors import SatMachineError
from ..origin import came_from
from ..services.quick import database_name
from . import commands
from .words import complain, say

COULD_NOT_LOOK = 2


def run(given: argparse.Namespace) -> int:
    """The exit code of the command that was asked for, in a process of its own."""
    logger.remove()
    try:
        return asyncio.run(_whole(given))
    except KeyboardInterrupt:
        complain("Stopped.")
        return COULD_NOT_LOOK


async def _whole(given: argparse.Namespace) -> int:
    try:
        return await answer(given)
    finally:
        await core_db.engine.dispose()


async def answer(given: argparse.Namespace) -> int:
    """Say what was found, or in plain words why nobody could look."""
    came_from.set("command")
    say(f"Database: {database_name()}")
    try:
        return int(await getattr(commands, given.command)(given))
    except SatMachineError as exc:
        complain(f"Could not look: {exc.message}")
        if exc.hint:
            complain(f"  {exc.hint}")
    except (PostgresError, SQLAlchemyError, OSError) as exc:
        said = " ".join(str(exc).split())
        complain(f"Could not look: LNbits' database cannot be read ({said})")
        complain("  Is it running, and may this user read it?")
    return COULD_NOT_LOOK
