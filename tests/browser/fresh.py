"""An LNbits that was just installed, a Lamassu with sales, and an operator with nothing but a
browser: what somebody has who meets the extension for the first time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from browser.stage import CLIENT, OPERATOR, PASSWORD

if TYPE_CHECKING:
    from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu
    from satmachineadmin.dev.lnbits_api import LnbitsApi

SALES = 3  # an hour apart, the last an hour ago


@dataclass
class Fresh:
    """Nothing is set up here."""

    url: str
    api: LnbitsApi  # for looking only
    lamassu: EmbeddedLamassu
    client_id: str  # the LNbits user who will be a client
    client_wallet: str


@asynccontextmanager
async def freshly_installed(folder: Path) -> AsyncIterator[Fresh]:
    from satmachineadmin.dev import sample_rows as sample
    from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu
    from satmachineadmin.dev.lnbits_api import LnbitsApi
    from satmachineadmin.dev.lnbits_host import LnbitsHost

    host = LnbitsHost(folder / "lnbits", "only-for-tests-0123456789-0123456789", prefers=0)
    async with EmbeddedLamassu(folder / "lamassu") as lamassu:
        try:
            await host.start()
            api = LnbitsApi(host.url)
            await api.login(OPERATOR, PASSWORD)
            await api.enable_extension()
            client_id = await api.account(CLIENT, PASSWORD)
            wallet = (await api.wallets(client_id))[0].id
            for name in ("ATM", "Commission"):
                await api.own_wallet(name)
            now = datetime.now(timezone.utc)
            for hours in range(SALES, 0, -1):
                moment = now - timedelta(hours=hours)
                await lamassu.insert(sample.sale(fiat=100 * hours, confirmed_at=moment))
            yield Fresh(host.url, api, lamassu, client_id, wallet)
            await api.close()
        finally:
            await host.stop()
