"""One pass of the watch: look, raise or resolve, say who is told, send, ping.

A permanent task runs it (tasks.py), apart from the ticks and never in their way: its reads are
small, its only transaction writes messages that are due. A pass that is killed anywhere is done
again by the next one; several processes take turns by a lease, which only saves work.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence

from loguru import logger

from .. import clock, crud
from ..domain.alert_rules import Rule
from ..domain.conditions import KEYS, Condition, conditions
from ..errors import SatMachineError
from . import alert_rules, deliver, telling
from .alerts import alert_now, open_of, resolve_now
from .health import preflight
from .ping import queue_pings
from .watch_facts import read_facts

LEASE, LEASE_S = "watch", 120
HOLDER = f"{socket.gethostname()}:{os.getpid()}"
_lock = asyncio.Lock()


async def watch() -> None:
    """One pass. Raises SatMachineError when our database cannot be read; the next pass comes."""
    if _lock.locked():
        return
    async with _lock:
        now_us = clock.now_us()
        if not await crud.take_lease(LEASE, HOLDER, now_us, now_us + LEASE_S * 1_000_000):
            return
        try:
            await look()
            await telling.tell()
            await queue_pings()
            await deliver.send_due()
            await deliver.forget_old()
        finally:
            await crud.give_lease(LEASE, HOLDER)


async def look() -> list[Condition]:
    """Raise what holds and is not open yet, resolve what is gone; what holds."""
    await alert_rules.read_settings()
    rules = alert_rules.current()
    try:
        facts = await read_facts()
    except SatMachineError as exc:
        logger.warning(f"event=watch_blind code={exc.code} message={exc.message}")
        return []
    found = conditions(facts, rules)
    await _keep(found, rules)
    return found


async def _keep(found: Sequence[Condition], rules: Mapping[str, Rule]) -> None:
    """What is new is raised, what is gone resolved; then the stored health says the same."""
    news = False
    known = await open_of(sorted(KEYS))
    for one in found:
        row = known.pop(one.key, None)
        severity = rules[one.kind].severity
        if row is not None and (row["message"], row["severity"]) == (one.words.message, severity):
            continue
        await alert_now(one.key, one.kind, severity, one.words, one.subject_id)
        if row is None:
            news = True
            logger.warning(f"event=alert_raised kind={one.kind} message={one.words.message!r}")
    if known:
        await resolve_now(*known)
        for key in known:
            logger.info(f"event=alert_resolved key={key}")
    if news or known:
        await preflight()
