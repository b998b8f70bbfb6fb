"""Lamassu's side of a reconciliation: its rows read again, and rows of its that we do not know.

When the source cannot be reached, every item's verdict says that this side was not looked at; the
other sides are compared all the same (LIQ-5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from loguru import logger

from .. import crud
from ..adapters.lamassu_postgres import LamassuSource, open_source
from ..adapters.lamassu_queries import HOUR_US, hour_of
from ..domain.eligibility import SourceRow, classify, read_sale
from ..domain.verdicts import Link, Verdict
from ..errors import NotConfigured, SatMachineError
from .findings import Found
from .reconcile_run import Item, Run, unresolved_of
from .source import source_settings

DAY_US = 24 * HOUR_US
# A late row is created when the sale begins and can be confirmed a day later (lamassu.md 3.5).
NEW_ROWS_FROM_US = 3 * DAY_US


class SourceSide:
    """Lamassu while it can be read; once it failed, only the reason is left."""

    def __init__(self, page_rows: int) -> None:
        self.page_rows = page_rows
        self.problem: SatMachineError | None = None
        self.start_at_us = 0
        self.hours_from_us = 0
        self._source: LamassuSource | None = None
        self._hours: dict[int, tuple[int, str]] = {}
        self._stored_hours: dict[int, tuple[int, str]] = {}

    async def open(self, stack: AsyncExitStack, hours_from_us: int) -> None:
        """Connect; what prevents it is remembered, not raised."""
        self.hours_from_us = hours_from_us = hours_from_us - hours_from_us % HOUR_US
        try:
            settings = await crud.get_settings()
            if settings.start_at_us is None:
                raise NotConfigured("No connection to Lamassu is saved")
            self.start_at_us = settings.start_at_us
            config = source_settings(await crud.get_config())
            self._source = await stack.enter_async_context(open_source(config))
            look = await self._source.look(
                created_from_us=hours_from_us, start_at_us=self.start_at_us
            )
            self._hours = {b.hour_us: (b.rows, b.digest) for b in look.buckets}
            self._stored_hours = await crud.known_hours(hours_from_us)
        except SatMachineError as exc:
            self.fail(exc)

    def fail(self, error: SatMachineError) -> None:
        """From here on this side is not looked at."""
        self.problem = self.problem or error
        logger.warning(f"event=reconciliation_source_unread code={error.code} {error.message}")

    async def rows(self, lamassu_ids: Sequence[str]) -> dict[str, SourceRow] | None:
        """Lamassu's rows with these ids as they are now, or None when they cannot be read."""
        if self.problem is not None or self._source is None:
            return None
        try:
            found = await self._source.rows_by_id(lamassu_ids)
        except SatMachineError as exc:
            self.fail(exc)
            return None
        return {str(row["id"]): row for row in found}

    def next_poll_reads(self, created_us: int | None) -> bool:
        """Does the next poll look at an open row of this moment? Then a difference is no finding:
        its hour changed since it was last stored, or it lies outside of the window.
        """
        if created_us is None or created_us < self.hours_from_us:
            return True
        hour = hour_of(created_us)
        return self._hours.get(hour) != self._stored_hours.get(hour)

    async def look_for_unknown(self, run: Run, from_us: int) -> None:
        """Rows of Lamassu that a poll would store and that are not here, page by page."""
        if self.problem is not None or self._source is None:
            return
        await run.begin("source")
        open_ones = await unresolved_of("source_row")
        start = run.cursor.get("after")
        more = {"cursor": tuple(start)} if start else {}
        rule = (await crud.get_settings()).split_rule
        try:
            async for page in self._source.pages(
                from_us, None, start_at_us=self.start_at_us, size=self.page_rows, **more
            ):
                await self._page(run, page, rule)
                await run.step(after=[page[-1]["created"], page[-1]["id"]])
            if open_ones:
                await self._look_again(run, open_ones, rule)
        except SatMachineError as exc:
            self.fail(exc)

    async def _page(self, run: Run, page: Sequence[SourceRow], rule: Any) -> None:
        unknown = await _unknown(page)
        found, waiting = self._judge(unknown, rule)
        run.done += len(page)
        run.looked_at["source_rows"] += len(page)
        run.count(Verdict.IN_FLIGHT, len(waiting))
        await run.found(found, waiting)

    def _judge(self, rows: Sequence[SourceRow], rule: Any) -> tuple[list[Found], list[Item]]:
        found, waiting = [], []
        for row in rows:
            state = classify(row, rule).state
            if state is None:
                continue
            lamassu_id, sale = str(row["id"]), read_sale(row)
            if self.next_poll_reads(sale.created_us):
                waiting.append(Item(Verdict.IN_FLIGHT, "source_row", lamassu_id))
                continue
            atoms = sale.crypto_atoms
            found.append(
                Found(
                    "source_unknown",
                    Link.SOURCE,
                    "source_row",
                    lamassu_id,
                    f"a sale of {atoms} sats at Lamassu ({state.value})",
                    "no such cash-out here",
                    -atoms if atoms is not None else None,
                )
            )
        return found, waiting

    async def _look_again(self, run: Run, open_ones: Mapping[str, str], rule: Any) -> None:
        """Rows that an earlier run did not find here, wherever they lie in time."""
        rows = await self.rows(list(open_ones))
        if rows is None:
            return
        found, _ = self._judge(await _unknown(list(rows.values())), rule)
        there = {open_ones[one.subject_id] for one in found}
        await run.found([], look_again=list(open_ones.values()), still_there=there)


async def _unknown(page: Sequence[SourceRow]) -> list[SourceRow]:
    ids = [str(row["id"]) for row in page]
    if not ids:
        return []
    named = {f"v{number}": one for number, one in enumerate(ids)}
    marks = ", ".join(f":{name}" for name in named)
    known = await crud.fetch_rows(
        "SELECT lamassu_transaction_id AS id FROM satoshimachine.lamassu_transactions"
        f" WHERE lamassu_transaction_id IN ({marks})",
        named,
    )
    ours = {str(row["id"]) for row in known}
    return [row for row in page if str(row["id"]) not in ours]


async def read_now(
    lamassu_ids: Sequence[str],
) -> tuple[dict[str, SourceRow] | None, SatMachineError | None]:
    """These rows as Lamassu has them this moment, or why they cannot be read."""
    try:
        config = source_settings(await crud.get_config())
        async with open_source(config) as source:
            found = await source.rows_by_id(lamassu_ids)
    except SatMachineError as exc:
        return None, exc
    return {str(row["id"]): row for row in found}, None
