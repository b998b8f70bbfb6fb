"""Tables as CSV files: page after page, counted and summed, with a last line that says so.

RFC 4180 by Python's csv module, UTF-8 with a byte order mark (without one Excel reads the file in
the machine's own code page and breaks names). Every line begins with its number; a `SUM` line a
currency and the `END` line close the file. A file without `END` is not whole.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from ..domain.csv_text import safe_text
from ..domain.days import datetime_utc
from ..domain.money import CURRENCY_EXPONENT, decimal_text

BYTE_ORDER_MARK = "\ufeff"
SUM, END = "SUM", "END"
MEDIA_TYPE = "text/csv; charset=utf-8"


@dataclass(frozen=True)
class Fiat:
    """A fiat amount of a cell; written as decimal text, summed in minor units."""

    minor: int
    currency: str


class Number(str):
    """Decimal text that is a number of ours: it stays one in a spreadsheet."""


Cells = Mapping[str, Any]  # column -> int, Fiat, text or None


@dataclass(frozen=True)
class Line:
    """One line. `once`: columns that count into the sums here; those of a cash-out that stands in
    several lines count in its first.
    """

    cells: Cells
    once: bool = True


@dataclass(frozen=True)
class Table:
    """What a file holds: its columns in order, which are summed, which holds the currency."""

    name: str
    columns: Sequence[str]
    sums: Sequence[str]
    currency: str
    once: frozenset[str] = frozenset()  # summed only in lines that say `once`


@dataclass
class Sums:
    """Counts and sums of what was written, per currency and, of sats, over all."""

    table: Table
    rows: int = 0
    rows_in: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    amounts: dict[tuple[str, str], Any] = field(default_factory=dict)
    sats: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, line: Line) -> int:
        """Count a line in; its number."""
        currency = str(line.cells.get(self.table.currency) or "")
        self.rows += 1
        self.rows_in[currency] += 1
        for column in self.table.sums:
            value = line.cells.get(column)
            if value is None or (column in self.table.once and not line.once):
                continue
            if isinstance(value, Fiat):
                known = self.amounts.get((currency, column), Fiat(0, value.currency))
                self.amounts[currency, column] = Fiat(known.minor + value.minor, known.currency)
            else:
                self.amounts[currency, column] = self.amounts.get((currency, column), 0) + value
                self.sats[column] += value
        return self.rows

    def closing(self) -> list[list[Any]]:
        """A SUM line a currency, then END."""
        lines = []
        for currency in sorted(self.rows_in):
            cells = {column: self.amounts.get((currency, column)) for column in self.table.sums}
            cells[self.table.currency] = currency
            lines.append(self._line(SUM, self.rows_in[currency], cells))
        lines.append(self._line(END, self.rows, self.sats))
        return lines

    def _line(self, word: str, rows: int, cells: Cells) -> list[Any]:
        first, *others = self.table.columns
        named = {first: f"{rows} rows", **{column: cells.get(column) for column in others}}
        return [word, *(_cell(named[column]) for column in self.table.columns)]


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, Fiat):
        known = value.currency in CURRENCY_EXPONENT
        return decimal_text(value.minor, value.currency) if known else ""
    if isinstance(value, int | Number):
        return value
    return safe_text(str(value))


async def csv_chunks(table: Table, pages: AsyncIterator[Sequence[Line]]) -> AsyncIterator[bytes]:
    """The file in pieces, one a page; whoever stops reading stops the work after this page."""
    sums = Sums(table)
    yield _text([["row", *table.columns]], BYTE_ORDER_MARK)
    async for page in pages:
        yield _text(
            [sums.add(line), *(_cell(line.cells.get(column)) for column in table.columns)]
            for line in page
        )
    yield _text(sums.closing())


def _text(lines: Any, before: str = "") -> bytes:
    out = io.StringIO()
    out.write(before)
    csv.writer(out, lineterminator="\r\n").writerows(lines)
    return out.getvalue().encode()


def file_name(name: str, now_us: int, time_zone: str) -> str:
    """`satmachineadmin-cash-outs-20260131T174501-0600.csv`"""
    moment = datetime_utc(now_us).astimezone(ZoneInfo(time_zone))
    return f"satmachineadmin-{name}-{moment:%Y%m%dT%H%M%S%z}.csv"


def local_iso(us: int | None, zone: ZoneInfo) -> str | None:
    """An instant in the operator's time zone with its offset."""
    if us is None:
        return None
    return datetime_utc(us).astimezone(zone).isoformat(timespec="milliseconds")
