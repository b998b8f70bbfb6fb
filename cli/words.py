"""What the commands write: plain lines and aligned columns, for a terminal and for a printout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any


def say(text: str = "") -> None:
    """A line for the reader."""
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    """A line about what went wrong."""
    sys.stderr.write(f"{text}\n")


def grouped(number: Any) -> str:
    """A whole number with thin groups, a dash for none."""
    return "-" if number is None else f"{int(number):,}"


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns as wide as their widest cell; numbers to the right."""
    if not rows:
        return "  (none)"
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max(len(line[column]) for line in [list(headers), *cells]) for column in range(len(headers))
    ]
    right = [
        all(isinstance(row[column], int) or row[column] is None for row in rows)
        for column in range(len(headers))
    ]

    def line(values: Sequence[str]) -> str:
        parts = [
            value.rjust(width) if to_right else value.ljust(width)
            for value, width, to_right in zip(values, widths, right, strict=True)
        ]
        return "  " + "  ".join(parts).rstrip()

    return "\n".join(
        [line(list(headers)), line(["-" * width for width in widths]), *map(line, cells)]
    )


def _cell(value: Any) -> str:
    """Text without line breaks or control characters: names come from anybody."""
    if isinstance(value, int) and not isinstance(value, bool):
        return grouped(value)
    text = "-" if value is None else str(value)
    return "".join(one if one.isprintable() else " " for one in text)
