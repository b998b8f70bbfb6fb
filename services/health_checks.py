"""The checks of health, one function each: how it is now, in a sentence, and the next step.

They read what is stored and change nothing. A real look (SSH, the audit chain) is made by
services/health.py and stored; these say what came of it. docs/health.md lists the thresholds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from .. import crud
from ..adapters import disk
from ..books import MOMENT
from ..database import Row
from ..errors import SatMachineError
from ..lnbits_version import require_supported
from ..migrations import SCHEMA_VERSION
from . import findings, funds, readiness
from . import health_source as source
from .gates import CLIENT, GATES, MACHINE, active_halts, gate_states
from .health_said import GATE, PROBLEMS, Found, passed_on, said
from .health_source import BAD, DAY_US, HOUR_US, MINUTE_US, OK, UNKNOWN, WARN, Seen, span
from .reconcile_view import last_run

UNSETTLED_BAD_US = 15 * MINUTE_US  # SAT-50, the one meaning of "stuck" (C-SAT-f)
HELD_BAD_US = DAY_US
RECONCILED_WARN_US = 26 * HOUR_US  # daily, and two hours of slack
CHAIN_WARN_US = 8 * DAY_US  # walked by every real look, by the weekly report at the latest
RUNWAY_WARN_DAYS, RUNWAY_BAD_DAYS = 7, 2
DISK_WARN_BYTES, DISK_BAD_BYTES = 2 * 10**9, 300 * 10**6
COUNT_MAX = 10_000

META_CHAIN = "health_audit_chain"  # how the last walk of the audit trail ended


# -- what waits ---------------------------------------------------------------------------------


async def held(seen: Seen) -> Found:
    """Cash-outs that wait for a person."""
    row = await _waiting("t.status = 'held'")
    count, oldest_us = int(row["n"]), row["oldest"]
    if not count:
        return said(OK, "held.none")
    age_us = seen.now_us - int(oldest_us)
    state = BAD if age_us > HELD_BAD_US else WARN
    return said(state, "held.some", count=count, age=span(age_us))


async def unsettled(seen: Seen) -> Found:
    """Pending cash-outs and shares that did not arrive. They alert, and stop nobody (SAT-44)."""
    pending = await _waiting("t.status IN ('pending', 'failed')")
    shares = await crud.fetch_row(
        "SELECT COUNT(*) AS n, MIN(us) AS oldest FROM (SELECT t.processed_us AS us"
        " FROM satoshimachine.dca_payments s"
        " JOIN satoshimachine.lamassu_transactions t ON t.id = s.cash_out_id"
        " WHERE s.status = 'failed' AND s.origin = 'observed' ORDER BY s.updated_us, s.id"
        f" LIMIT {COUNT_MAX}) failed"
    )
    count, failed = int(pending["n"]), int(shares["n"]) if shares else 0
    if not count and not failed:
        return said(OK, "unsettled.none")
    oldest = [pending["oldest"], shares["oldest"] if shares else None]
    age_us = seen.now_us - min(int(us) for us in oldest if us is not None)
    state = BAD if age_us > UNSETTLED_BAD_US else WARN
    return said(state, "unsettled.some", count=count, shares=failed, age=span(age_us))


async def _waiting(clause: str) -> Row:
    """How many, and since when the oldest is known here."""
    row = await crud.fetch_row(
        "SELECT COUNT(*) AS n, MIN(us) AS oldest FROM (SELECT t.observed_us AS us"
        f" FROM satoshimachine.lamassu_transactions t WHERE {clause}"
        f" ORDER BY {MOMENT} LIMIT {COUNT_MAX}) waiting"
    )
    return row or {"n": 0, "oldest": None}


# -- the wallets --------------------------------------------------------------------------------


async def source_wallet(seen: Seen) -> Found:
    """Settlement has a wallet to pay from; without it, nothing is settled (SAT-44)."""
    wallet = (await funds.read_funds())["source"]
    if wallet is None:
        return said(BAD, "source_wallet.none")
    if wallet["problem"]:
        return said(BAD, f"source_wallet.{PROBLEMS[wallet['problem']]}")
    return said(OK, "wallet.holds", sats=int(wallet["balance_sats"]))


async def commission_wallet(seen: Seen) -> Found:
    """Commission has a place to go; without it, it waits in the source wallet."""
    wallet = (await funds.read_funds())["commission"]
    if wallet is None:
        return said(OK, "commission_wallet.none")
    if wallet["problem"]:
        return said(BAD, f"commission_wallet.{PROBLEMS[wallet['problem']]}")
    return said(OK, "wallet.holds", sats=int(wallet["balance_sats"]))


async def runway(seen: Seen) -> Found:
    """For how long a prefunded source wallet lasts at the pace of the last two weeks."""
    wallet = (await funds.read_funds())["source"]
    if wallet is None:
        return said(UNKNOWN, "runway.no_wallet")
    if not wallet["prefunded"]:
        return said(OK, "runway.credit")
    days, sats = wallet["runway_days"], int(wallet["free_sats"])
    if days is None:
        return said(OK, "runway.idle", sats=sats)
    state = WARN if days < RUNWAY_WARN_DAYS else OK
    if days < RUNWAY_BAD_DAYS:
        state = BAD
    return said(state, "runway.days", sats=sats, days=days)


async def halted(seen: Seen) -> Found:
    """Nothing is stopped by a person, by a found fault, or by a gate."""
    states = await gate_states()
    closed = [(name, gate) for name, gate in states.items() if not gate.get("accepted")]
    if closed:
        name, gate = closed[0]
        return passed_on(BAD, GATE, name, str(gate["message"]), str(gate["hint"]), set(GATES))
    halts = await active_halts()
    if not halts:
        return said(OK, "halts.none")
    wide = [halt for halt in halts if halt.scope not in (MACHINE, CLIENT)]
    first = (wide or halts)[0]
    state = BAD if wide else WARN
    return said(state, "halts.some", count=len(halts), scope=first.scope, reason=first.reason)


# -- this installation --------------------------------------------------------------------------


async def lnbits(seen: Seen) -> Found:
    """This LNbits is one that money work was tried on."""
    return said(OK, "lnbits.supported", version=require_supported())


async def trial(seen: Seen) -> Found:
    """One commit covers ledger and wallets here, as the start-up check found."""
    if not seen.lines:
        return said(UNKNOWN, "trial.not_yet")
    bad = next((line for line in seen.lines if not line.ok), None)
    if bad is not None:
        state = UNKNOWN if bad.ok is None else BAD
        return source.of_error(state, bad.code, f"{bad.name}: {bad.detail}", bad.hint)
    return said(OK, "trial.fine", count=len(seen.lines))


async def schema(seen: Seen) -> Found:
    """The tables are those this code was written for."""
    await readiness.schema_version()
    return said(OK, "schema.right", number=SCHEMA_VERSION)


async def audit_chain(seen: Seen) -> Found:
    """The audit trail is as it was written, when it was last walked."""
    last = await crud.get_meta(META_CHAIN)
    if last is None:
        return said(UNKNOWN, "audit_chain.not_yet")
    age_us = seen.now_us - int(last["at_us"])
    if not last["ok"]:
        return said(BAD, "audit_chain.broken", seq=str(last["bad_seq"]), why=str(last["why"]))
    state = WARN if age_us > CHAIN_WARN_US else OK
    return said(state, "audit_chain.right", count=int(last["entries"]), age=span(age_us))


async def reconciliation(seen: Seen) -> Found:
    """Lamassu, plans, ledger and wallets were compared, and agreed."""
    found = await findings.counts()
    if found["open"]:
        return said(BAD, "reconciliation.findings", count=int(found["open"]))
    last = await last_run()
    if last is None:
        return said(UNKNOWN, "reconciliation.not_yet")
    age_us = seen.now_us - int(last["reconciled_at_us"])
    if last["status"] == "failed":
        failed = said(WARN, "reconciliation.failed", message=str(last["error_message"]))
        return replace(failed, hint=str(last["hint"] or failed.hint))
    late = seen.settings.reconcile_daily and age_us > RECONCILED_WARN_US
    return said(
        WARN if late else OK,
        "reconciliation.ended",
        age=span(age_us),
        matches=int(last["matches"]),
        total=int(last["total"]),
    )


async def disk_space(seen: Seen) -> Found:
    """LNbits' disk has room: a full one stops every write."""
    room = disk.room()
    state = WARN if room.free_bytes < DISK_WARN_BYTES else OK
    if room.free_bytes < DISK_BAD_BYTES:
        state = BAD
    free, total = _gigabytes(room.free_bytes), _gigabytes(room.total_bytes)
    return said(state, "disk.room", free=free, total=total)


async def database_size(seen: Seen) -> Found:
    """How large the databases are: information."""
    return said(OK, "database_size.is", size=_gigabytes(await disk.database_bytes()))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.1f} MB"


CheckFunction = Callable[[Seen], Awaitable[Found]]
CHECKS: tuple[tuple[str, CheckFunction], ...] = (
    ("halts", halted),
    ("heartbeat", source.heartbeat),
    ("ssh", source.ssh),
    ("host_key", source.host_key),
    ("database", source.database),
    ("clock", source.clock_difference),
    ("last_sale", source.last_sale),
    ("unsettled", unsettled),
    ("held", held),
    ("source_wallet", source_wallet),
    ("commission_wallet", commission_wallet),
    ("runway", runway),
    ("reconciliation", reconciliation),
    ("audit_chain", audit_chain),
    ("trial", trial),
    ("lnbits", lnbits),
    ("schema", schema),
    ("disk", disk_space),
    ("database_size", database_size),
)


async def ask(check: CheckFunction, seen: Seen) -> Found:
    """What a check says; one that cannot look says so, and none stops another."""
    try:
        return await check(seen)
    except SatMachineError as exc:
        state = UNKNOWN if check not in (lnbits, schema) else BAD
        return source.of_error(state, exc.code, exc.message, exc.hint)
    except OSError as exc:
        return said(UNKNOWN, "unreadable", why=str(exc.strerror))
