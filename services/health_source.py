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
TEST_BUTTON = "Press 'Test connection': it says which step fails."


@dataclass(frozen=True)
class Found:
    """How one thing is."""

    state: str
    detail: str
    hint: str = ""


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
        return Found(UNKNOWN, "No connection is saved", "Finish the setup.")
    if not seen.config.use_ssh_tunnel:
        return Found(OK, "No SSH tunnel is used")
    if seen.looked_later:
        return _step(seen, SSH_STEPS)
    if seen.poll is None:
        return Found(UNKNOWN, "It was not tried yet", TEST_BUTTON)
    code = seen.poll["error_code"]
    if code in (*SSH_CODES, *SILENT_CODES, *KEY_CODES):
        return Found(BAD, str(seen.poll["error_message"]), str(seen.poll["hint"] or TEST_BUTTON))
    return Found(OK, "The last poll came through")


async def database(seen: Seen) -> Found:
    """Lamassu's database answers."""
    if seen.config is None:
        return Found(UNKNOWN, "No connection is saved", "Finish the setup.")
    if seen.looked_later:
        return _step(seen, None)
    if seen.poll is None:
        return Found(UNKNOWN, "It was not tried yet", TEST_BUTTON)
    code = seen.poll["error_code"]
    if code is None:
        return Found(OK, f"The last poll read {int(seen.poll['rows_read'])} rows")
    behind = (*SSH_CODES, *KEY_CODES)
    if code in behind or (code in SILENT_CODES and seen.config.use_ssh_tunnel):
        return Found(UNKNOWN, "The ATM server was not reached", TEST_BUTTON)
    return Found(BAD, str(seen.poll["error_message"]), str(seen.poll["hint"] or TEST_BUTTON))


def _step(seen: Seen, names: tuple[str, ...] | None) -> Found:
    """What the real look says of these steps; None: of all that are not SSH's."""
    steps = (seen.look or {}).get("steps", [])
    mine = [step for step in steps if (step["name"] in (names or SSH_STEPS)) == bool(names)]
    bad = next((step for step in mine if step["ok"] is False), None)
    if bad is not None:
        return Found(BAD, bad["detail"], bad["hint"] or TEST_BUTTON)
    if not mine or (names is None and mine[-1]["ok"] is None):
        return Found(UNKNOWN, "It was not reached", TEST_BUTTON)
    warned = next((step for step in mine if step["code"] == "GRANTS_BEYOND_NEED"), None)
    if warned is not None:
        return Found(WARN, warned["detail"], warned["hint"] or "")
    return Found(OK, "The last look came through")


async def host_key(seen: Seen) -> Found:
    """The server is the one the operator accepted."""
    config = seen.config
    if config is None or not config.use_ssh_tunnel:
        return Found(OK if config else UNKNOWN, "No SSH server is set up")
    alert = await crud.fetch_row(
        "SELECT message, hint FROM satoshimachine.alerts"
        " WHERE dedupe_key = 'host_key' AND resolved_us IS NULL"
    )
    if alert is not None:
        return Found(BAD, str(alert["message"]), str(alert["hint"]))
    if not config.ssh_host_key:
        hint = "Compare the fingerprint with the server's own and accept it."
        return Found(BAD, "No host key is accepted", hint)
    return Found(OK, "The accepted key was shown")


async def heartbeat(seen: Seen) -> Found:
    """The poller works, whether anybody sells or not (C-SAT-g)."""
    if seen.config is None:
        return Found(UNKNOWN, "No connection is saved", "Finish the setup.")
    success_us = await crud.get_meta(META_LAST_SUCCESS)
    if not seen.config.polling_enabled:
        return Found(WARN, "Automatic work is switched off", "Switch it on when you are ready.")
    if success_us is None:
        return Found(UNKNOWN, "No poll has succeeded yet", "Poll now.")
    silent_us = seen.now_us - int(success_us)
    detail = f"The last successful poll was {span(silent_us)} ago"
    late_us = late_after_us(seen.settings)
    if silent_us <= late_us:
        return Found(OK, detail)
    hint = "Poll now; if it fails, its answer says what to do."
    return Found(BAD if silent_us > max(SILENT_BAD_US, late_us) else WARN, detail, hint)


async def last_sale(seen: Seen) -> Found:
    """When the machines sold last: information, a quiet machine is no fault (C-SAT-g)."""
    row = await crud.fetch_row(
        f"SELECT {MOMENT} AS us FROM satoshimachine.lamassu_transactions t"
        f" ORDER BY {MOMENT} DESC LIMIT 1"
    )
    if row is None:
        return Found(OK, "No sale is known yet")
    return Found(OK, f"The last sale was {span(seen.now_us - int(row['us']))} ago")


async def clock_difference(seen: Seen) -> Found:
    """The ATM server's clock and ours agree: sales and deposits are ordered by them."""
    us = await crud.get_meta(META_CLOCK)
    if us is None:
        return Found(UNKNOWN, "It was not measured yet", "Poll now.")
    detail = f"The ATM server's clock is {round(int(us) / US_PER_S, 1)} s ahead"
    hint = "Let both servers set their clocks by NTP."
    if abs(int(us)) > CLOCK_BAD_US:
        return Found(BAD, detail, hint)
    return Found(WARN, detail, hint) if abs(int(us)) > CLOCK_WARN_US else Found(OK, detail)
