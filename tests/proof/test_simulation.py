"""Weeks of an ATM's life against the oracle (prove/simulation.py), and that its Lamassu is one.

The simulation reads Lamassu's table from memory. Whether that answers as PostgreSQL does is held
against PostgreSQL here, with rows of the simulation's own making.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from satmachineadmin.adapters.lamassu_postgres import (
    PAGE_ROWS_MAX,
    LamassuSource,
    SourceSettings,
    open_source,
)
from satmachineadmin.dev import sample_rows
from satmachineadmin.dev.embedded_lamassu import EmbeddedLamassu, sample_settings
from satmachineadmin.domain.days import datetime_utc
from satmachineadmin.prove.sim_sales import HOUR_US, Machine
from satmachineadmin.prove.sim_source import MemoryLamassu, MemorySource
from support.environment import CHECKOUT
from support.trouble import at

MEMORY = Path("/dev/shm")
SEEDS = {"sqlite": 200, "postgres": 6}
START_US = 1_790_000_000_000_000
DAY_US = 24 * HOUR_US


class Recorded(MemoryLamassu):
    """Remembers what was done to it, so that the same can be done to PostgreSQL."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[Any, ...]] = []

    def insert(self, rows: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> None:
        given = [rows] if isinstance(rows, Mapping) else list(rows)
        self.done.append(("insert", given))
        super().insert(given)

    def update(self, row_id: str, **changes: Any) -> None:
        self.done.append(("update", row_id, changes))
        super().update(row_id, **changes)

    def delete(self, row_id: str) -> None:
        self.done.append(("delete", row_id))
        super().delete(row_id)

    def bring_back(self, row_id: str) -> None:
        super().bring_back(row_id)
        times = ("created", "confirmed_at")
        stored = {**sample_rows.sale(), **self.rows[row_id]}
        moments = {n: stored[n] and datetime_utc(stored[n]) for n in times}
        self.done.append(("insert", [{**stored, **moments}]))

    async def repeat(self, lamassu: EmbeddedLamassu) -> None:
        for what, *given in self.done:
            if what == "insert":
                await lamassu.insert(given[0])
            elif what == "update":
                await lamassu.update(given[0], **given[1])
            else:
                await lamassu.execute("DELETE FROM cash_out_txs WHERE id = $1::text::uuid", *given)
        self.done.clear()


@pytest.fixture
async def real(lamassu: Any) -> AsyncIterator[LamassuSource]:
    """PostgreSQL's answers, as the reader's role gets them; without SSH, which changes none."""
    await lamassu.empty()
    settings = SourceSettings(**{**sample_settings(lamassu), "use_ssh_tunnel": False})
    async with open_source(settings) as source:
        yield source
    await lamassu.empty()


Look = dict[int, tuple[int, str]]


async def look(source: Any, from_us: int, start_us: int) -> Look:
    found = await source.look(created_from_us=from_us, start_at_us=start_us)
    hours = [bucket.hour_us for bucket in found.buckets]
    assert hours == sorted(set(hours))
    return {bucket.hour_us: (bucket.rows, bucket.digest) for bucket in found.buckets}


def changed(before: Look, after: Look) -> set[int]:
    return {hour for hour in set(before) | set(after) if before.get(hour) != after.get(hour)}


async def pages(source: Any, hour_us: int, start_us: int) -> list[list[Any]]:
    return [page async for page in source.rows_in_hour(hour_us, start_at_us=start_us)]


async def compare(memory: MemorySource, real: LamassuSource, ids: list[str], now: int) -> None:
    """Every question, asked of both."""
    known = [*ids, ids[0].upper(), f" {ids[0]} ", str(uuid4()), "no uuid", ids[0].replace("-", "")]
    assert await memory.rows_by_id(known) == await real.rows_by_id(known)
    for limit in (0, 3, 10_000):
        assert await memory.newest_rows(limit) == await real.newest_rows(limit)
    for start_us in (0, START_US + 5 * DAY_US, now):
        for until_us in (None, START_US + 9 * DAY_US + 1, now):
            ours = await memory.count_since(start_us, until_us)
            assert ours == await real.count_since(start_us, until_us)
        seen = await look(memory, 0, start_us)
        for hour_us in [*seen, START_US // HOUR_US * HOUR_US + 7 * HOUR_US]:
            ours_rows = await pages(memory, hour_us, start_us)
            assert ours_rows == await pages(real, hour_us, start_us)


@pytest.mark.parametrize("seed", range(1, 7))
async def test_lamassu_in_memory_answers_as_postgres(
    lamassu: Any, real: LamassuSource, seed: int
) -> None:
    rng, table, now = random.Random(seed), Recorded(), [START_US]
    machine = Machine(rng, table, lambda: now[0])
    machine.change_rate, machine.vanish_rate = 0.7, 0.4
    memory = MemorySource(table, lambda: now[0], 0)
    windows = ((0, 0), (START_US + 3 * DAY_US, START_US + 2 * DAY_US))
    before: dict[int, tuple[Look, Look]] = {n: ({}, {}) for n in range(len(windows))}
    for _ in range(25):
        earlier, now[0] = now[0], now[0] + rng.randint(1, 40) * HOUR_US
        machine.run(earlier)
        await table.repeat(lamassu)
        for number, (from_us, start_us) in enumerate(windows):
            ours = await look(memory, from_us, start_us)
            theirs = await look(real, from_us, start_us)
            assert {h: n for h, (n, _) in ours.items()} == {h: n for h, (n, _) in theirs.items()}
            was_ours, was_theirs = before[number]
            assert changed(was_ours, ours) == changed(was_theirs, theirs)
            before[number] = (ours, theirs)
    assert len(table.versions) > 10
    await compare(memory, real, sorted(table.versions), now[0])
    ours_probes, theirs_probes = await memory.probes(), await real.probes()
    for name in ("fixed_fee", "customers", "devices", "unpaired_devices"):
        assert getattr(ours_probes, name) == getattr(theirs_probes, name)


async def test_pages_of_one_microsecond(lamassu: Any, real: LamassuSource) -> None:
    """More rows of the same moment than a page holds."""
    table, moment = Recorded(), at("2026-09-20T10:00:00")
    table.insert([sample_rows.sale(confirmed_at=moment) for _ in range(2 * PAGE_ROWS_MAX + 3)])
    await table.repeat(lamassu)
    memory = MemorySource(table, lambda: START_US, 0)
    (hour_us,) = await look(memory, 0, 0)
    ours = await pages(memory, hour_us, 0)
    assert [len(page) for page in ours] == [PAGE_ROWS_MAX, PAGE_ROWS_MAX, 3]
    assert ours == await pages(real, hour_us, 0)


def simulate(*options: str) -> tuple[int, str, list[dict[str, Any]]]:
    """Run the part as `make prove` does: exit code, what it printed, its rows."""
    place = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="satm-", dir=place) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user when we are root
        result = Path(folder) / "result.json"
        done = subprocess.run(
            [sys.executable, "-m", "prove.simulation", str(result), *options],
            cwd=CHECKOUT,
            env={**os.environ, "TMPDIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        rows = json.loads(result.read_text())["rows"] if result.exists() else []
    return done.returncode, done.stdout, rows


@pytest.mark.timeout(600)
def test_weeks_of_an_atm() -> None:
    """200 seeds on SQLite, a few on PostgreSQL; a failing one prints itself. Each fourth is
    reconciled at its end; in `make prove` each one.
    """
    wanted = SEEDS[os.environ.get("SATM_TEST_DB", "sqlite")]
    code, said, rows = simulate("--seeds", str(wanted), "--alone", "--reconcile-every", "4")
    told = "\n".join(x for x in said.splitlines() if " | " not in x and "migration" not in x)
    assert code == 0, told[-6_000:]
    assert not any(row["failures"] for row in rows)
    assert rows[0]["covered"] >= wanted


@pytest.mark.sqlite_only
@pytest.mark.timeout(300)
def test_a_defect_is_noticed() -> None:
    """One of those that `make prove` puts in: a sat moves from one client to another."""
    code, said, (row,) = simulate("--only-breaks", "a sat moves between two clients")
    assert (code, row["covered"], row["failures"]) == (0, 1, 0), said[-3_000:]
