"""What the demo says while it works: one line per step with the time since the start."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime

_started = time.monotonic()


def say(text: str) -> None:
    """A step of the start or the end, with the seconds since the start."""
    print(f"[{time.monotonic() - _started:5.1f} s] {text}", flush=True)


def happened(text: str) -> None:
    """Something in the running demo, with the time of day."""
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", flush=True)


def complain(text: str) -> None:
    """What went wrong, where a person looks for it."""
    print(text, file=sys.stderr, flush=True)


def grouped(number: int) -> str:
    """12345 as 12,345."""
    return f"{number:,}"


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as needed; numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(headers), *cells]) for i in range(len(headers))]
    right = [all(isinstance(row[i], int) for row in rows) for i in range(len(headers))]

    def line(values: Sequence[str]) -> str:
        padded = [
            value.rjust(width) if to_right else value.ljust(width)
            for value, width, to_right in zip(values, widths, right, strict=True)
        ]
        return "  " + "  ".join(padded).rstrip()

    ruler = ["-" * width for width in widths]
    return "\n".join([line(headers), line(ruler), *(line(row) for row in cells)])


def _cell(value: object) -> str:
    return grouped(value) if isinstance(value, int) else str(value)
