"""RECONCILE: prove that Lamassu, plans, ledger and wallets are the same, and name what is not.

One run at a time, by a lease. A run is queued, worked off in slices between which everybody else
comes first, can be cancelled, and goes on where it stood after a stop. Its parts are in
`services/reconcile_*.py`; what a finding becomes is findings.py. Nothing here moves money.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

from lnbits.helpers import urlsafe_short_hash
from loguru import logger

from .. import clock, crud
from ..adapters.audit import SYSTEM, record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row, one_connection, own
from ..domain.alert_said import said
from ..domain.verdicts import Link, Verdict
from ..errors import NotFound, SatMachineError, StateConflict
from ..migrations import SCHEMA_VERSION
from ..models_reconciliation import Scope, ScopeKind
from . import reconcile_orphans as orphans
from . import reconcile_whole as whole
from .alerts import alert_error, alert_now, resolve_now
from .doorbell import doorbell
from .findings import counts
from .observe import WINDOW_US
from .reconcile_cash_outs import read_slice, tie_out
from .reconcile_compare import comparer
from .reconcile_corrections import corrections
from .reconcile_run import ALERT_KEY, RUN, UNSTORED_KEY, Cancelled, Run
from .reconcile_scope import changed_since, clauses_of, count_of, narrowed, slice_of
from .reconcile_source import NEW_ROWS_FROM_US, SourceSide

LEASE = "reconcile"
LEASE_US = 60 * 1_000_000
RENEW_EVERY_S = 15
LOOK_AGAIN_S = 0.5
FAILED_KEY = "reconciliation_failed"
HOLDER = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"

_working: set[asyncio.Task[None]] = set()
_lock = asyncio.Lock()


async def queue(scope: Scope, *, cause: str = "manual", actor: str = SYSTEM) -> str:
    """Queue a run; its id. Raises StateConflict while another one is queued or running."""
    run_id, now_us = urlsafe_short_hash(), clock.now_us()

    async def work(conn: BooksConnection) -> None:
        busy = await conn.row(f"SELECT id FROM {RUN} WHERE status IN ('queued', 'running') LIMIT 1")
        if busy is not None:
            raise StateConflict(
                "A reconciliation is running", hint="Wait until it ends, or cancel it."
            )
        await conn.insert_rows(
            RUN,
            [
                {
                    "id": run_id,
                    "cause": cause,
                    "kind": scope.kind.value,
                    "scope": json.dumps(scope.plain(), sort_keys=True),
                    "status": "queued",
                    "actor": actor,
                    "schema_version": SCHEMA_VERSION,
                    "queued_us": now_us,
                }
            ],
        )
        detail = {"run": run_id, "cause": cause, **scope.plain()}
        await record(conn, "reconciliation_queued", run_id, detail, actor=actor, now_us=now_us)

    await settlement(work)
    return run_id


def begin_soon() -> None:
    """Work the queue off in the background of this process."""
    task = asyncio.get_running_loop().create_task(_work_quietly())
    _working.add(task)
    task.add_done_callback(_working.discard)


async def _work_quietly() -> None:
    try:
        await work_off()
    except SatMachineError as exc:
        logger.warning(f"event=reconciliation_left code={exc.code} message={exc.message}")


async def stop_working() -> None:
    """This process ends: the run goes on in the next one, from where it was last stored."""
    for task in list(_working):
        task.cancel()
    await asyncio.gather(*_working, return_exceptions=True)


async def run_now(scope: Scope, *, cause: str = "manual", actor: str = SYSTEM) -> str:
    """Reconcile and wait for the end, whichever process works on it; the run's id."""
    run_id = await queue(scope, cause=cause, actor=actor)
    await work_off()
    while (await find(run_id))["status"] in ("queued", "running"):
        await asyncio.sleep(LOOK_AGAIN_S)
        await work_off()
    return run_id


async def cancel(run_id: str, actor: str) -> Row:
    """Stop a run after its present slice. Raises NotFound or StateConflict."""
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> None:
        await find(run_id, conn)
        hit = await conn.changed(
            f"UPDATE {RUN} SET status = 'cancelled', reconciled_at_us = :now"
            " WHERE id = :id AND status IN ('queued', 'running')",
            {"id": run_id, "now": now_us},
        )
        if hit != 1:
            raise StateConflict("This reconciliation has ended")
        await record(conn, "reconciliation_cancelled", run_id, {}, actor=actor, now_us=now_us)

    await settlement(work)
    return await find(run_id)


async def find(run_id: str, conn: BooksConnection | None = None) -> Row:
    """One run. Raises NotFound."""
    row = await crud.fetch_row(f"SELECT * FROM {RUN} WHERE id = :id", {"id": run_id}, conn)
    if row is None:
        raise NotFound("There is no such reconciliation")
    return row


async def work_off() -> None:
    """Work on the run that waits or was interrupted, if nobody does."""
    if _lock.locked():
        return
    async with _lock:
        row = await crud.fetch_row(
            f"SELECT id FROM {RUN} WHERE status IN ('queued', 'running')"
            " ORDER BY queued_us LIMIT 1"
        )
        if row is None or not await _take_lease():
            return
        renewal = asyncio.ensure_future(_renew_lease())
        try:
            await _work(str(row["id"]))
        finally:
            renewal.cancel()
            await crud.give_lease(LEASE, HOLDER)
            doorbell.ring()


async def _take_lease() -> bool:
    now_us = clock.now_us()
    return await crud.take_lease(LEASE, HOLDER, now_us, now_us + LEASE_US)


async def _renew_lease() -> None:
    while True:
        await asyncio.sleep(RENEW_EVERY_S)
        await _take_lease()


async def _work(run_id: str) -> None:
    run = await _begin(run_id)
    if run is None:
        return
    try:
        async with one_connection():
            await _phases(run)
        await _finish(run)
    except Cancelled:
        logger.info(f"event=reconciliation_cancelled run={run_id}")
    except SatMachineError as exc:
        await _fail(run, exc)
        raise
    except Exception as exc:
        # Not again and again: the run ends, and the next one that is due begins anew.
        what = f"An error of this program: {type(exc).__name__}"
        await _fail(run, SatMachineError(what, hint="LNbits' log has the details."))
        raise


async def _begin(run_id: str) -> Run | None:
    row = await find(run_id)
    scope = json.loads(row["scope"])
    if row["status"] == "running":
        run = Run(run_id, scope, json.loads(row["marks"]))
        run.restore(row)
        return run
    marks = await _marks()
    hit = await crud.write(
        f"UPDATE {RUN} SET status = 'running', started_us = :now, marks = :marks"
        " WHERE id = :id AND status = 'queued'",
        {"id": run_id, "now": clock.now_us(), "marks": json.dumps(marks)},
    )
    return Run(run_id, scope, marks) if hit == 1 else None


async def _marks() -> dict[str, int]:
    """Up to where the books are now, and where the last good run stood: what lies between."""

    async def work(conn: BooksConnection) -> dict[str, int]:
        audit = await conn.row("SELECT COALESCE(MAX(seq), 0) AS seq FROM satoshimachine.audit_log")
        last = await conn.row(
            f"SELECT marks FROM {RUN} WHERE status = 'done' AND errors = 0"
            " AND cause <> 'tool' AND marks IS NOT NULL AND kind IN ('everything', 'since_last')"
            " ORDER BY queued_us DESC LIMIT 1",
        )
        before = json.loads(last["marks"]) if last else {}
        return {
            "audit": int(audit["seq"]) if audit else 0,
            "ledger": await whole.last_entry(conn),
            "at_us": clock.now_us(),
            **{f"last_{name}": before.get(name, 0) for name in ("audit", "ledger", "at_us")},
        }

    return await own(work)


PHASES = (
    *("cash_outs", "source", "shares", "movements", "ledger", "deposits", "balances", "wallets"),
    "audit",
)


async def _phases(run: Run) -> None:
    """Each phase once; after a stop from the one that was begun."""
    scope, marks = Scope.of(run.scope), run.marks
    since = scope.kind is ScopeKind.SINCE_LAST and marks["last_at_us"] > 0
    full = scope.kind is ScopeKind.EVERYTHING or (scope.kind is ScopeKind.SINCE_LAST and not since)
    reached = run.phase if run.phase in PHASES else PHASES[0]
    left = set(PHASES[PHASES.index(reached) :])
    source = SourceSide(scope.page_rows)
    from_us = 0 if full else marks["last_at_us" if since else "at_us"] - NEW_ROWS_FROM_US
    hours_from_us = 0 if full else min(from_us, marks["at_us"] - WINDOW_US)
    async with _opened(source, hours_from_us):
        if "cash_outs" in left:
            await _cash_outs(run, scope, source, since)
        if (full or since) and "source" in left:
            await source.look_for_unknown(run, from_us)
    if source.problem is not None:
        side = whole.side_error(Link.SOURCE.value, source.problem)
        run.count(Verdict.ERROR)
        await run.found([], [side])
    if full and left & {"shares", "movements"}:
        await orphans.strays(run)
    if full or since:
        await _whole_books(run, left, full)
    elif scope.kind is ScopeKind.CLIENT and "balances" in left:
        await whole.balances(run, scope.client)


async def _whole_books(run: Run, left: set[str], full: bool) -> None:
    marks = run.marks
    if "ledger" in left:
        await whole.ledger(run, 0 if full else marks["last_ledger"], marks["ledger"])
    if "deposits" in left and full:
        await whole.deposits(run)
    elif "deposits" in left:
        decided = await changed_since(marks["last_audit"], marks["audit"], "deposit")
        await whole.deposits_among(run, decided)
    if "balances" in left:
        await whole.balances(run)
    if "wallets" in left:
        await orphans.wallets(run, None if full else marks["last_at_us"])
        await corrections(run)
    if full:
        await _audit(run)


async def _audit(run: Run) -> None:
    try:
        await whole.audit(run)
    except StateConflict as exc:  # somebody else verifies it now
        run.count(Verdict.ERROR)
        await run.found([], [whole.side_error(Link.AUDIT.value, exc)])


@asynccontextmanager
async def _opened(source: SourceSide, hours_from_us: int) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        await source.open(stack, hours_from_us)
        yield


async def _cash_outs(run: Run, scope: Scope, source: SourceSide, since: bool) -> None:
    ids: Sequence[str] | None = None
    zone = (await crud.get_settings()).time_zone
    if since:
        ids = await narrowed(run.marks)
    clauses = clauses_of(scope, zone)
    await run.begin("cash_outs", await count_of(clauses, ids))
    after = str(run.cursor.get("after", ""))
    part = await slice_of(clauses, ids, after, scope.page_rows)
    found = await read_slice(part, source)
    async with comparer(run.expected - run.done) as compare:
        while part:
            after = part[-1]
            part = await slice_of(clauses, ids, after, scope.page_rows)
            found = await tie_out(run, found, source, compare, part)
            await run.step(after=after)


async def _finish(run: Run) -> None:
    """The alert first, then the run: its end must not hide what it found."""
    unresolved = await counts()
    totals = run.totals()
    logger.info(
        f"event=reconciliation_done run={run.id} total={totals['total']}"
        f" matches={totals['matches']} mismatches={totals['mismatches']}"
        f" errors={totals['errors']} in_flight={totals['in_flight']}"
        f" open_findings={unresolved['open']}"
    )
    if unresolved["open"]:
        number = unresolved["open"]
        await alert_now(
            ALERT_KEY,
            "reconciliation_mismatch",
            "info",  # how much it is decides services/watch.py: more than 100 sats is critical
            said("reconciliation_mismatch", n=number),
        )
    elif not run.looked_at["slices_not_stored"]:
        await resolve_now(ALERT_KEY)
    await resolve_now(FAILED_KEY, *(() if run.looked_at["slices_not_stored"] else (UNSTORED_KEY,)))
    await _end(run, "done", None)


async def _fail(run: Run, error: SatMachineError) -> None:
    """Our own database failed or stayed busy: a busy one is tried again from the cursor."""
    logger.error(f"event=reconciliation_failed run={run.id} code={error.code} {error.message}")
    if error.code == "DATABASE_BUSY":
        return
    await alert_error(FAILED_KEY, "reconciliation_failed", "warning", error)
    await _end(run, "failed", error)


async def _end(run: Run, status: str, error: SatMachineError | None) -> None:
    values: Mapping[str, Any] = {
        "id": run.id,
        "status": status,
        "phase": "done",
        "done": run.done,
        "reconciled_at_us": clock.now_us(),
        "error_code": error.code if error else None,
        "error_message": error.message if error else None,
        "hint": error.hint if error else None,
        **run.totals(),
    }
    changes = ", ".join(f"{name} = :{name}" for name in values if name != "id")
    try:
        await crud.write(
            f"UPDATE {RUN} SET {changes} WHERE id = :id AND status = 'running'", values
        )
    except SatMachineError as exc:
        await run.not_stored(exc)
