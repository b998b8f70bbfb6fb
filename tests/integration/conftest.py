"""An operator with a real LNbits and a real Lamassu behind a real SSH server."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support.operator import Operator


@pytest.fixture(scope="session")
async def lamassu() -> AsyncIterator[object]:
    """One embedded Lamassu for all tests of this process.

    Not in pytest's own folder: PostgreSQL runs as another user when we are root, and every pytest
    that starts closes that folder for others again.
    """
    from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu

    with tempfile.TemporaryDirectory(prefix="satm-lamassu-") as folder:
        async with EmbeddedLamassu(Path(folder)) as running:
            yield running


@pytest.fixture
async def operator(
    superuser: httpx.AsyncClient, lamassu: object, clean_books: None
) -> AsyncIterator[Operator]:
    """An operator whose machine is set up, with empty books and no sales yet."""
    from satmachineadmin.adapters import marker
    from satmachineadmin.services import readiness

    await lamassu.empty()  # type: ignore[attr-defined]
    marker.path().unlink(missing_ok=True)
    readiness.forget()
    at_work = Operator(superuser, lamassu)
    await at_work.set_up()
    yield at_work
    await at_work.check_books()
