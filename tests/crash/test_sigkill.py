"""The promise itself: kill -9 of a real LNbits at any moment, restart, every sum is right."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import tempfile
from pathlib import Path

import httpx
import pytest
from satmachineadmin.dev import sample_rows
from satmachineadmin.dev.demo_setup import set_up
from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu
from satmachineadmin.dev.lnbits_api import ApiRefused, LnbitsApi
from satmachineadmin.dev.lnbits_host import LnbitsHost
from support.proof import prove_files

KILLS = 2
SALES_PER_KILL = 12
SATS = 266_800
SEED = 20_261_121

pytestmark = pytest.mark.sqlite_only  # two files, one commit: the harder case for a kill


async def _kill_during_a_poll(
    host: LnbitsHost, api: LnbitsApi, lamassu: EmbeddedLamassu, after_s: float
) -> None:
    """Sell, ask for a poll, and kill the process while it works."""
    rows = [
        sample_rows.sale(fiat=50, commission="0.03", crypto_atoms=SATS)
        for _ in range(SALES_PER_KILL)
    ]
    await lamassu.insert(rows)
    poll = asyncio.ensure_future(api.dca("POST", "manual-poll"))
    await asyncio.sleep(after_s)
    process = host._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    with contextlib.suppress(httpx.TransportError, ApiRefused):
        await poll
    await host.ended()


@pytest.mark.timeout(300)
async def test_sums_after_kills_at_random_moments() -> None:
    """Between two kills only the product's own recovery runs; the seed is in this file."""
    moments = random.Random(SEED)
    with tempfile.TemporaryDirectory(prefix="satm-kill-") as name:
        folder = Path(name)
        host = LnbitsHost(folder, "only-for-tests-only-for-tests-only")
        async with EmbeddedLamassu(folder / "lamassu") as lamassu:
            await host.start()
            api = LnbitsApi(host.url)
            try:
                await api.login("admin", "only-for-tests")
                await api.enable_extension()
                await set_up(api, lamassu)
                for _ in range(KILLS):
                    await _kill_during_a_poll(host, api, lamassu, moments.uniform(0.05, 1.0))
                    await host.start()
                    api.http.base_url = httpx.URL(host.url)
                await api.poll(patience_s=60)
                status = await api.dca("GET", "status")
                assert status["gates"] == {}
                counts = status["cash_outs"]
                assert counts == {"completed": KILLS * SALES_PER_KILL}, counts
            finally:
                await host.stop()
                await api.close()
        prove_files(folder / "data")
