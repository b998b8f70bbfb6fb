"""Halts: what is stopped, by whom and why, and what lifts it (SAT-36, C-SAT-p).

A halt is a row that the settlement transaction, or the intake, reads itself (gates.py), so it is
honoured before the next settlement begins, in every process; LNbits and other users' wallets go on.
A halted machine's cash-outs, and those in which a halted client has a part, stay pending with the
reason and stop nobody else's. Settlement, everything and what was halted by itself are not lifted
here: work is resumed step by step (resuming.py).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from lnbits.helpers import urlsafe_short_hash
from loguru import logger

from .. import clock, crud
from ..adapters.audit import SYSTEM, record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.alert_said import Words
from ..errors import BadInput, NotFound, StateConflict
from .alerts import raise_alert, resolve_alerts
from .gates import (
    CLIENT,
    EVERYTHING,
    HALTS_MAX,
    INTAKE,
    MACHINE,
    PERSON,
    RESUMING,
    SETTLEMENT,
    STEP_BY_STEP,
)

SCOPES = (INTAKE, SETTLEMENT, MACHINE, CLIENT, EVERYTHING)
WHOLE = (SETTLEMENT, EVERYTHING)  # resumed step by step
HOST_KEY = "host_key"  # the server shows another key than the accepted one
LNBITS_VERSION = "lnbits_version"  # money work was never tried on this LNbits
HISTORY_MAX = 50
COLUMNS = "id, scope, subject, cause, reason, set_by, set_us, lifted_us, lifted_by, lift_reason"
HINTS = {
    INTAKE: "Nothing is read from the ATM server. Lift it when the reason is gone.",
    MACHINE: "Its cash-outs wait; all others are paid. Lift it when the reason is gone.",
    CLIENT: "Cash-outs with a part for this client wait. Lift it when the reason is gone.",
    SETTLEMENT: "Nothing is paid. Resume step by step under Setup, Health.",
    EVERYTHING: "Nothing is read or paid. Resume step by step under Setup, Health.",
}
SENTENCES = {
    INTAKE: "Intake is halted",
    MACHINE: "A machine is halted",
    CLIENT: "A client is halted",
    SETTLEMENT: "Settlement is halted",
    EVERYTHING: "Everything is halted",
}


async def put(scope: str, subject: str, reason: str, actor: str) -> Row:
    """Halt something. Raises BadInput for what there is not, StateConflict when it is halted."""
    if scope not in SCOPES:
        raise BadInput("There is no such scope", hint=f"Use one of: {', '.join(SCOPES)}.")
    if (scope in (MACHINE, CLIENT)) != bool(subject):
        raise BadInput("A machine or a client is halted by its id; anything else has none")
    halt_id = await settlement(
        partial(_put, scope=scope, subject=subject, cause=PERSON, reason=reason, actor=actor)
    )
    return await find(halt_id)


async def put_automatic(scope: str, cause: str, message: str, hint: str) -> None:
    """Halt by itself, once for a cause until it is lifted."""

    async def work(conn: BooksConnection) -> None:
        if await _active(conn, scope, "", cause) is None:
            await _put(conn, scope, "", cause, message, SYSTEM, hint)

    await settlement(work)


async def _put(
    conn: BooksConnection,
    scope: str,
    subject: str,
    cause: str,
    reason: str,
    actor: str,
    hint: str = "",
) -> str:
    now_us, halt_id = clock.now_us(), urlsafe_short_hash()
    await _refuse_unknown(conn, scope, subject)
    if await _active(conn, scope, subject, cause) is not None:
        raise StateConflict("It is halted already", hint="Lift that halt first, or leave it.")
    row = await conn.row("SELECT COUNT(*) AS n FROM satoshimachine.halts WHERE lifted_us IS NULL")
    if row and int(row["n"]) >= HALTS_MAX:
        raise StateConflict(f"{HALTS_MAX} halts are in place", hint="Halt everything instead.")
    facts = {"scope": scope, "subject": subject, "cause": cause, "reason": reason}
    halt = {"id": halt_id, **facts, "set_by": actor, "set_us": now_us}
    await conn.insert_rows("satoshimachine.halts", [halt])
    if scope in WHOLE:
        await crud.delete_meta(RESUMING, conn)  # its steps begin anew
    await record(conn, "halted", halt_id, facts, actor=actor, now_us=now_us, after={"halted": True})
    severity = "warning" if scope in (MACHINE, CLIENT) else "critical"
    message = f"{SENTENCES[scope]}: {reason}"
    await raise_alert(
        conn,
        f"halt:{halt_id}",
        "halt",
        severity,
        Words(message, hint or HINTS[scope]),
        subject or None,
    )
    said = f"event=halted scope={scope} subject={subject!r} by={actor} reason={reason!r}"
    conn.after_commit.append(partial(logger.critical, said))
    return halt_id


async def _refuse_unknown(conn: BooksConnection, scope: str, subject: str) -> None:
    """A halt of a mistyped id would stop nothing and look as if it did."""
    if scope not in (MACHINE, CLIENT):
        return
    table, column = (
        ("dca_clients", "id") if scope == CLIENT else ("lamassu_transactions", "device_id")
    )
    query = f"SELECT 1 AS one FROM satoshimachine.{table} WHERE {column} = :id LIMIT 1"
    if await crud.fetch_row(query, {"id": subject}, conn) is None:
        raise BadInput(f"There is no such {scope}", hint="Use the id that the lists show.")


async def _active(conn: BooksConnection, scope: str, subject: str, cause: str) -> Row | None:
    return await conn.row(
        "SELECT id FROM satoshimachine.halts WHERE lifted_us IS NULL AND scope = :scope"
        " AND subject = :subject AND cause = :cause LIMIT 1",
        {"scope": scope, "subject": subject, "cause": cause},
    )


async def host_key_halted() -> bool:
    """Only a changed host key halts intake: its server is asked again whether it is the right one,
    which tells it nothing.
    """
    rows = await crud.fetch_rows(
        "SELECT cause FROM satoshimachine.halts WHERE lifted_us IS NULL"
        f" AND scope IN ('intake', 'everything') LIMIT {HALTS_MAX}"
    )
    return bool(rows) and all(row["cause"] == HOST_KEY for row in rows)


async def lift(halt_id: str, reason: str, actor: str) -> Row:
    """What it stopped goes on. Raises NotFound, and StateConflict when it was lifted before, or is
    one that work is resumed from step by step.
    """

    async def work(conn: BooksConnection) -> None:
        halt = await find(halt_id, conn)
        if halt["scope"] in WHOLE:
            raise StateConflict(
                "Settlement is resumed step by step, not lifted",
                hint=STEP_BY_STEP,
            )
        if halt["cause"] != PERSON:
            raise StateConflict("What stopped by itself is resumed step by step", hint=STEP_BY_STEP)
        await lift_row(conn, halt, reason, actor)

    await settlement(work)
    return await find(halt_id)


async def lift_row(conn: BooksConnection, halt: Row, reason: str, actor: str) -> None:
    """Lift one inside a transaction. Raises StateConflict when it was lifted before."""
    now_us = clock.now_us()
    hit = await conn.changed(
        "UPDATE satoshimachine.halts SET lifted_us = :now, lifted_by = :actor,"
        " lift_reason = :reason WHERE id = :id AND lifted_us IS NULL",
        {"now": now_us, "actor": actor, "reason": reason, "id": halt["id"]},
    )
    if hit != 1:
        raise StateConflict("This halt was lifted before")
    await conn.execute(
        "UPDATE satoshimachine.lamassu_transactions SET halt_id = NULL, error_message = NULL"
        " WHERE status = 'pending' AND halt_id = :id",
        {"id": halt["id"]},
    )
    facts = {"scope": halt["scope"], "subject": halt["subject"], "reason": reason}
    await record(
        conn,
        "halt_lifted",
        halt["id"],
        facts,
        actor=actor,
        now_us=now_us,
        before={"halted": True},
        after={"halted": False},
    )
    await resolve_alerts(conn, f"halt:{halt['id']}", now_us)
    said = f"event=halt_lifted scope={halt['scope']} subject={halt['subject']!r} by={actor}"
    conn.after_commit.append(partial(logger.warning, said))


async def find(halt_id: str, conn: BooksConnection | None = None) -> Row:
    """One halt. Raises NotFound."""
    row = await crud.fetch_row(
        f"SELECT {COLUMNS} FROM satoshimachine.halts WHERE id = :id", {"id": halt_id}, conn
    )
    if row is None:
        raise NotFound("There is no such halt")
    return row


async def listed() -> dict[str, list[Any]]:
    """What is halted now, and what was lifted lately."""
    active = await crud.fetch_rows(
        f"SELECT {COLUMNS} FROM satoshimachine.halts WHERE lifted_us IS NULL"
        f" ORDER BY set_us DESC, id LIMIT {HALTS_MAX}"
    )
    lifted = await crud.fetch_rows(
        f"SELECT {COLUMNS} FROM satoshimachine.halts WHERE lifted_us IS NOT NULL"
        f" ORDER BY lifted_us DESC, id LIMIT {HISTORY_MAX}"
    )
    return {"active": active, "lifted": lifted}
