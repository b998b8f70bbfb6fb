"""The checks of health, one function each: how it is now, in a sentence, and the next step.

They read what is stored and change nothing. A real look (SSH, the audit chain) is made by
services/health.py and stored; these say what came of it. docs/health.md lists the thresholds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .. import crud
from ..adapters import disk
from ..books import MOMENT
from ..database import Row
from ..errors import SatMachineError
from ..lnbits_version import require_supported
from . import findings, funds, readiness
from . import health_source as source
from .gates import CLIENT, MACHINE, active_halts, gate_states
from .health_source import BAD, DAY_US, HOUR_US, MINUTE_US, OK, UNKNOWN, WARN, Found, Seen, span
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
        return Found(OK, "None")
    age_us = seen.now_us - int(oldest_us)
    detail = f"{count} cash-outs wait for you, the oldest for {span(age_us)}"
    hint = "Open them under Cash-outs: process or skip each."
    return Found(BAD if age_us > HELD_BAD_US else WARN, detail, hint)


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
        return Found(OK, "None")
    oldest = [pending["oldest"], shares["oldest"] if shares else None]
    age_us = seen.now_us - min(int(us) for us in oldest if us is not None)
    detail = f"{count} cash-outs and {failed} shares are not paid, the oldest for {span(age_us)}"
    hint = "Open it: its message says what it waits for. Everybody else is paid meanwhile."
    return Found(BAD if age_us > UNSETTLED_BAD_US else WARN, detail, hint)


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
    hint = "Choose a source wallet that exists under Setup, Connection."
    if wallet is None:
        return Found(BAD, "No source wallet is chosen", hint)
    if wallet["problem"]:
        return Found(BAD, f"It cannot be used: {wallet['problem']}", hint)
    return Found(OK, f"It holds {wallet['balance_sats']} sats")


async def commission_wallet(seen: Seen) -> Found:
    """Commission has a place to go; without it, it waits in the source wallet."""
    wallet = (await funds.read_funds())["commission"]
    if wallet is None:
        return Found(OK, "None is chosen: commission stays in the source wallet")
    if wallet["problem"]:
        hint = "Choose another one under Setup, Connection; what waits is paid by itself."
        return Found(BAD, f"It cannot be used: {wallet['problem']}", hint)
    return Found(OK, f"It holds {wallet['balance_sats']} sats")


async def runway(seen: Seen) -> Found:
    """For how long a prefunded source wallet lasts at the pace of the last two weeks."""
    wallet = (await funds.read_funds())["source"]
    if wallet is None:
        return Found(UNKNOWN, "No source wallet is chosen", "Choose one under Setup, Connection.")
    if not wallet["prefunded"]:
        return Found(OK, "Each sale brings its own sats")
    days = wallet["runway_days"]
    if days is None:
        return Found(OK, f"{wallet['free_sats']} sats are free; nothing was paid lately")
    detail = f"{wallet['free_sats']} sats are free, enough for {days} days"
    hint = "Add sats to the source wallet."
    if days < RUNWAY_BAD_DAYS:
        return Found(BAD, detail, hint)
    return Found(WARN, detail, hint) if days < RUNWAY_WARN_DAYS else Found(OK, detail)


async def halted(seen: Seen) -> Found:
    """Nothing is stopped by a person, by a found fault, or by a gate."""
    gates = [gate for gate in (await gate_states()).values() if not gate.get("accepted")]
    if gates:
        return Found(BAD, str(gates[0]["message"]), str(gates[0]["hint"]))
    halts = await active_halts()
    if not halts:
        return Found(OK, "Nothing is halted")
    wide = [halt for halt in halts if halt.scope not in (MACHINE, CLIENT)]
    first = (wide or halts)[0]
    detail = f"{len(halts)} halts; the first: {first.scope}, {first.reason}"
    hint = "Look at the reason; resume or lift it under Setup, Health."
    return Found(BAD if wide else WARN, detail, hint)


# -- this installation --------------------------------------------------------------------------


async def lnbits(seen: Seen) -> Found:
    """This LNbits is one that money work was tried on."""
    return Found(OK, require_supported())


async def trial(seen: Seen) -> Found:
    """One commit covers ledger and wallets here, as the start-up check found."""
    if not seen.lines:
        return Found(UNKNOWN, "The start-up check has not run yet", "Check again.")
    bad = next((line for line in seen.lines if not line.ok), None)
    if bad is not None:
        return Found(UNKNOWN if bad.ok is None else BAD, f"{bad.name}: {bad.detail}", bad.hint)
    return Found(OK, f"{len(seen.lines)} start-up checks are fine")


async def schema(seen: Seen) -> Found:
    """The tables are those this code was written for."""
    return Found(OK, await readiness.schema_version())


async def audit_chain(seen: Seen) -> Found:
    """The audit trail is as it was written, when it was last walked."""
    last = await crud.get_meta(META_CHAIN)
    if last is None:
        return Found(UNKNOWN, "It was not walked yet", "Check now.")
    age_us = seen.now_us - int(last["at_us"])
    if not last["ok"]:
        hint = "Keep a copy of both databases; the audit trail's page names the entry."
        return Found(BAD, f"Entry {last['bad_seq']}: {last['why']}", hint)
    detail = f"{last['entries']} entries are right, looked at {span(age_us)} ago"
    return Found(WARN, detail, "Check now.") if age_us > CHAIN_WARN_US else Found(OK, detail)


async def reconciliation(seen: Seen) -> Found:
    """Lamassu, plans, ledger and wallets were compared, and agreed."""
    found = await findings.counts()
    if found["open"]:
        hint = "Open Books, Reconciliation: each finding says what can be done."
        return Found(BAD, f"{found['open']} findings are open", hint)
    last = await last_run()
    if last is None:
        return Found(UNKNOWN, "None has ended yet", "Start one under Books, Reconciliation.")
    age_us = seen.now_us - int(last["reconciled_at_us"])
    if last["status"] == "failed":
        return Found(WARN, f"The last one failed: {last['error_message']}", str(last["hint"] or ""))
    detail = f"The last one ended {span(age_us)} ago: {last['matches']} of {last['total']} match"
    if seen.settings.reconcile_daily and age_us > RECONCILED_WARN_US:
        return Found(WARN, detail, "Start one under Books, Reconciliation.")
    return Found(OK, detail)


async def disk_space(seen: Seen) -> Found:
    """LNbits' disk has room: a full one stops every write."""
    room = disk.room()
    detail = f"{_gigabytes(room.free_bytes)} of {_gigabytes(room.total_bytes)} are free"
    hint = "Make room on LNbits' disk."
    if room.free_bytes < DISK_BAD_BYTES:
        return Found(BAD, detail, hint)
    return Found(WARN, detail, hint) if room.free_bytes < DISK_WARN_BYTES else Found(OK, detail)


async def database_size(seen: Seen) -> Found:
    """How large the databases are: information."""
    return Found(OK, f"{_gigabytes(await disk.database_bytes())}")


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
        return Found(state, exc.message, exc.hint)
    except OSError as exc:
        return Found(UNKNOWN, f"It cannot be looked at: {exc.strerror}", "Look at LNbits' log.")
