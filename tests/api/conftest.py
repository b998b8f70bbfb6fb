"""What the API tests share: one Lamassu, and an operator set up over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support.machine import embedded_lamassu, operator_at_work
from support.operator import Operator


@pytest.fixture(scope="session")
async def lamassu(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    """One embedded Lamassu for all API tests of this process."""
    async with embedded_lamassu(tmp_path_factory.mktemp("lamassu")) as running:
        yield running


@pytest.fixture
async def operator(
    superuser: httpx.AsyncClient, lamassu: Any, clean_books: None
) -> AsyncIterator[Operator]:
    """An operator whose machine is set up, with empty books and no sales yet."""
    async with operator_at_work(superuser, lamassu) as at_work:
        yield at_work
