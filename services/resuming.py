"""The way back to work, step by step (SAT-28): checks green, one by hand, reconcile, go on.

While it lasts, no automatic settlement begins (gates.py reads RESUMING in its own transaction); a
new halt of the whole ends it, and it begins anew. Every step is in the audit trail. Afterwards a
day of closer watch: shorter checks, a reconciliation after every few cash-outs (schedules.py).
"""

from __future__ import annotations

from typing import Any

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.states import CashOutState
from ..errors import NotFound, StateConflict, WaitsForHalt
from ..models_reconciliation import Scope, ScopeKind
from . import halts, health, reconcile, settle
from .announce import announce_settled
from .gates import HALT, RESUMING, Halt, active_halts, gate_states, opening
from .health_source import BAD, DAY_US, UNKNOWN
from .readiness import require_ready

BY_HAND, RECONCILE = "by_hand", "reconcile"  # the step that comes next
PREFLIGHT = (
    *("ssh", "host_key", "database", "source_wallet"),
    *("trial", "lnbits", "schema", "disk", "audit_chain"),
)
META_WATCH = "closer_watch"
WATCH_US = DAY_US
TRIED_BY_HAND_MAX = 20  # those that turn out to be held, or wait for a halt, do not count


async def read() -> dict[str, Any]:
    """Where it stands: the step that comes next, what is in the way, the watch afterwards."""
    state = await crud.get_meta(RESUMING)
    gates = {name for name, gate in (await gate_states()).items() if not gate.get("accepted")}
    config = await crud.get_config()
    found = [halt for halt in await active_halts() if _resumed(halt)]
    stopped = bool(found) or HALT in gates  # also while it is being resumed: then it begins anew
    switched_off = bool(config and not config.polling_enabled)
    run_id = state.get("run_id") if state else None
    return {
        "needed": stopped or (switched_off and state is None),
        "step": state["step"] if state else None,
        "begun_us": state["begun_us"] if state else None,
        "steps": state["steps"] if state else [],
        "run": await _run(run_id) if run_id else None,
        "watch_until_us": await watched_until_us(),
    }


def _resumed(halt: Halt) -> bool:
    """It is not lifted by a button: it stops the whole, or nobody set it."""
    return halt.scope in halts.WHOLE or halt.automatic


async def watched_until_us() -> int | None:
    """Until when the work is watched more closely; None when it is not."""
    watch = await crud.get_meta(META_WATCH)
    return int(watch["until_us"]) if watch and clock.now_us() < int(watch["until_us"]) else None


async def begin(reason: str, actor: str) -> None:
    """Look at everything; when all is green, lift the halts of the whole and let work by hand.

    Raises StateConflict with what is not green, or when nothing is stopped.
    """
    if not (await read())["needed"]:
        raise StateConflict("Nothing is stopped that could be resumed")
    found = await health.check_health(look=True)
    red = [
        check for check in found.checks if check.name in PREFLIGHT and check.state in (BAD, UNKNOWN)
    ]
    if red:
        names = ", ".join(check.name for check in red)
        raise StateConflict(f"Not green yet: {names}. {red[0].detail}", hint=red[0].hint)

    async def work(conn: BooksConnection) -> None:
        for gate, state in (await crud.get_metas(("takeover", "restore"), conn)).items():
            if not state.get("accepted"):
                raise StateConflict(
                    f"First look at '{gate}': {state['message']}",
                    hint="It has a Resume button of its own under Overview, with what to do first.",
                )
        if await crud.get_meta(HALT, conn) is not None:
            await opening(conn, HALT, reason, actor)
        for halt in await active_halts(conn):
            if _resumed(halt):
                await halts.lift_row(conn, await halts.find(halt.id, conn), reason, actor)
        state = {"step": BY_HAND, "begun_us": clock.now_us(), "steps": []}
        await _go_on(conn, state, BY_HAND, actor, f"All checks are green. {reason}")

    await settlement(work)


async def settle_one(actor: str) -> dict[str, Any]:
    """Settle the oldest cash-out that waits, once, by hand; what came of it.

    Nothing waits: then the trial settlement, rolled back a moment ago, stands for it. Raises
    StateConflict out of turn, and what settling raises.
    """
    await _expect(BY_HAND)
    await require_ready()
    done = await _first_settled(actor)
    await announce_settled()
    detail = f"Cash-out {done} was settled by hand" if done else "No cash-out waited"

    async def work(conn: BooksConnection) -> None:
        await _go_on(conn, await _expect(BY_HAND, conn), RECONCILE, actor, detail)

    await settlement(work)
    return {"settled": done, "detail": detail}


async def _first_settled(actor: str) -> str | None:
    for cash_out_id in await settle.pending_ids(TRIED_BY_HAND_MAX):
        try:
            settled = await settle.settle_cash_out(cash_out_id, by_hand=True, actor=actor)
        except WaitsForHalt as exc:
            await settle.wait_for_halt(cash_out_id, exc.message, exc.halt_id)
            continue
        if settled.state is CashOutState.COMPLETED and settled.plan is not None:
            return settled.plan.given.lamassu_transaction_id
    return None


async def reconcile_it(actor: str) -> str:
    """Compare what happened since the last good reconciliation; the run's id.

    Raises StateConflict out of turn, or while another one runs.
    """
    await _expect(RECONCILE)
    run_id = await reconcile.queue(Scope(ScopeKind.SINCE_LAST), actor=actor)

    async def work(conn: BooksConnection) -> None:
        state = {**await _expect(RECONCILE, conn), "run_id": run_id}
        await _go_on(conn, state, RECONCILE, actor, f"Reconciliation {run_id} was begun")

    await settlement(work)
    reconcile.begin_soon()
    return run_id


async def finish(actor: str) -> None:
    """Automatic work again, with a day of closer watch.

    Raises StateConflict out of turn, or when the reconciliation did not end without a difference.
    """
    state = await _expect(RECONCILE)
    run = await _run(state.get("run_id"))
    if run is None or run["status"] in ("queued", "running"):
        raise StateConflict("The reconciliation has not ended", hint="Reconcile, and wait for it.")
    if run["status"] != "done" or run["mismatches"] or run["errors"]:
        raise StateConflict(
            f"The reconciliation is not clean: {run['mismatches']} differences,"
            f" {run['errors']} that could not be compared",
            hint="Open its findings, put them right, then reconcile again.",
        )

    async def work(conn: BooksConnection) -> None:
        state = await _expect(RECONCILE, conn)
        now_us = clock.now_us()
        await crud.delete_meta(RESUMING, conn)
        await crud.set_polling_enabled(True, now_us, conn)
        until = {"from_us": now_us, "until_us": now_us + WATCH_US}
        await crud.set_meta(META_WATCH, until, conn)
        facts = {"run": state.get("run_id"), "watched_until": clock.iso(until["until_us"])}
        await record(conn, "resumed", RESUMING, facts, actor=actor, now_us=now_us)

    await settlement(work)


async def _run(run_id: str | None) -> Row | None:
    try:
        return await reconcile.find(run_id) if run_id else None
    except NotFound:
        return None


async def _expect(step: str, conn: BooksConnection | None = None) -> dict[str, Any]:
    """The state, if this step is next. Raises StateConflict."""
    state: dict[str, Any] | None = await crud.get_meta(RESUMING, conn)
    if state is None:
        raise StateConflict("Work is not being resumed", hint="Begin with the checks.")
    if state["step"] != step:
        raise StateConflict("This is not the next step", hint="Follow the steps in their order.")
    return state


async def _go_on(
    conn: BooksConnection, state: dict[str, Any], step: str, actor: str, detail: str
) -> None:
    """One step is done, and on record; `step` comes next."""
    now_us = clock.now_us()
    done = {"at_us": now_us, "by": actor, "detail": detail}
    after = {**state, "step": step, "steps": [*state["steps"], done][-TRIED_BY_HAND_MAX:]}
    await crud.set_meta(RESUMING, after, conn)
    facts = {"next": step, "detail": detail}
    await record(conn, "resuming", RESUMING, facts, actor=actor, now_us=now_us)
