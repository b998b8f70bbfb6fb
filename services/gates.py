"""What stops money work: the operator's switch, a halt, and facts a person must look at first.

All of them are rows that the settlement transaction reads itself, so that a stop is honoured
before the next settlement starts, whoever set it and in whichever process.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from loguru import logger

from .. import clock, crud
from ..adapters import marker
from ..adapters.audit import record
from ..adapters.settlement import settlement
from ..database import BooksConnection
from ..errors import BadInput, NotReady, PollingDisabled, SatMachineError
from ..models import OperatorSettings, StoredConfig
from .alerts import raise_alert, resolve_alerts

HALT = "halt"
TAKEOVER = "takeover"  # an earlier extension's books were found
RESTORE = "restore"  # a database seems to have been put back from a backup
GATES = (HALT, TAKEOVER, RESTORE)

RESTORE_ACCEPTED = "restore_accepted"  # the difference that a person looked at and accepted


@dataclass(frozen=True)
class Standing:
    """What the operator set, as read in this transaction."""

    config: StoredConfig | None
    settings: OperatorSettings


async def refuse_if_stopped(conn: BooksConnection, *, by_hand: bool) -> Standing:
    """Raise when money work must not start now; what was read for that, for what follows.

    `by_hand`: one named cash-out or share that a person asked for. It may go on while automatic
    work is switched off (that is how work is resumed), but never while something is halted.
    """
    settings, gates = await crud.get_settings_and_metas(GATES, conn)
    for found in gates.values():
        if not found.get("accepted"):
            raise NotReady(found["message"], hint=found["hint"])
    config = await crud.get_config(conn)
    if not by_hand and (config is None or not config.polling_enabled):
        raise PollingDisabled("Automatic work is switched off")
    return Standing(config, settings)


async def close_gate(gate: str, message: str, hint: str, facts: dict[str, Any]) -> None:
    """Stop money work until a person opens this gate again; the first reason stays."""
    now_us = clock.now_us()
    body = {"message": message, "hint": hint, "since_us": now_us, "facts": facts}

    async def work(conn: BooksConnection) -> bool:
        if not await crud.add_meta(gate, body, conn):
            return False
        after = {"closed": True}
        await record(conn, f"{gate}_closed", gate, body, now_us=now_us, after=after)
        await raise_alert(conn, f"gate:{gate}", gate, "critical", message, hint)
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
    """A person looked and lets money work go on. `takeover` stays on record as accepted."""
    if gate not in GATES:
        raise BadInput("This cannot be resumed", hint="Resume halt, takeover or restore.")
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> None:
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

    await settlement(work)
    logger.warning(f"event=money_work_resumed gate={gate} actor={actor}")
