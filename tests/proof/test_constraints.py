"""Every constraint and trigger of the live schema refuses what it is there for (issue 3)."""

from __future__ import annotations

import asyncpg
import pytest
from lnbits.settings import settings
from support.constraint_benches import PostgresBench, SqliteBench
from support.constraints import Guard, expected, problems


@pytest.mark.sqlite_only
async def test_every_guard_of_the_schema_on_sqlite(clean_books: None) -> None:
    """Enumerated from sqlite_master: none without a violator, no violator that goes in."""
    from satmachineadmin.crud import db

    async with db.lock:
        bench = SqliteBench.of_file(db.path)
        try:
            assert await problems(bench) == []
        finally:
            bench.close()


@pytest.mark.postgres_only
async def test_every_guard_of_the_schema_on_postgres(clean_books: None) -> None:
    """Enumerated from pg_catalog."""
    raw = await asyncpg.connect(settings.lnbits_database_url)
    try:
        assert await problems(PostgresBench(raw)) == []
    finally:
        await raw.close()


@pytest.mark.sqlite_only
async def test_a_guard_that_comes_or_goes_is_named(clean_books: None) -> None:
    """The enumeration itself can fail: one guard too many, one too few."""
    from satmachineadmin.crud import db

    async with db.lock:
        bench = SqliteBench.of_file(db.path)
        try:
            bench.raw.execute("BEGIN")
            bench.raw.execute("DROP TRIGGER satoshimachine.audit_log_no_update")
            bench.raw.execute("CREATE UNIQUE INDEX satoshimachine.new ON polls (started_us)")
            found = await bench.guards()
        finally:
            bench.close()
    assert expected() - found == {Guard("trigger", "audit_log", "audit_log_no_update")}
    assert found - expected() == {Guard("unique", "polls", "started_us")}
