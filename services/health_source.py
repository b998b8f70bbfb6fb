"""Health of the way to the ATM server, and what all checks share (services/health_checks.py).

A quiet machine is no fault; a silent poller is (C-SAT-g). Thresholds: docs/health.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .. import clock, crud
from ..books import MOMENT
from ..database import Row
from ..domain.days import US_PER_S
from ..errors import SourceError
from ..models import Check as Line
from ..models import OperatorSettings, StoredConfig
from . import readiness
from .health_said import ERROR, OTHER_CODES, TEST_BUTTON, Found, passed_on, said
from .observe import META_CLOCK, META_LAST_SUCCESS
from .overview import late_after_us

OK, WARN, BAD, UNKNOWN = "ok", "warn", "bad", "unknown"
MINUTE_US = 60 * US_PER_S
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

SILENT_BAD_US = DAY_US  # SAT-5, SAT-46; before that two intervals and a minute are late
CLOCK_WARN_US, CLOCK_BAD_US = MINUTE_US, 5 * MINUTE_US

META_LOOK = "health_look"  # the last real look at the ATM server, step by step

SSH_CODES = ("SSH_KEY_UNUSABLE", "SSH_PASSPHRASE_WRONG", "SSH_LOGIN_REFUSED")
KEY_CODES = ("HOST_KEY_UNKNOWN", "HOST_KEY_CHANGED")
# One machine does not answer; through a tunnel only a real look can tell which.
SILENT_CODES = ("SOURCE_UNREACHABLE", "SOURCE_TIMEOUT", "SOURCE_CONNECTION_LOST")
SSH_STEPS = ("ssh_reached", "host_key", "ssh_login")


@dataclass(frozen=True)
class Seen:
    """What several checks need, read once."""

    now_us: int
    config: StoredConfig | None
    settings: OperatorSettings
    poll: Row | None  # the newest that says something of the source
    look: dict[str, Any] | None
    lines: list[Line] = field(default_factory=list)  # of readiness, in this process

    @property
    def looked_later(self) -> bool:
        """The real look is newer than the poll."""
        polled_us = int(self.poll["finished_us"] or self.poll["started_us"]) if self.poll else 0
        return self.look is not None and int(self.look["at_us"]) > polled_us


async def see() -> Seen:
    """Everything the checks share."""
    codes = sorted(source_codes())
    named = {f"c{number}": code for number, code in enumerate(codes)}
    poll = await crud.fetch_row(
        "SELECT * FROM satoshimachine.polls WHERE result = 'ok' OR error_code IN"
        f" ({', '.join(f':{name}' for name in named)}) ORDER BY started_us DESC LIMIT 1",
        named,
    )
    return Seen(
        clock.now_us(),
        await crud.get_config(),
        await crud.get_settings(),
        poll,
        await crud.get_meta(META_LOOK),
        readiness.last_lines(),
    )


def source_codes() -> set[str]:
    """The codes of everything that can be wrong between here and Lamassu's database."""
    kinds, found = [SourceError], set()
    while kinds:
        kind = kinds.pop()
        found.add(kind.code)
        kinds += kind.__subclasses__()
    return found


def of_error(state: str, code: str | None, message: str, hint: str | None) -> Found:
    """What an error said of itself, told apart by its code."""
    known = source_codes() | set(OTHER_CODES)
    return passed_on(state, ERROR, code, message, hint or "", known)


def _of_error(state: str, code: str | None, message: str, hint: str | None) -> Found:
    """The same of the way to the ATM server, where the connection test says more."""
    return of_error(state, code, message, hint or TEST_BUTTON)


def span(us: int) -> str:
    """How long, in the two largest units."""
    minutes = max(0, us) // MINUTE_US
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


# -- the way to the ATM server ------------------------------------------------------------------


async def ssh(seen: Seen) -> Found:
    """The ATM server can be reached."""
    if seen.config is None:
        return said(UNKNOWN, "no_connection")
    if not seen.config.use_ssh_tunnel:
        return said(OK, "ssh.none")
    if seen.looked_later:
        return _step(seen, SSH_STEPS)
    if seen.poll is None:
        return said(UNKNOWN, "source.not_tried")
    code = seen.poll["error_code"]
    if code in (*SSH_CODES, *SILENT_CODES, *KEY_CODES):
        return _of_error(BAD, code, str(seen.poll["error_message"]), seen.poll["hint"])
    return said(OK, "ssh.poll_came_through")


async def database(seen: Seen) -> Found:
    """Lamassu's database answers."""
    if seen.config is None:
        return said(UNKNOWN, "no_connection")
    if seen.looked_later:
        return _step(seen, None)
    if seen.poll is None:
        return said(UNKNOWN, "source.not_tried")
    code = seen.poll["error_code"]
    if code is None:
        return said(OK, "database.read", count=int(seen.poll["rows_read"]))
    behind = (*SSH_CODES, *KEY_CODES)
    if code in behind or (code in SILENT_CODES and seen.config.use_ssh_tunnel):
        return said(UNKNOWN, "database.behind")
    return _of_error(BAD, code, str(seen.poll["error_message"]), seen.poll["hint"])


def _step(seen: Seen, names: tuple[str, ...] | None) -> Found:
    """What the real look says of these steps; None: of all that are not SSH's."""
    steps = (seen.look or {}).get("steps", [])
    mine = [step for step in steps if (step["name"] in (names or SSH_STEPS)) == bool(names)]
    bad = next((step for step in mine if step["ok"] is False), None)
    if bad is not None:
        return _of_error(BAD, bad["code"], bad["detail"], bad["hint"])
    if not mine or (names is None and mine[-1]["ok"] is None):
        return said(UNKNOWN, "source.not_reached")
    warned = next((step for step in mine if step["code"] == "GRANTS_BEYOND_NEED"), None)
    if warned is not None:
        return _of_error(WARN, warned["code"], warned["detail"], warned["hint"])
    return said(OK, "source.came_through")


async def host_key(seen: Seen) -> Found:
    """The server is the one the operator accepted."""
    config = seen.config
    if config is None or not config.use_ssh_tunnel:
        return said(OK if config else UNKNOWN, "host_key.none")
    alert = await crud.fetch_row(
        "SELECT message, hint FROM satoshimachine.alerts"
        " WHERE dedupe_key = 'host_key' AND resolved_us IS NULL"
    )
    if alert is not None:
        return _of_error(BAD, "HOST_KEY_CHANGED", str(alert["message"]), alert["hint"])
    if not config.ssh_host_key:
        return said(BAD, "host_key.not_accepted")
    return said(OK, "host_key.shown")


async def heartbeat(seen: Seen) -> Found:
    """The poller works, whether anybody sells or not (C-SAT-g)."""
    if seen.config is None:
        return said(UNKNOWN, "no_connection")
    success_us = await crud.get_meta(META_LAST_SUCCESS)
    if not seen.config.polling_enabled:
        return said(WARN, "heartbeat.off")
    if success_us is None:
        return said(UNKNOWN, "heartbeat.never")
    silent_us = seen.now_us - int(success_us)
    late_us = late_after_us(seen.settings)
    state = OK if silent_us <= late_us else WARN
    if silent_us > max(SILENT_BAD_US, late_us):
        state = BAD
    return said(state, "heartbeat.last", age=span(silent_us))


async def last_sale(seen: Seen) -> Found:
    """When the machines sold last: information, a quiet machine is no fault (C-SAT-g)."""
    row = await crud.fetch_row(
        f"SELECT {MOMENT} AS us FROM satoshimachine.lamassu_transactions t"
        f" ORDER BY {MOMENT} DESC LIMIT 1"
    )
    if row is None:
        return said(OK, "last_sale.none")
    return said(OK, "last_sale.was", age=span(seen.now_us - int(row["us"])))


async def clock_difference(seen: Seen) -> Found:
    """The ATM server's clock and ours agree: sales and deposits are ordered by them."""
    us = await crud.get_meta(META_CLOCK)
    if us is None:
        return said(UNKNOWN, "clock.not_yet")
    state = WARN if abs(int(us)) > CLOCK_WARN_US else OK
    if abs(int(us)) > CLOCK_BAD_US:
        state = BAD
    return said(state, "clock.difference", seconds=round(int(us) / US_PER_S, 1))
