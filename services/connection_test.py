"""The connection test: every step from the SSH port to the rows, told as it ends."""

from __future__ import annotations

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.connection_test import TestStep, test_connection_steps
from ..adapters.settlement import settlement
from ..database import BooksConnection
from .source import source_settings

# The test that runs in this process, for the page that asks how far it is; None when none does.
_running: list[TestStep] | None = None


async def test_connection(actor: str) -> list[TestStep]:
    """Every step with its own result; remembers how it went. Of two at once the later is shown."""
    global _running
    ended = _running = []

    async def tell(step: TestStep) -> None:
        ended.append(step)

    try:
        settings = source_settings(await crud.get_config())
        steps = await test_connection_steps(settings, on_step=tell)
    finally:
        if _running is ended:
            _running = None
    await _remember(steps, actor)
    return steps


def steps_so_far() -> list[TestStep] | None:
    """The steps of the running test that have ended; None when none runs here."""
    return None if _running is None else list(_running)


async def _remember(steps: list[TestStep], actor: str) -> None:
    failed = next((step.name for step in steps if step.ok is False), None)
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> None:
        await crud.store_test_result(failed is None, now_us, conn)
        detail = {"success": failed is None, "failed_step": failed}
        await record(conn, "connection_tested", "config", detail, actor=actor, now_us=now_us)

    await settlement(work)
