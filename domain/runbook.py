"""The six failures of the runbook and what points at each; the words of incidents (SAT-60, SAT-61).

A sign belongs to one failure where that can be told: a finding by its code, an alert by its kind, a
check of health by its name. What several failures share would turn all of them red.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OK, WARN, BAD, UNKNOWN = "ok", "warn", "bad", "unknown"
WORST = (BAD, WARN, UNKNOWN, OK)

OTHER = "other"  # an incident that is none of the six
SEVERITIES = ("critical", "high", "medium", "low")
OUTCOMES = ("mended", "accepted", "false_alarm")
FALSE_ALARM = "false_alarm"
PHASES = (1, 2, 3, 4, 5)
# How many lines the checklist of each phase has (docs/runbook.md); the page has their texts.
LINES = {1: 5, 2: 7, 3: 3, 4: 6, 5: 4}

LEVELS = ("operator", "technical", "owner")  # the three levels of escalation, who sign, too
OUTSIDE = ("lamassu", "infrastructure", "accountant")
ROLES = (*LEVELS, *OUTSIDE)


@dataclass(frozen=True)
class Failure:
    """One page of the runbook: its severity, and the names of what shows it."""

    name: str
    severity: str
    checks: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()  # of findings


FAILURES: tuple[Failure, ...] = (
    Failure(
        "duplicate",
        "critical",
        alerts=("halt", "restore", "takeover"),
        codes=(
            *("share_doubled", "share_unknown", "share_nowhere", "leg_unknown", "leg_nowhere"),
            *("wallet_row_doubled", "wallet_row_unknown", "duplicate_hash", "entries_nowhere"),
        ),
    ),
    Failure(
        "connection",
        "medium",
        checks=("heartbeat", "ssh", "host_key", "database", "clock"),
        alerts=("poll_failed", "poll_late", "poll_silent", "host_key_changed", "source_changed"),
        codes=("source_changed", "source_vanished", "source_unknown"),
    ),
    Failure(
        "unpaid",
        "critical",
        checks=("unsettled", "held"),
        alerts=(
            *("share_failed", "share_unsettled", "payouts_late", "commission_failed"),
            *("settlement_waits", "cash_out_held"),
        ),
        codes=("share_missing", "leg_missing", "wallet_row_missing"),
    ),
    Failure(
        "balance",
        "high",
        checks=("audit_chain",),
        alerts=("audit_chain", "reconciliation_failed", "reconciliation_not_stored"),
    ),
    Failure(
        "commission",
        "high",
        alerts=("commission_anomaly",),
        codes=("plan_rerun", "plan_outcome", "plan_input", "plan_hash", "plan_missing"),
    ),
    Failure(
        "wallet",
        "high",
        checks=("source_wallet", "commission_wallet", "runway"),
        alerts=("wallet_unusable", "runway_low", "balance_high"),
    ),
)
NAMES = tuple(failure.name for failure in FAILURES)
BALANCE = "balance"
_BY_CODE = {code: failure.name for failure in FAILURES for code in failure.codes}
# Raised for open findings as a whole: they stand on the pages that have the findings.
OF_FINDINGS = ("reconciliation_mismatch", "reconciliation_difference")


def failure_of_code(code: str) -> str:
    """Whose finding it is; what is nobody else's is a balance that is off."""
    return _BY_CODE.get(code, BALANCE)


def state_of_alert(severity: str) -> str:
    """How bad an open alert makes the page it stands on."""
    return {"critical": BAD, "warning": WARN}.get(severity, OK)


def worst(states: Iterable[str]) -> str:
    """The one that counts; no sign at all is well."""
    return min(states, key=WORST.index, default=OK)


def review_base_us(signed_us: int | None, armed_us: int | None) -> int | None:
    """From when the quarter to the next review counts: the last sign-off, or the day on which the
    machine began its work; before that nobody is asked (SAT-61).
    """
    return signed_us if signed_us is not None else armed_us


@dataclass(frozen=True)
class Course:
    """How far an incident is: the phases that are recorded, and whether it is closed."""

    phases: frozenset[int] = frozenset()
    closed: bool = False


def refusal(
    course: Course, kind: str, *, phase: int | None = None, outcome: str | None = None
) -> tuple[str, str] | None:
    """Why this cannot be recorded now, and what to do instead; None when it can."""
    if course.closed:
        return "This incident is closed", "Begin another one."
    if kind == "phase":
        if phase in course.phases:
            return f"Phase {phase} was recorded already", "An entry stays as it is: add a note."
        missing = [one for one in PHASES if one < (phase or 0) and one not in course.phases]
        if missing:
            return (
                f"Phase {missing[0]} is not recorded yet",
                "Record the phases in their order: each builds on the ones before.",
            )
    if kind == "closed" and outcome != FALSE_ALARM:
        missing = [one for one in PHASES if one not in course.phases]
        if missing:
            return (
                f"Phase {missing[0]} is not recorded yet",
                "Record all five phases, or close it as a false alarm.",
            )
    return None
