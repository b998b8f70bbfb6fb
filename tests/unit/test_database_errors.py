"""What a driver raises becomes one of our errors, also where SQLAlchemy lets it through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from satmachineadmin.database import patiently
from satmachineadmin.errors import DatabaseFailed
from sqlalchemy.ext.asyncio import create_async_engine


@asynccontextmanager
async def hangs_up(after: bytes) -> AsyncIterator[int]:
    """A server that reads the first message, says this much and hangs up; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(after)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "after",
    [b"", b"R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"],
    ids=["at once", "in the login"],
)
async def test_a_login_that_is_cut_is_a_failed_database(after: bytes) -> None:
    async with hangs_up(after) as port:
        engine = create_async_engine(
            f"postgresql+asyncpg://lnbits:x@127.0.0.1:{port}/lnbits", connect_args={"ssl": False}
        )

        async def look() -> None:
            async with engine.connect():
                pass

        with pytest.raises(DatabaseFailed, match="does not work"):
            await patiently(look)
        await engine.dispose()
