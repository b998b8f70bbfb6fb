"""What every part of the proof stands on: the environment, and the shape of a result.

Importing this prepares the environment of LNbits (tests/support/environment.py), so it comes before
anything that imports lnbits or the extension.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
# Only `prove` and the tests' support come from the checkout; the rest of it is the package
# `satmachineadmin`, and its modules have names that others may use, too.
sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != CHECKOUT]
sys.path.append(str(CHECKOUT / "tests"))

from support.environment import prepare  # noqa: E402

ENVIRONMENT = prepare()


@dataclass
class Row:
    """One line of the table. `total` counts what there is, `covered` what was run."""

    what: str
    unit: str  # points | pairs | cells | seeds | interleavings | mutants | requests | versions
    covered: int = 0
    total: int = 0
    failures: int = 0
    first_failure: str | None = None
    database: str = ENVIRONMENT.database
    seconds: float = 0.0

    def failed(self, why: str) -> None:
        """Count a failure; the first one is shown."""
        self.failures += 1
        self.first_failure = self.first_failure or why


@dataclass
class Result:
    """What a part writes, after each row, so that a kill of the part loses little."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def add(self, row: Row) -> None:
        """Keep a finished row and write everything so far."""
        row.seconds = row.seconds or round(time.perf_counter() - self.started, 1)
        self.started = time.perf_counter()
        self.rows.append(row)
        self.path.write_text(json.dumps({"rows": [asdict(one) for one in self.rows]}, indent=1))
        mark = "ok" if not row.failures else f"{row.failures} FAILED: {row.first_failure}"
        say(f"{row.what} ({row.database}): {row.covered} of {row.total} {row.unit}, {mark}")

    @property
    def exit_code(self) -> int:
        """1 when anything failed."""
        return int(any(row.failures for row in self.rows))


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)
