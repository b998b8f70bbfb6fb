"""One run of a reconciliation: what it counted, where it stands, and how that is kept.

A mismatch is counted, logged with its fields and alerted before anything of it is stored; when the
storing fails, that is logged and alerted too, and the run goes on (LIQ-8, LIQ-9).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loguru import logger

from .. import clock, crud
from ..adapters.settlement import settlement
from ..database import BooksConnection, own
from ..domain.alert_said import Words, said
from ..domain.verdicts import Link, Verdict
from ..errors import SatMachineError
from . import findings
from .alerts import alert_now
from .findings import Found

TICK_LEASE = "tick"  # transaction_processor.LEASE_NAME: whoever pays clients goes first
TICK_PAUSE_S = 0.2
SAVE_EVERY_US = 500_000
ITEMS_MAX = 20_000  # rows of one run; the counts stay complete
ALERT_KEY = "reconciliation"
UNSTORED_KEY = "reconciliation_unstored"
RUN = "satoshimachine.reconciliation_runs"

# Grows by one for each mismatch that a run of this process saw (LIQ-8); the health answer has it.
mismatches_total: Counter[str] = Counter()


class Cancelled(Exception):
    """Somebody cancelled this run, or another process took it over."""


@dataclass(frozen=True)
class Item:
    """What is kept of something that is not a match."""

    verdict: Verdict
    subject_kind: str
    subject_id: str
    cash_out_id: str | None = None
    link: str | None = None
    code: str | None = None
    expected: str | None = None
    actual: str | None = None
    difference_sats: int | None = None
    fingerprint: str | None = None


def item_of(found: Found) -> Item:
    """A mismatch as an item."""
    return Item(
        Verdict.MISMATCH,
        found.subject_kind,
        found.subject_id,
        found.cash_out_id,
        found.link.value,
        found.code,
        found.expected,
        found.actual,
        found.difference_sats,
        found.fingerprint,
    )


@dataclass
class Run:
    """What a run knows of itself; all of it can be read back from its row."""

    id: str
    scope: dict[str, Any]
    marks: dict[str, int]
    cursor: dict[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)  # by verdict
    links: Counter[str] = field(default_factory=Counter)  # mismatches by link
    looked_at: Counter[str] = field(default_factory=Counter)
    phase: str = "starting"
    done: int = 0
    expected: int = 0
    items: int = 0
    saved_us: int = 0
    alerted: bool = False
    explained: set[str] = field(default_factory=set)  # wallet rows that a finding is about already

    def count(self, verdict: Verdict, number: int = 1) -> None:
        self.counts[verdict.value] += number

    async def begin(self, phase: str, expected: int = 0) -> None:
        """A new phase, or the same again after a stop."""
        if self.cursor.get("phase") != phase:
            self.cursor = {"phase": phase}
            self.done = 0
        self.phase, self.expected = phase, expected
        await self.save()

    async def step(self, **cursor: Any) -> None:
        """After each slice: remember where it stands, let others in, notice a cancellation."""
        self.cursor.update(cursor)
        if clock.now_us() - self.saved_us >= SAVE_EVERY_US:
            await self.save()
        await asyncio.sleep(TICK_PAUSE_S if await _tick_runs() else 0)

    async def save(self) -> None:
        """Store where it stands. Raises Cancelled when the run is no longer running."""
        values = {
            "id": self.id,
            "phase": self.phase,
            "done": self.done,
            "expected": self.expected,
            "cursor": json.dumps({**self.cursor, "kept": self._kept()}),
            **self.totals(),
        }
        changes = ", ".join(f"{name} = :{name}" for name in values if name != "id")
        hit = await crud.write(
            f"UPDATE {RUN} SET {changes} WHERE id = :id AND status = 'running'", values
        )
        self.saved_us = clock.now_us()
        if hit != 1:
            raise Cancelled

    def totals(self) -> dict[str, Any]:
        """The columns of the summary."""
        results = {"mismatches_by_link": self.links, "looked_at": self.looked_at}
        return {
            "total": sum(self.counts.values()),
            "matches": self.counts[Verdict.MATCH.value],
            "mismatches": self.counts[Verdict.MISMATCH.value],
            "errors": self.counts[Verdict.ERROR.value],
            "in_flight": self.counts[Verdict.IN_FLIGHT.value],
            "results": json.dumps(results, sort_keys=True),
        }

    def _kept(self) -> dict[str, Any]:
        return {"items": self.items, "explained": sorted(self.explained)[:ITEMS_MAX]}

    def restore(self, row: Mapping[str, Any]) -> None:
        """Go on where the row stands."""
        self.cursor = json.loads(row["cursor"]) if row["cursor"] else {}
        kept = self.cursor.pop("kept", {})
        self.items, self.explained = kept.get("items", 0), set(kept.get("explained", ()))
        names = ("matches", "mismatches", "errors", "in_flight")
        for verdict, name in zip(
            (Verdict.MATCH, Verdict.MISMATCH, Verdict.ERROR, Verdict.IN_FLIGHT), names, strict=True
        ):
            self.counts[verdict.value] = int(row[name])
        results = json.loads(row["results"]) if row["results"] else {}
        self.links = Counter(results.get("mismatches_by_link", {}))
        self.looked_at = Counter(results.get("looked_at", {}))
        self.done, self.phase = int(row["done"]), str(row["phase"])

    async def found(
        self,
        found: Sequence[Found],
        others: Sequence[Item] = (),
        *,
        look_again: Collection[str] = (),
        still_there: Collection[str] = (),
    ) -> None:
        """Tell of mismatches, then store them. `others`: errors and what is in flight;
        `look_again`: ids of unresolved findings that this slice looked at, of which
        `still_there` and those met now are not gone.
        """
        for one in found:
            self.count(Verdict.MISMATCH)
            self.links[one.link.value] += 1
            mismatches_total[one.link.value] += 1
            logger.warning(
                f"event=reconciliation_mismatch run={self.id} link={one.link.value}"
                f" code={one.code} {one.subject_kind}={one.subject_id}"
                f" expected={one.expected!r} actual={one.actual!r}"
                f" difference_sats={one.difference_sats}"
            )
        if found and not self.alerted:
            self.alerted = True
            await self._alert(found[0])
        if not (found or others or look_again):
            return
        items = [item_of(one) for one in found] + list(others)
        room = max(0, ITEMS_MAX - self.items)
        self.items += len(items[:room])
        try:
            await settlement(self._storing(found, items[:room], look_again, still_there))
        except SatMachineError as exc:
            await self.not_stored(exc)

    def _storing(
        self,
        found: Sequence[Found],
        items: Sequence[Item],
        look_again: Collection[str],
        still_there: Collection[str],
    ) -> Any:
        async def work(conn: BooksConnection) -> None:
            ids = await findings.raise_findings(conn, found, self.id)
            rows = [
                {
                    "id": f"{self.id}:{one.subject_kind}:{one.subject_id}",
                    "run_id": self.id,
                    **{k: v for k, v in vars(one).items() if k not in ("verdict", "fingerprint")},
                    "verdict": one.verdict.value,
                    "finding_id": ids.get(one.fingerprint or ""),
                }
                for one in items
            ]
            conflict = "ON CONFLICT (id) DO NOTHING"  # the slice before a stop comes again
            await conn.insert_rows("satoshimachine.reconciliation_items", rows, conflict)
            seen = {*ids.values(), *still_there}
            await findings.resolve_gone(conn, look_again, self.id, seen)

        return work

    async def _alert(self, one: Found) -> None:
        try:
            await alert_now(
                ALERT_KEY,
                "reconciliation_mismatch",
                "info",
                said("reconciliation_mismatch.first", expected=one.expected, actual=one.actual),
            )
        except SatMachineError as exc:
            logger.critical(f"event=reconciliation_alert_failed message={exc.message}")

    async def not_stored(self, error: SatMachineError) -> None:
        """It must not hide the mismatch, and is told itself."""
        logger.critical(f"event=reconciliation_not_stored run={self.id} message={error.message}")
        self.looked_at["slices_not_stored"] += 1
        try:
            await alert_now(
                UNSTORED_KEY,
                "reconciliation_not_stored",
                "critical",
                Words(
                    f"What the reconciliation found could not be stored: {error.message}",
                    "LNbits' log names every mismatch. Mend the database, then reconcile again.",
                ),
            )
        except SatMachineError as exc:
            logger.critical(f"event=reconciliation_alert_failed message={exc.message}")


async def _tick_runs() -> bool:
    row = await crud.fetch_row(
        "SELECT 1 AS one FROM satoshimachine.leases WHERE name = :name AND expires_us > :now",
        {"name": TICK_LEASE, "now": clock.now_us()},
    )
    return row is not None


async def unresolved_of(kind: str, link: Link | None = None) -> dict[str, str]:
    """Unresolved findings of a kind of subject: subject id -> finding id."""
    clause = "subject_kind = :kind" + (" AND link = :link" if link else "")
    values = {"kind": kind, **({"link": link.value} if link else {})}
    rows = await own(lambda conn: findings.unresolved(conn, clause, values))
    return {str(row["subject_id"]): str(row["id"]) for row in rows}
