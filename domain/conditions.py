"""Which conditions hold, from facts that were read: no clock, no database (SAT-46 to SAT-56).

"More than" is meant strictly: at the threshold itself nothing is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from .alert_rules import Rule
from .alert_said import Words, said

US_PER_S = 1_000_000
POLL_SLACK_US = 60 * US_PER_S  # a poll takes its time, and the timer looks every few seconds


@dataclass(frozen=True)
class WalletFact:
    """One of the operator's wallets; `problem` None: usable."""

    role: str  # source or commission
    problem: str | None


@dataclass(frozen=True)
class WrongCommission:
    """A settled cash-out whose commission is not what its formula gives."""

    cash_out_id: str
    lamassu_id: str
    off_sats: int


@dataclass(frozen=True)
class Facts:
    """What one pass read. None: there is no such thing, or it was not read this time."""

    now_us: int
    working: bool = False  # automatic work is on and nothing stops it
    on_since_us: int = 0  # when the connection or the switch was last changed
    poll_interval_s: int = 300
    last_success_us: int | None = None
    waiting_us: tuple[int, ...] = ()  # since when each cash-out or failed share waits, oldest first
    wallets: tuple[WalletFact, ...] = ()
    source_balance_sats: int | None = None
    runway_days: int | None = None
    deposits_us: tuple[int, ...] = ()  # when each pending deposit was written down, oldest first
    wrong_commissions: tuple[WrongCommission, ...] = ()
    findings_sats: int = 0  # their differences, added up without signs
    review_from_us: int | None = None  # the last sign-off of the runbook, or when work began
    findings_of_more: int = 0  # those that differ in something else than sats


@dataclass(frozen=True)
class Condition:
    """One that holds; `key` tells it apart from others of its kind."""

    kind: str
    key: str
    words: Words
    subject_id: str | None = None


Rules = Mapping[str, Rule]
Check = Callable[[Facts, Rules], Iterator[Condition]]


def _older(moments_us: tuple[int, ...], now_us: int, rule: Rule) -> int:
    """How many are older than the rule's time."""
    return sum(now_us - at_us > rule.threshold_us for at_us in moments_us)


def _time(rule: Rule) -> dict[str, int | str]:
    """The rule's own time, as facts."""
    return {"threshold": rule.threshold or 0, "unit": rule.unit.name if rule.unit else ""}


def _payouts(facts: Facts, rules: Rules) -> Iterator[Condition]:
    for kind in ("share_unsettled", "payouts_late"):
        rule = rules[kind]
        number = _older(facts.waiting_us, facts.now_us, rule)
        # A share that nobody works on is not stuck; that it is late is so for whatever reason.
        if number and (facts.working or kind == "payouts_late"):
            yield Condition(kind, kind, said(kind, n=number, **_time(rule)))


def _polls(facts: Facts, rules: Rules) -> Iterator[Condition]:
    """By the poller's own heartbeat, never by the last sale: a quiet machine is no trouble."""
    late, silent = rules["poll_late"], rules["poll_silent"]
    since_us = max(facts.last_success_us or 0, facts.on_since_us)
    limit_us = (late.threshold or 0) * facts.poll_interval_s * US_PER_S + POLL_SLACK_US
    if facts.working and facts.now_us - since_us > limit_us:
        yield Condition(late.kind, late.kind, said(late.kind, **_time(late)))
    known_us = facts.last_success_us
    if known_us is not None and facts.now_us - known_us > silent.threshold_us:
        yield Condition(silent.kind, silent.kind, said(silent.kind, **_time(silent)))


def _wallets(facts: Facts, rules: Rules) -> Iterator[Condition]:
    for wallet in facts.wallets:
        if wallet.problem:
            kind = "wallet_unusable"
            words = said(f"{kind}.{wallet.role}", problem=wallet.problem)
            yield Condition(kind, f"wallet:{wallet.role}", words)
    runway = rules["runway_low"]
    if facts.runway_days is not None and facts.runway_days < (runway.threshold or 0):
        yield Condition(runway.kind, runway.kind, said(runway.kind, **_time(runway)))
    high = rules["balance_high"]
    balance_sats = facts.source_balance_sats
    if balance_sats is not None and balance_sats > (high.threshold or 0):
        yield Condition(high.kind, high.kind, said(high.kind, sats=high.threshold or 0))


def _deposits(facts: Facts, rules: Rules) -> Iterator[Condition]:
    for kind in ("deposit_waits", "deposit_overdue"):
        rule = rules[kind]
        number = _older(facts.deposits_us, facts.now_us, rule)
        if number:
            yield Condition(kind, kind, said(kind, n=number, **_time(rule)))


def _commissions(facts: Facts, rules: Rules) -> Iterator[Condition]:
    rule = rules["commission_anomaly"]
    wrong = [one for one in facts.wrong_commissions if one.off_sats > (rule.threshold or 0)]
    if wrong:
        first = wrong[0]
        words = said(rule.kind, lamassu_id=first.lamassu_id, sats=first.off_sats, n=len(wrong))
        yield Condition(rule.kind, rule.kind, words, first.cash_out_id)


def _findings(facts: Facts, rules: Rules) -> Iterator[Condition]:
    """A single sat is information, raised where it is found (services/reconcile.py)."""
    rule = rules["reconciliation_difference"]
    if facts.findings_of_more or facts.findings_sats > (rule.threshold or 0):
        sats, others = facts.findings_sats, facts.findings_of_more
        which = "sats" if not others else "both" if sats else "others"
        words = said(f"{rule.kind}.{which}", sats=sats, n=others)
        yield Condition(rule.kind, rule.kind, words)


def _review(facts: Facts, rules: Rules) -> Iterator[Condition]:
    """A quarter after the last signature (SAT-61). A fresh machine is not nagged."""
    rule = rules["runbook_review"]
    since_us = facts.review_from_us
    if since_us is not None and facts.now_us - since_us > rule.threshold_us:
        yield Condition(rule.kind, rule.kind, said(rule.kind, **_time(rule)))


CHECKS: tuple[Check, ...] = (
    *(_payouts, _polls, _wallets, _deposits, _commissions, _findings),
    _review,
)
# The keys that these checks raise, so that the pass knows which alerts it may take back.
KEYS = frozenset(
    (
        *("share_unsettled", "payouts_late", "poll_late", "poll_silent"),
        *("wallet:source", "wallet:commission", "runway_low", "balance_high"),
        *("deposit_waits", "deposit_overdue", "commission_anomaly"),
        *("reconciliation_difference", "runbook_review"),
    )
)


def conditions(facts: Facts, rules: Rules) -> list[Condition]:
    """All that hold now."""
    return list(chain.from_iterable(check(facts, rules) for check in CHECKS))
