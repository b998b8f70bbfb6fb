"""What stops money work: the operator's switch, a halt, and facts a person must look at first.

All of them are rows that the settlement transaction reads itself, so that a stop is honoured
before the next settlement starts, whoever set it and in whichever process.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from loguru import logger

from .. import clock, crud
from ..adapters import marker
from ..adapters.audit import record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.alert_said import Words
from ..errors import (
    BadInput,
    Halted,
    NotReady,
    PollingDisabled,
    SatMachineError,
    StateConflict,
    WaitsForHalt,
)
from ..models import OperatorSettings, StoredConfig
from .alerts import raise_alert, resolve_alerts

HALT = "halt"
TAKEOVER = "takeover"  # an earlier extension's books were found
RESTORE = "restore"  # a database seems to have been put back from a backup
GATES = (HALT, TAKEOVER, RESTORE)
HALTS_MAX = 500  # every settlement reads them

RESTORE_ACCEPTED = "restore_accepted"  # the difference that a person looked at and accepted


STEP_BY_STEP = "Begin under Setup, Health: one cash-out by hand, reconcile, then automatic work."
RESUMING = "resuming"  # work is being resumed step by step (services/resuming.py)

PERSON = "person"  # who set a halt, where no fault was found by the product itself
INTAKE, SETTLEMENT, MACHINE, CLIENT, EVERYTHING = (
    *("intake", "settlement", "machine", "client", "everything"),
)


@dataclass(frozen=True)
class Halt:
    """A row of `halts` that nobody lifted yet."""

    id: str
    scope: str
    subject: str
    reason: str
    cause: str = PERSON

    @property
    def automatic(self) -> bool:
        """Nobody set it: it was found by the product itself."""
        return self.cause != PERSON


@dataclass(frozen=True)
class Standing:
    """What the operator set, as read in this transaction."""

    config: StoredConfig | None
    settings: OperatorSettings
    halts: tuple[Halt, ...] = ()


async def refuse_if_stopped(conn: BooksConnection, *, by_hand: bool) -> Standing:
    """Raise when money work must not start now; what was read for that, for what follows.

    `by_hand`: one named cash-out or share that a person asked for. It may go on while automatic
    work is switched off (that is how work is resumed), but never while something is halted.
    """
    names = (*GATES, RESUMING)
    settings, gates, rows = await crud.get_settings_metas_and_halts(names, conn)
    resuming = gates.pop(RESUMING, None)
    for found in gates.values():
        if not found.get("accepted"):
            raise NotReady(found["message"], hint=found["hint"])
    halts = tuple(Halt(*row) for row in rows)
    _refuse_scope(halts, (SETTLEMENT, EVERYTHING), "Settlement is halted")
    if resuming is not None and not by_hand:
        raise PollingDisabled(
            "Work is being resumed step by step", hint="Finish the steps under Setup, Health."
        )
    config = await crud.get_config(conn)
    if not by_hand and (config is None or not config.polling_enabled):
        raise PollingDisabled("Automatic work is switched off")
    return Standing(config, settings, halts)


async def active_halts(conn: BooksConnection | None = None) -> list[Halt]:
    """What is halted now, oldest first."""
    rows = await crud.fetch_rows(
        "SELECT id, scope, subject, reason, cause FROM satoshimachine.halts"
        f" WHERE lifted_us IS NULL ORDER BY set_us, id LIMIT {HALTS_MAX}",
        None,
        conn,
    )
    names = ("id", "scope", "subject", "reason", "cause")
    return [Halt(*(str(row[name]) for name in names)) for row in rows]


async def refuse_switching_on(conn: BooksConnection) -> None:
    """Raise StateConflict where work stopped by itself: the switch alone would hide that nobody
    went the way back. Where a person stopped it, a switch is a switch.
    """
    found = await crud.get_meta(HALT, conn)
    reasons = [str(found["message"])] if found is not None else []
    reasons += [halt.reason for halt in await active_halts(conn) if halt.automatic]
    if reasons:
        raise StateConflict(f"Work stopped by itself: {reasons[0]}", hint=STEP_BY_STEP)


async def refuse_intake(conn: BooksConnection | None = None) -> None:
    """Raise Halted while nothing may be taken in from the source."""
    _refuse_scope(await active_halts(conn), (INTAKE, EVERYTHING), "Intake is halted")


def _refuse_scope(halts: Sequence[Halt], scopes: Collection[str], sentence: str) -> None:
    for halt in halts:
        if halt.scope in scopes:
            steps = halt.automatic or halt.scope in (SETTLEMENT, EVERYTHING)
            hint = STEP_BY_STEP if steps else None
            raise Halted(f"{sentence}: {halt.reason}", hint=hint, halt_id=halt.id)


def refuse_subjects(halts: Sequence[Halt], cash_out: Row, client_ids: Collection[str]) -> None:
    """Raise WaitsForHalt when this machine, or a client with a part in it, is halted.

    It waits as a whole: paying it without that client would give their part to the others.
    """
    for halt in halts:
        if halt.scope == MACHINE and halt.subject == cash_out["device_id"]:
            raise WaitsForHalt(f"Its machine is halted: {halt.reason}", halt_id=halt.id)
        if halt.scope == CLIENT and halt.subject in client_ids:
            raise WaitsForHalt(f"A client in it is halted: {halt.reason}", halt_id=halt.id)


async def close_gate(gate: str, message: str, hint: str, facts: dict[str, Any]) -> None:
    """Stop money work until a person opens this gate again; the first reason stays."""
    now_us = clock.now_us()
    body = {"message": message, "hint": hint, "since_us": now_us, "facts": facts}

    async def work(conn: BooksConnection) -> bool:
        if not await crud.add_meta(gate, body, conn):
            return False
        after = {"closed": True}
        await record(conn, f"{gate}_closed", gate, body, now_us=now_us, after=after)
        await raise_alert(conn, f"gate:{gate}", gate, "critical", Words(message, hint))
        return True

    if await settlement(work):
        logger.critical(f"event=money_work_stopped gate={gate} message={message!r}")


async def halt(error: SatMachineError) -> None:
    """An invariant broke: nothing moves until a person resumes it."""
    await close_gate(HALT, error.message, error.hint, {"code": error.code, **error.facts})


async def gate_states() -> dict[str, Any]:
    """The gates that are closed or were accepted, for the page."""
    return await crud.get_metas(GATES)


async def open_gate(gate: str, reason: str, actor: str) -> None:
    """A person looked and lets money work go on. `takeover` stays on record as accepted.

    Raises StateConflict for `halt`: that is opened by the first step of resuming.py alone.
    """
    if gate not in GATES:
        raise BadInput("This cannot be resumed", hint="Resume takeover or restore.")
    if gate == HALT and await crud.get_meta(HALT) is not None:
        raise StateConflict("What stopped by itself is resumed step by step", hint=STEP_BY_STEP)
    await settlement(lambda conn: opening(conn, gate, reason, actor))
    logger.warning(f"event=money_work_resumed gate={gate} actor={actor}")


async def opening(conn: BooksConnection, gate: str, reason: str, actor: str) -> None:
    """Open a gate inside a transaction. Raises BadInput when it is not closed."""
    now_us = clock.now_us()
    state = await crud.get_meta(gate, conn)
    if state is None or state.get("accepted"):
        raise BadInput("Nothing is stopped here")
    if gate == TAKEOVER:
        await crud.set_meta(gate, {**state, "accepted": True, "accepted_us": now_us}, conn)
    else:
        await crud.delete_meta(gate, conn)
    if gate == RESTORE:
        await crud.set_meta(RESTORE_ACCEPTED, state["facts"], conn)
        last = await conn.row("SELECT MAX(seq) AS seq FROM satoshimachine.ledger_entries")
        seq = int(last["seq"] or 0) if last else 0
        conn.after_commit.append(partial(marker.advance, seq))
    await record(
        conn,
        f"{gate}_opened",
        gate,
        {"reason": reason, **state},
        actor=actor,
        now_us=now_us,
        before={"closed": True},
        after={"closed": False},
    )
    await resolve_alerts(conn, f"gate:{gate}", now_us)
