"""The places of the fault matrix, and the drill that most of them are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from support.proof import prove

from .fault_bench import Bench, Outcome, check

Breaking = Callable[[Bench], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Must:
    """What a fault has to lead to."""

    error: str = "none"
    sale: str = "not stored"
    alerts: str = "poll_failed (warning)"
    moves: bool = False  # the sale is paid in spite of the fault
    by: str = ""  # what a person does before the next tick


async def drill(bench: Bench, broken: Breaking, must: Must) -> Outcome:
    """One fault: attempt, look, repair, recover."""
    outcome = Outcome(recovery=must.by)
    before = await bench.facts()
    async with broken(bench):
        error = await bench.attempt()
        await bench.nothing_held()
    await bench.told(error, outcome)
    after = await bench.facts()
    outcome.sale, outcome.alerts = await bench.state(), await bench.alerts()
    await _same(bench, outcome, must, before, after)
    await bench.no_lease()
    await prove()
    await bench.recovers(outcome)
    if must.moves:
        outcome.recovery = "not needed"
    return outcome


async def _same(
    bench: Bench, outcome: Outcome, must: Must, before: tuple[Any, Any], after: tuple[Any, Any]
) -> None:
    found = (outcome.error, outcome.sale, outcome.alerts)
    wanted = (must.error, must.sale, must.alerts)
    check(found == wanted, f"found {found}, must be {wanted}")
    if must.moves:
        outcome.notes.append("paid in spite of it")
        return
    check(after[0] == before[0], f"sats moved: {before[0]} became {after[0]}")
    outcome.notes.append("nothing moved")
    if outcome.sale == "not stored":
        check(after[1] == before[1], "the source counts as read although it was not")
        outcome.notes.append("cursor not moved")


# ---- the register ------------------------------------------------------------------------------

Run = Callable[[Bench], Awaitable[Outcome]]


@dataclass(frozen=True)
class Cell:
    """One place of the table. Without `run` it cannot happen, and `how` says why."""

    port: str
    fault: str
    how: str
    run: Run | None = None
    databases: tuple[str, ...] = ("sqlite",)


CELLS: dict[tuple[str, str, str], Cell] = {}
BOTH = ("sqlite", "postgres")


def register(cell: Cell) -> None:
    """Give a cell its place; two in one place are a mistake."""
    for name in cell.databases:
        key = (cell.port, cell.fault, name)
        if key in CELLS:
            raise ValueError(f"two cells at {key}")
        CELLS[key] = cell


def fault(
    port: str, name: str, must: Must, *, on: tuple[str, ...] = ("sqlite",)
) -> Callable[[Callable[[Bench], AsyncIterator[None]]], Breaking]:
    """A cell from a fault that is there while the block runs; its docstring says how."""

    def add(make: Callable[[Bench], AsyncIterator[None]]) -> Breaking:
        broken = asynccontextmanager(make)
        how = " ".join((make.__doc__ or "").split())
        register(Cell(port, name, how, partial(drill, broken=broken, must=must), on))
        return broken

    return add


def scene(port: str, name: str, *, on: tuple[str, ...] = ("sqlite",)) -> Callable[[Run], Run]:
    """A cell that tells its story itself."""

    def add(run: Run) -> Run:
        register(Cell(port, name, " ".join((run.__doc__ or "").split()), run, on))
        return run

    return add


def cannot(port: str, name: str, why: str, *, on: tuple[str, ...] = ("sqlite",)) -> None:
    """A place of the table that is empty, and why."""
    register(Cell(port, name, why, None, on))
