"""The tick: observe, settle, announce. One bounded pass that may be killed at any await.

Whatever it left undone the next one finishes. That two ticks never meet is convenience (a lock in
this process, a lease between processes); that nothing is paid twice when they do is the business of
the settlement transaction.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from loguru import logger

from . import clock, crud
from .adapters.audit import SYSTEM
from .adapters.lamassu_postgres import open_source
from .database import one_connection
from .errors import (
    DatabaseBusy,
    DatabaseFailed,
    Disposition,
    FundingShort,
    FundingUnusable,
    Halted,
    HostKeyChanged,
    InvariantViolation,
    NotConfigured,
    NotReady,
    OutgoingBlocked,
    PollingDisabled,
    PollRunning,
    PreviewOutdated,
    SatMachineError,
    StateConflict,
    StillFailed,
    WaitsForHalt,
)
from .services import halts, retry, settle
from .services.alerts import alert_error, resolve_now
from .services.announce import announce_leg, announce_settled
from .services.doorbell import doorbell
from .services.gates import INTAKE, halt, refuse_intake
from .services.observe import Observed, full_comparison_due, note_poll_asked, observe
from .services.preview import pending_of
from .services.readiness import require_ready
from .services.source import source_settings

# A tick that settles this many gives the loop back; the next one follows at once.
SETTLE_PER_TICK_MAX = 500
# More than this is a backlog: it gives others twice the time that each settlement took, so that
# most of their requests meet a pause.
BACKLOG_FROM = 100
BACKLOG_PAUSE = 2.0
RATE_FROM = 10  # a rate of a few settlements says little
US_PER_MINUTE = 60_000_000
LEASE_NAME = "tick"
LEASE_S = 60  # longer than any single step, short enough after a kill
LEASE_RENEW_EVERY_S = 15
MANUAL_WAIT_S = 30  # how long a person waits for the running tick before being told
LOOK_AGAIN_S = 0.1
INTERACTIVE_RETRIES = 2  # LSP-18
INTERACTIVE_PAUSE_S = 1.0

T = TypeVar("T")
Shown = Mapping[str, str]  # Lamassu id -> hash of the plan that a person saw, in their order

HOLDER = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"

_tick_lock = asyncio.Lock()


@dataclass
class Progress:
    """What a running tick is doing, for the page. Counts, not promises."""

    phase: str = "idle"
    done: int = 0
    total: int = 0
    since_us: int = 0

    def per_minute(self) -> int | None:
        """How fast it goes; nothing before there is something to judge by."""
        took_us = clock.now_us() - self.since_us
        judged = self.done >= RATE_FROM and took_us > 0
        return round(self.done * US_PER_MINUTE / took_us) if judged else None


@dataclass
class Report:
    """What one tick did."""

    observed: Observed = field(default_factory=Observed)
    settled: int = 0
    held: int = 0
    left_pending: int = 0
    announced: int = 0
    retried: int = 0
    waiting_for: str | None = None  # why pending cash-outs were left
    more: bool = False  # stopped at SETTLE_PER_TICK_MAX


progress = Progress()


async def show(phase: str, done: int = 0, total: int = 0) -> None:
    """Say what the tick is doing now."""
    if phase != progress.phase:
        progress.since_us = clock.now_us()
    progress.phase, progress.done, progress.total = phase, done, total


async def manual_poll(shown: Shown | None = None, actor: str = SYSTEM) -> Report:
    """A poll that a person asked for: passing trouble is tried again twice, one second apart.

    Raises PollRunning when another one does not end in time, PollingDisabled, NotConfigured, or
    what the source answered.
    """
    config = await crud.get_config()
    if config is None:
        raise NotConfigured("No connection to Lamassu is saved")
    if not config.polling_enabled:
        raise PollingDisabled("Automatic work is switched off, so nothing was polled")
    if shown is None:  # a preview's poll is written down by the preview
        await note_poll_asked(actor)
    for attempt in range(INTERACTIVE_RETRIES + 1):
        try:
            return await tick("manual", wait_s=MANUAL_WAIT_S, shown=shown, actor=actor)
        except SatMachineError as exc:
            last = attempt == INTERACTIVE_RETRIES or isinstance(exc, PollRunning)
            if last or exc.disposition is not Disposition.RETRY:
                raise
            await asyncio.sleep(INTERACTIVE_PAUSE_S)
    raise PollRunning("The poll did not finish")


async def tick(
    cause: str, *, wait_s: float = 0, shown: Shown | None = None, actor: str = SYSTEM
) -> Report:
    """One pass. What is stored is settled even when the look at the source fails; then that error
    is raised. `shown`: the plans that a person saw, the only ones that are settled then.
    """
    async with _alone(wait_s):
        await require_ready()
        started_us = clock.now_us()
        full = await full_comparison_due(started_us)
        poll_id = await crud.start_poll(cause, full, started_us)
        report, error = Report(), None
        try:
            try:
                report.observed = await _look(full)
            except SatMachineError as exc:
                error = exc
            await settle_and_announce(report, shown, actor)
        except SatMachineError as exc:
            error = exc
        except Exception as exc:
            unforeseen = SatMachineError(
                f"An error of this program: {type(exc).__name__}",
                hint="LNbits' log has the details; nothing was half done.",
            )
            await _finish(poll_id, report, unforeseen)
            raise
        finally:
            await show("idle")
        await _finish(poll_id, report, error)
        if error is not None:
            raise error
        return report


async def recover() -> Report:
    """Settle, retry and announce what is stored already, without looking at the source."""
    async with _alone(0):
        await require_ready()
        report = Report()
        try:
            await settle_and_announce(report)
        finally:
            await show("idle")
        return report


@asynccontextmanager
async def _alone(wait_s: float) -> AsyncIterator[None]:
    """One tick at a time in this process, one in all processes while its lease lives."""
    deadline_us = clock.now_us() + int(wait_s * 1_000_000)
    while _tick_lock.locked():
        await _wait_or_give_up(deadline_us)
    async with _tick_lock, one_connection():
        while not await _take_lease():
            await _wait_or_give_up(deadline_us)
        renewal = asyncio.ensure_future(_renew_lease())
        try:
            yield
        finally:
            renewal.cancel()
            await crud.give_lease(LEASE_NAME, HOLDER)


async def _wait_or_give_up(deadline_us: int) -> None:
    if clock.now_us() >= deadline_us:
        raise PollRunning("Another poll is running")
    await asyncio.sleep(LOOK_AGAIN_S)


async def _take_lease() -> bool:
    now_us = clock.now_us()
    holder = await crud.lease_holder(LEASE_NAME)
    dead = holder if holder and _is_dead(holder) else None
    return await crud.take_lease(LEASE_NAME, HOLDER, now_us, now_us + LEASE_S * 1_000_000, dead)


def _is_dead(holder: str) -> bool:
    """A holder of this host whose process is gone, or whose process is this one now."""
    host, pid, _ = holder.rsplit(":", 2)
    if host != socket.gethostname() or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


async def _renew_lease() -> None:
    while True:
        await asyncio.sleep(LEASE_RENEW_EVERY_S)
        await _take_lease()


async def _look(full: bool) -> Observed:
    """OBSERVE: every row of the source that concerns us is stored once."""
    config = await crud.get_config()
    settings = await crud.get_settings()
    if config is None or settings.start_at_us is None:
        raise NotConfigured("No connection to Lamassu is saved")
    if not await halts.host_key_halted():
        await refuse_intake()  # nothing is asked of the server meanwhile
    await show("connecting")
    try:
        async with open_source(source_settings(config)) as source:
            await refuse_intake()
            await show("reading")
            return await observe(source, start_at_us=settings.start_at_us, full=full, progress=show)
    except HostKeyChanged as exc:
        await alert_error("host_key", "host_key_changed", "critical", exc)
        await halts.put_automatic(INTAKE, halts.HOST_KEY, exc.message, exc.hint)
        raise


async def settle_and_announce(
    report: Report, shown: Shown | None = None, actor: str = SYSTEM
) -> None:
    """SETTLE every pending cash-out, oldest first, then retry what failed; ANNOUNCE afterwards.

    With `shown`, the plans a person saw: these, in their order, and nothing else.
    """
    try:
        await _settle_pending(report, shown, actor)
        if shown is None:
            await _retry_failed(report)
    finally:
        await show("announcing")
        report.announced += await announce_settled()
    left = await settle.pending_ids(SETTLE_PER_TICK_MAX)
    report.left_pending = len(left)


async def _settle_pending(report: Report, shown: Shown | None, actor: str) -> None:
    hashes = {} if shown is None else await pending_of(shown)
    ids = list(hashes) if shown is not None else await settle.pending_ids(SETTLE_PER_TICK_MAX)
    report.more = shown is None and len(ids) == SETTLE_PER_TICK_MAX
    # Somebody waits for what they were shown; a backlog that the timer finds has time.
    pause = BACKLOG_PAUSE if shown is None and len(ids) > BACKLOG_FROM else 0
    total = await settle.pending_count() if report.more else len(ids)
    for done, cash_out_id in enumerate(ids):
        await show("settling", done, total)
        started_s = time.monotonic()
        try:
            settled = await settle.settle_cash_out(
                cash_out_id, actor=actor, shown_hash=hashes.get(cash_out_id)
            )
        except StateConflict:
            continue  # somebody else settled or moved it: exactly what the claim is for
        except InvariantViolation as exc:
            logger.critical(f"event=invariant_broken cash_out={cash_out_id} message={exc.message}")
            await halt(exc)
            await settle.mark_failed(cash_out_id, exc.message)
            raise
        except PreviewOutdated as exc:
            # Those after it were planned on what this one leaves: they wait for the next look.
            report.waiting_for = exc.message
            return
        except WaitsForHalt as exc:
            # Others overtake it, as they do one that appears late; lifted, it is the oldest again.
            report.waiting_for = exc.message
            await settle.wait_for_halt(cash_out_id, exc.message, exc.halt_id)
            continue
        except (NotReady, PollingDisabled) as exc:
            report.waiting_for = exc.message
            return
        except (DatabaseBusy, DatabaseFailed):
            raise
        except SatMachineError as exc:
            # It waits as it is, and newer ones do not overtake it (design.md 3.5).
            report.waiting_for = exc.message
            await settle.note_attempt(cash_out_id, exc.message)
            await _alert_funding(exc)
            return
        if settled.plan is not None:
            report.settled += 1
        else:
            report.held += 1
        # LNbits answers its users between two settlements.
        await asyncio.sleep(pause * (time.monotonic() - started_s))
    await resolve_now("funding")


async def _alert_funding(error: SatMachineError) -> None:
    await alert_error("funding", "settlement_waits", "critical", error)


async def _retry_failed(report: Report) -> None:
    """Failed shares and commissions, each by itself: one bad wallet never stops another."""
    await show("retrying")
    for share_id in await retry.failed_share_ids():
        share = await _try_again(report, retry.retry_share(share_id))
        if share is not None:
            await announce_leg(str(share["leg_key"]))
    for cash_out_id in await retry.failed_commission_ids():
        leg_key = await _try_again(report, retry.retry_commission(cash_out_id))
        if leg_key is not None:
            await announce_leg(leg_key)


async def _try_again(report: Report, attempt: Awaitable[T]) -> T | None:
    """What the attempt gives, or None when it must wait as it is."""
    try:
        result = await attempt
    except InvariantViolation as exc:
        logger.critical(f"event=invariant_broken message={exc.message}")
        await halt(exc)
        raise
    except (StillFailed, StateConflict, FundingShort, FundingUnusable, WaitsForHalt):
        return None
    except (NotReady, PollingDisabled, OutgoingBlocked) as exc:
        report.waiting_for = report.waiting_for or exc.message
        return None
    report.retried += 1
    return result


async def _finish(poll_id: str, report: Report, error: SatMachineError | None) -> None:
    facts: dict[str, Any] = {
        "finished_us": clock.now_us(),
        "result": "failed" if error else "ok",
        "rows_read": report.observed.rows_read,
        "new_rows": report.observed.new_rows,
        "settled": report.settled,
        "left_pending": report.left_pending,
        "error_code": error.code if error else None,
        "error_message": error.message if error else None,
        "hint": error.hint if error else None,
    }
    await crud.finish_poll(poll_id, facts)
    doorbell.ring()
    if isinstance(error, Halted):
        logger.info(f"event=poll_halted message={error.message}")  # the halt has its own alert
    elif error is None:
        await resolve_now("poll", "host_key")
        logger.info(f"event=poll_ok settled={report.settled} new={report.observed.new_rows}")
    else:
        await alert_error("poll", "poll_failed", "warning", error)
        logger.warning(f"event=poll_failed code={error.code} message={error.message}")


def report_facts(report: Report) -> dict[str, Any]:
    """The report as an answer."""
    return asdict(report)
