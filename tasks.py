"""The timer. LNbits' task manager calls the heartbeat; the heartbeat decides whether a tick is due.

No endless loop here: LNbits' own wrapper repeats, and a same-named task replaces the old one, so
that an upgrade leaves one poller and never two.
"""

from __future__ import annotations

import asyncio

from lnbits.task_manager import task_manager
from loguru import logger

from . import clock, crud
from .errors import Disposition, PollRunning, SatMachineError
from .origin import came_from
from .services import evidence, health, reconcile, schedules
from .services.announce import tell_rest
from .services.audit_chain import note_daily_head
from .services.readiness import require_schema
from .services.reconcile_schedule import queue_if_due
from .services.snapshots import take_due_snapshots
from .services.watch import watch
from .transaction_processor import recover, tick

TASK_NAME = "ext_satmachineadmin_tick"
RECONCILE_NAME = "ext_satmachineadmin_reconcile"
SCHEDULES_NAME = "ext_satmachineadmin_schedules"
SCHEDULES_S = 60  # how soon a due health check or weekly audit is noticed
RECONCILE_S = 30  # how soon a due or interrupted reconciliation is noticed; some small queries
WATCH_NAME = "ext_satmachineadmin_watch"
WATCH_S = 30  # how soon a condition is noticed and a message that is due is sent
TELL_NAME = "ext_satmachineadmin_tell"
TELL_S = 5  # how soon the wallets of a large backlog hear of it; one small query
HEARTBEAT_S = 5  # how soon a stop, a new interval or a due poll is noticed; one small query
BACKOFF_FIRST_S = 60
STOP_WAIT_S = 10  # a settlement in progress ends in milliseconds, a query to the ATM is cut


class Timer:
    """What the heartbeat remembers between two beats of this process."""

    def __init__(self) -> None:
        self.recovered = False
        self.failures = 0  # in a row, passing trouble only
        self.next_due_us = 0
        self.run_on = False  # the last tick stopped at its limit with work left
        self.interval_s = BACKOFF_FIRST_S  # as last read from the settings


timer = Timer()


def satmachineadmin_start() -> None:
    """Called by LNbits after the routes are there."""
    evidence.keep_log()
    task_manager.create_permanent_task(heartbeat, name=TASK_NAME, interval=HEARTBEAT_S)
    task_manager.create_permanent_task(reconciling, name=RECONCILE_NAME, interval=RECONCILE_S)
    task_manager.create_permanent_task(watching, name=WATCH_NAME, interval=WATCH_S)
    task_manager.create_permanent_task(telling, name=TELL_NAME, interval=TELL_S)
    task_manager.create_permanent_task(scheduled, name=SCHEDULES_NAME, interval=SCHEDULES_S)


async def satmachineadmin_stop() -> None:
    """Called by LNbits at deactivation, upgrade and uninstall: no poller is left behind."""
    await reconcile.stop_working()
    for name in (TASK_NAME, RECONCILE_NAME, WATCH_NAME, TELL_NAME, SCHEDULES_NAME):
        task = task_manager.get_task(name)
        if task is None:
            continue
        task_manager.cancel_task(task)
        done, _ = await asyncio.wait({task.task}, timeout=STOP_WAIT_S)
        if not done:
            logger.error(f"event=task_did_not_stop name={name}")
    evidence.end_log()


async def reconciling() -> None:
    """Reconcile when it is due, or go on with what was interrupted. A task of its own: a tick does
    not wait for it.
    """
    try:
        await require_schema()
        await queue_if_due()
        await reconcile.work_off()
    except SatMachineError as exc:
        logger.warning(f"event=reconciliation_left code={exc.code} message={exc.message}")
    except Exception:
        logger.exception("event=reconciliation_crashed")


async def watching() -> None:
    """One pass of the watch, a task of its own: alerts come while a tick hangs, too."""
    try:
        await require_schema()
        await watch()
    except SatMachineError as exc:
        logger.warning(f"event=watch_left code={exc.code} message={exc.message}")
    except Exception:
        logger.exception("event=watch_crashed")


async def telling() -> None:
    """Tell wallets what a large backlog left untold. A task of its own: it takes its time."""
    try:
        await require_schema()
        await tell_rest()
    except SatMachineError as exc:
        logger.warning(f"event=telling_left code={exc.code} message={exc.message}")
    except Exception:
        logger.exception("event=telling_crashed")


async def scheduled() -> None:
    """Health and the weekly audit when they are due. A task of its own, too."""
    came_from.set("timer")
    try:
        await require_schema()
        await schedules.run_due()
    except SatMachineError as exc:
        logger.warning(f"event=schedule_left code={exc.code} message={exc.message}")
    except Exception:
        logger.exception("event=schedule_crashed")


async def heartbeat() -> None:
    """Run a tick when one is due. The one place, with the tick, that catches broadly."""
    came_from.set("timer")
    try:
        await _beat()
        await note_daily_head()
        await take_due_snapshots()
    except PollRunning:
        logger.debug("event=poll_skipped reason=another_one_runs")
    except SatMachineError as exc:
        _plan_next(exc)
    except Exception as exc:
        logger.exception("event=tick_crashed")
        _plan_next(exc)


async def _beat() -> None:
    await require_schema()
    config = await crud.get_config()
    if config is None or not config.polling_enabled:
        return
    if not timer.recovered:
        await recover()
        timer.recovered = True
    if not await _due():
        return
    await health.preflight()
    report = await tick("timer")
    timer.failures, timer.next_due_us, timer.run_on = 0, 0, report.more


async def _due() -> bool:
    """Due by the last poll of any process and cause, or by the pause after passing trouble."""
    now_us = clock.now_us()
    timer.interval_s = (await crud.get_settings()).poll_interval_s
    if timer.run_on:
        return True
    if timer.next_due_us:
        return now_us >= timer.next_due_us
    last = await crud.last_poll()
    if last is None:
        return True
    return now_us - int(last["started_us"]) >= timer.interval_s * 1_000_000


def backoff_s(failures: int, interval_s: int) -> int:
    """1, 2, 4 ... minutes, at most the poll interval (design.md 2)."""
    return min(interval_s, BACKOFF_FIRST_S << min(failures - 1, 16))


def _plan_next(error: Exception) -> None:
    """After passing trouble sooner than the interval; what needs a person waits for it."""
    passing = not isinstance(error, SatMachineError) or error.disposition is Disposition.RETRY
    timer.run_on = False
    if not passing:
        timer.failures, timer.next_due_us = 0, 0
        return
    timer.failures += 1
    pause_s = backoff_s(timer.failures, timer.interval_s)
    timer.next_due_us = clock.now_us() + pause_s * 1_000_000
