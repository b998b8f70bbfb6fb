"""A real LNbits and a real Lamassu, with a relay on each wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu
from support.books import remember_start
from support.environment import Environment
from support.lnbits_app import SUPERUSER, enabled_client, running_lnbits
from support.operator import Operator
from support.postgres import postgres

from .fault_bench import Bench
from .fault_relay import Relay


@asynccontextmanager
async def running_bench(
    environment: Environment, database: Relay | None = None
) -> AsyncIterator[Bench]:
    """Everything started; background ticks stopped."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(postgres(environment))
        if database is not None:
            await stack.enter_async_context(database)
        app = await stack.enter_async_context(running_lnbits())
        lamassu = await stack.enter_async_context(EmbeddedLamassu(environment.folder / "lamassu"))
        ssh = await stack.enter_async_context(Relay(lamassu.ssh_port))
        far = await stack.enter_async_context(Relay(lamassu.pg_port))
        await remember_start()
        http = await stack.enter_async_context(enabled_client(app, SUPERUSER))
        yield Bench(Operator(http, lamassu), ssh, far, database)
