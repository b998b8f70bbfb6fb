"""Is the audit trail as it was written? Walked from its first entry to its head, hash by hash.

A chain that was rewritten as a whole is right in itself. Against that helps what was kept
elsewhere: each day's head is in LNbits' log, and `daily_head` gives it to whoever sends it out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any

from loguru import logger

from .. import clock, crud
from ..adapters.audit import FIELDS, TABLE, record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.alert_said import Words
from ..domain.audit_link import START, Chain
from ..domain.days import datetime_utc
from ..errors import SatMachineError, StateConflict
from .alerts import alert_now, resolve_now
from .head_news import write_news

ENTRIES_PER_SLICE = 2_000  # some 50 ms of hashing, then LNbits goes on
ADDED_MEANWHILE_MAX = 20_000  # entries written during the walk; more are left to the next one
META_HEAD = "audit_head"  # the head of the last day that had entries
HEAD = "audit_head"
ALERT = "audit_chain"
HINT = "Compare the database with a backup, and find out who changed it."

# What a person reads, by the code of domain/audit_link.py.
SENTENCES = {
    "missing": "an entry is missing",
    "changed": "it is not what was written: one of its fields was changed",
    "not_chained": "it was added without a hash, past this extension",
    "other_before": "the entry before it was replaced",
    "head_unknown": "no entry has the hash that you kept: the trail was shortened or rewritten",
}


@dataclass(frozen=True)
class ChainReport:
    """What the walk found. `ok` True: every entry is as it was written."""

    ok: bool
    entries: int  # walked and right
    head_seq: int  # of the last entry that is right
    head_hash: str
    chained_since: int | None  # the first entry with a hash of its own
    bad_seq: int | None
    code: str | None
    why: str | None
    seconds: float


@dataclass
class Progress:
    """How far the running walk is, for the page."""

    running: bool = False
    done: int = 0
    total: int = 0


progress = Progress()
_lock = asyncio.Lock()


async def head() -> dict[str, Any]:
    """The last entry's number and hash, and the head of the last day that had entries."""
    row = await crud.fetch_row(
        f"SELECT seq, at_us, entry_hash FROM {TABLE} ORDER BY seq DESC LIMIT 1"
    )
    return {
        "seq": int(row["seq"]) if row else 0,
        "hash": (row["entry_hash"] if row else START),
        "at": clock.iso(row["at_us"]) if row else None,
        "daily": await crud.get_meta(META_HEAD),
    }


async def verify(known_hash: str | None = None) -> ChainReport:
    """Walk the whole trail in slices. `known_hash`: a head kept elsewhere that must be in it.

    Raises StateConflict while another walk runs in this process.
    """
    if _lock.locked():
        raise StateConflict("The audit trail is being verified", hint="Wait for its result.")
    async with _lock:
        began_us = clock.now_us()
        last = await crud.fetch_row(f"SELECT COALESCE(MAX(seq), 0) AS seq FROM {TABLE}")
        progress.running, progress.done = True, 0
        progress.total = int(last["seq"]) if last else 0
        try:
            chain, since, met = await _walk(known_hash)
            code = chain.why
            if code is None and known_hash is not None and not met:
                code = "head_unknown"
        finally:
            progress.running = False
        seconds = (clock.now_us() - began_us) / 1_000_000
        report = ChainReport(
            ok=code is None,
            entries=chain.seq,
            head_seq=chain.seq,
            head_hash=chain.hash,
            chained_since=since,
            bad_seq=chain.bad_seq,
            code=code,
            why=SENTENCES[code] if code else None,
            seconds=round(seconds, 3),
        )
        (logger.info if report.ok else logger.critical)(
            f"event=audit_verified ok={report.ok} entries={report.entries} bad={report.bad_seq}"
            f" head={report.head_hash}"
        )
        await _tell(report)
        return report


async def _tell(report: ChainReport) -> None:
    """A trail that is not as it was written is an alert until it is, or the head is the right one.

    Telling it is not worth failing for: the caller has the report.
    """
    try:
        if report.ok:
            await resolve_now(ALERT)
        else:
            at = f" at entry {report.bad_seq}" if report.bad_seq else ""
            said = f"The audit trail is not as it was written{at}: {report.why}"
            await alert_now(ALERT, "audit_chain", "critical", Words(said, HINT))
    except SatMachineError as exc:
        logger.critical(f"event=audit_alert_failed reason={exc.message}")


async def _walk(known_hash: str | None) -> tuple[Chain, int | None, bool]:
    """The chain up to its end or its first wrong entry, the first entry with a hash of its own,
    and whether the known one was met.
    """
    chain, since, met = Chain(), None, False
    while True:
        rows = await _slice(chain.seq)
        for row in rows:
            if since is None and row["entry_hash"] is not None:
                since = int(row["seq"])
            if not chain.add(row):
                return chain, since, met
            met = met or row["entry_hash"] == known_hash
        progress.done = chain.seq
        if len(rows) < ENTRIES_PER_SLICE or chain.seq > progress.total + ADDED_MEANWHILE_MAX:
            return chain, since, met
        await asyncio.sleep(0)


async def _slice(after: int) -> list[Row]:
    return await crud.fetch_rows(
        f"SELECT {FIELDS}, prev_hash, entry_hash FROM {TABLE} WHERE seq > :after ORDER BY seq"
        f" LIMIT {ENTRIES_PER_SLICE}",
        {"after": after},
    )


async def verify_by_hand(actor: str, known_hash: str | None = None) -> ChainReport:
    """The button: the same, and an entry that says what was found."""
    report = await verify(known_hash)

    async def work(conn: BooksConnection) -> None:
        detail = {"ok": report.ok, "entries": report.entries, "head": report.head_hash}
        detail |= {"bad_seq": report.bad_seq, "code": report.code}
        await record(conn, "audit_verified", "audit", detail, actor=actor, now_us=clock.now_us())

    await settlement(work)
    return report


async def daily_head() -> dict[str, Any] | None:
    """The head of the last day that had entries: what can be sent out once a day."""
    found: dict[str, Any] | None = await crud.get_meta(META_HEAD)
    return found


class _Noted:
    """The day whose head this process has seen to."""

    day: date | None = None


async def note_daily_head() -> None:
    """Once a day (UTC): keep the head of the day before in the trail, in `meta` and in the log."""
    now_us = clock.now_us()
    today = datetime_utc(now_us).date()
    if _Noted.day == today:
        return

    async def work(conn: BooksConnection) -> dict[str, Any] | None:
        row = await conn.row(
            f"SELECT seq, at_us, action, entry_hash FROM {TABLE} ORDER BY seq DESC LIMIT 1"
        )
        known = await crud.get_meta(META_HEAD, conn)
        if row is None or row["entry_hash"] is None or row["action"] == HEAD:
            return None
        if known is not None and known["noted_on"] == str(today):
            return None
        found = {"noted_on": str(today), "seq": int(row["seq"]), "hash": row["entry_hash"]}
        await crud.set_meta(META_HEAD, found, conn)
        await record(conn, HEAD, str(today), found, now_us=now_us)
        await write_news(conn, found, now_us)
        return found

    found = await settlement(work)
    _Noted.day = today
    if found is not None:
        logger.info(f"event=audit_head day={today} seq={found['seq']} hash={found['hash']}")
