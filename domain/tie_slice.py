"""What Python compares of a cash-out in a large run: its row, its plan run again, its shares.

The databases compare the rest by set; whatever differs here is read again as a whole (tie_out.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .eligibility import SourceRow, Stated
from .replay import read_stated
from .tie_books import compare_books
from .tie_out import compare_snapshot, compare_source
from .verdicts import UNREADABLE, Row


@dataclass(frozen=True)
class Slice:
    """Some cash-outs with what belongs to them."""

    rows: Sequence[Row]
    shares: Mapping[str, Sequence[Row]]  # by the cash-out's id; none: no share
    source: Mapping[str, SourceRow] | None  # by Lamassu's id; None: nobody could look

    def part(self, start: int, end: int) -> Slice:
        """These rows with their shares and no others."""
        rows = self.rows[start:end]
        shares = {str(row["id"]): self.shares.get(str(row["id"]), ()) for row in rows}
        source = self.source
        if source is not None:
            ids = [str(row["lamassu_transaction_id"]) for row in rows]
            source = {one: source[one] for one in ids if one in source}
        return Slice(rows, shares, source)

    def differing(self) -> set[str]:
        """Ids of cash-outs that seem to differ, or cannot be read."""
        return {str(row["id"]) for row in self.rows if self._differs(row)}

    def _differs(self, row: Row) -> bool:
        try:
            shares = self.shares.get(str(row["id"]), ())
            return bool(
                compare_snapshot(row)
                or compare_books(row, shares, stated_of(row))
                or compare_source(row, source_of(row, self.source))
            )
        except UNREADABLE:
            return True


def stated_of(cash_out: Row) -> Stated | None:
    """What a person stated; something that fits no plan where that cannot be read any more."""
    try:
        return read_stated(cash_out["operator_facts"])
    except UNREADABLE:
        return Stated(fiat_minor=-1)


def source_of(cash_out: Row, source: Mapping[str, SourceRow] | None) -> SourceRow | None:
    """Lamassu's row; one that is not in `source` is not there any more. None: nobody looked."""
    if source is None:
        return None
    lamassu_id = str(cash_out["lamassu_transaction_id"])
    return source.get(lamassu_id, {"id": lamassu_id, "vanished": "true"})
