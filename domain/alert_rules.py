"""Every kind of alert in one table: what its threshold means, how bad it is, who hears when.

This is the one home of the numbers that the earlier runbook gave several values each
(requirements C-SAT-f, g, h, r). An operator changes any of them (services/alert_rules.py); a kind
that is not in the table is told at once, by the severity it was raised with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MINUTE_S, HOUR_S = 60, 3600
DAY_S = 24 * HOUR_S
SEVERITIES = ("info", "warning", "critical")  # in the order of their weight
COOLDOWN_MAX_S = 7 * DAY_S
ESCALATIONS_MAX = 2  # with the first telling, the three levels of SAT-60


@dataclass(frozen=True)
class Unit:
    """What a threshold counts, and the largest that makes sense."""

    name: str
    highest: int
    seconds: int | None = None  # of a time


MINUTES = Unit("minutes", 7 * 24 * 60, MINUTE_S)
HOURS = Unit("hours", 90 * 24, HOUR_S)
DAYS = Unit("days", 365, DAY_S)
POLLS = Unit("polls", 100)
SATS = Unit("sats", 21_000_000 * 10**8)


@dataclass(frozen=True)
class Rule:
    """A kind of alert. `meaning` is the only meaning of its threshold."""

    kind: str
    severity: str
    meaning: str
    threshold: int | None = None
    unit: Unit | None = None
    cooldown_s: int = HOUR_S  # the same condition, come back sooner, is shown and not told again
    escalate_s: int = 0  # not acknowledged for so long: told again, one level up; 0: never
    can_wait: bool = False  # in quiet hours it waits for the morning
    told: bool = True  # False: shown on the page, sent to nobody

    @property
    def threshold_us(self) -> int:
        """Of a threshold that is a time."""
        seconds = self.unit.seconds if self.unit else None
        return (self.threshold or 0) * (seconds or 0) * 1_000_000


def _rule(kind: str, severity: str, meaning: str, **more: Any) -> Rule:
    if severity == "critical":
        more.setdefault("escalate_s", 30 * MINUTE_S)
        # What was over and is there again is another one: a person must hear of it at once.
        more.setdefault("cooldown_s", 0)
    return Rule(kind, severity, meaning, **more)


TABLE: tuple[Rule, ...] = (
    _rule(
        "share_unsettled",
        "critical",
        "A client's share has not arrived more than this long after the sale was read or the"
        " share failed, while automatic work is on",
        threshold=15,
        unit=MINUTES,
    ),
    _rule(
        "payouts_late",
        "warning",
        "A client's share is late by more than this, whatever the reason: the client can be told",
        threshold=24,
        unit=HOURS,
        escalate_s=4 * HOUR_S,
    ),
    _rule("share_failed", "critical", "A client's wallet cannot take what is theirs"),
    _rule(
        "poll_failed",
        "warning",
        "Lamassu could not be read at the last poll",
        escalate_s=4 * HOUR_S,
    ),
    _rule(
        "poll_late",
        "warning",
        "No poll succeeded for more than this many intervals and a minute, while automatic work is"
        " on; a machine that sells nothing is not late",
        threshold=2,
        unit=POLLS,
        escalate_s=2 * HOUR_S,
    ),
    _rule(
        "poll_silent",
        "critical",
        "No poll succeeded for more than this, also when automatic work is off",
        threshold=24,
        unit=HOURS,
        cooldown_s=HOUR_S,  # comes and goes with the line
        escalate_s=2 * HOUR_S,
    ),
    _rule("wallet_unusable", "critical", "The source or commission wallet is gone or is shared"),
    _rule(
        "settlement_waits",
        "critical",
        "The source wallet cannot pay the next cash-out",
        cooldown_s=HOUR_S,  # comes and goes with each deposit of sats
    ),
    _rule(
        "runway_low",
        "warning",
        "At the pace of the last two weeks the prefunded source wallet lasts fewer than so many"
        " days",
        threshold=7,
        unit=DAYS,
        cooldown_s=DAY_S,
        escalate_s=DAY_S,
        can_wait=True,
    ),
    _rule(
        "balance_high",
        "info",
        "More than this lies in the source wallet",
        threshold=10_000_000,
        unit=SATS,
        cooldown_s=DAY_S,
        can_wait=True,
    ),
    _rule(
        "deposit_waits",
        "info",
        "A deposit was written down longer ago than this and nobody confirmed it",
        threshold=48,
        unit=HOURS,
        cooldown_s=DAY_S,
        can_wait=True,
    ),
    _rule(
        "deposit_overdue",
        "warning",
        "A deposit was written down longer ago than this and nobody confirmed it: late for the"
        " weekly audit too",
        threshold=7,
        unit=DAYS,
        cooldown_s=DAY_S,
        escalate_s=DAY_S,
        can_wait=True,
    ),
    _rule(
        "commission_anomaly",
        "warning",
        "The commission of one of the newest cash-outs is off its own formula by more than this",
        threshold=0,
        unit=SATS,
        escalate_s=8 * HOUR_S,
        can_wait=True,
    ),
    _rule(
        "reconciliation_mismatch",
        "info",
        "The last reconciliation left open findings: two sides differ, if only by one sat",
        can_wait=True,
    ),
    _rule(
        "reconciliation_difference",
        "critical",
        "The sides of the open findings differ by more than this, added up; what differs in"
        " anything but sats counts as more",
        threshold=100,
        unit=SATS,
        escalate_s=2 * HOUR_S,
    ),
    _rule("host_key_changed", "critical", "Lamassu's server shows another SSH host key"),
    _rule("source_changed", "warning", "A row changed in Lamassu after it was paid out here"),
    _rule("halt", "critical", "A rule of the books broke: no money moves"),
    _rule("takeover", "critical", "An earlier extension's books were found: no money moves"),
    _rule("restore", "critical", "A database was put back from a backup: no money moves"),
    _rule("cash_out_held", "warning", "A cash-out waits for the operator", can_wait=True),
    _rule(
        "commission_failed",
        "warning",
        "The commission wallet did not take its part",
        can_wait=True,
    ),
    _rule("reconciliation_failed", "warning", "A reconciliation did not finish", can_wait=True),
    _rule("reconciliation_not_stored", "critical", "What was found could not be written down"),
    _rule("audit_chain", "critical", "The audit trail is not as it was written"),
    _rule(
        "runbook_review",
        "warning",
        "Nobody signed the runbook for more than this; before the first signature it counts from"
        " the day on which automatic work began",
        threshold=92,
        unit=DAYS,
        cooldown_s=7 * DAY_S,
        can_wait=True,
    ),
    _rule("channel_failed", "warning", "A message could not be delivered after all attempts"),
)
BY_KIND: Mapping[str, Rule] = {rule.kind: rule for rule in TABLE}
CHANGEABLE = ("severity", "threshold", "cooldown_s", "escalate_s", "can_wait", "told")


def changed(rule: Rule, changes: Mapping[str, Any]) -> Rule:
    """The rule as an operator changed it. Raises ValueError, for a person, when it cannot be so."""
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise ValueError(f"{rule.kind} has no {unknown[0]}")
    made = replace(rule, **changes)
    if made.severity not in SEVERITIES:
        raise ValueError(f"severity must be one of {', '.join(SEVERITIES)}")
    if rule.unit is None and made.threshold is not None:
        raise ValueError(f"{rule.kind} has no threshold")
    if rule.unit is not None:
        lowest = 0 if rule.unit is SATS else 1
        if made.threshold is None or not lowest <= made.threshold <= rule.unit.highest:
            raise ValueError(
                f"the threshold of {rule.kind} must be {lowest} to {rule.unit.highest}"
                f" {rule.unit.name}"
            )
    for name in ("cooldown_s", "escalate_s"):
        if not 0 <= getattr(made, name) <= COOLDOWN_MAX_S:
            raise ValueError(f"{name} must be 0 to {COOLDOWN_MAX_S} seconds")
    return made


def rank(severity: str) -> int:
    """How bad: 0 is information."""
    return SEVERITIES.index(severity)


def worse(severity: str, steps: int) -> str:
    """So many steps worse, at most critical."""
    return SEVERITIES[min(rank(severity) + steps, len(SEVERITIES) - 1)]


def worst(severities: Iterable[str]) -> str:
    """The worst of them."""
    return max(severities, key=rank)
