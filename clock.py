"""The one place that asks what time it is, so that a test can answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

source: Callable[[], int] = time.time_ns


def now_us() -> int:
    """Epoch microseconds."""
    return source() // 1000


def iso(us: int | None) -> str | None:
    """ISO 8601 in UTC with microseconds, as the API writes instants; None stays None."""
    if us is None:
        return None
    seconds, rest = divmod(us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=rest)
    return moment.isoformat(timespec="microseconds")
