"""Thresholds, at, below and above each boundary; who is told, when, and in which format."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from satmachineadmin.domain.alert_rules import BY_KIND, TABLE, changed, rank, worse
from satmachineadmin.domain.conditions import KEYS, Facts, WalletFact, WrongCommission, conditions
from satmachineadmin.domain.days import instant_us
from satmachineadmin.domain.messages import render, signature, text_of
from satmachineadmin.domain.telling import (
    ATTEMPTS_MAX,
    Event,
    QuietHours,
    due,
    hears,
    next_attempt_us,
    send_at_us,
)

S = 1_000_000
HOUR = 3600 * S
NOW = 1_800_000_000 * S
MINUTE, DAY = 60 * S, 24 * HOUR


def kinds(**facts: Any) -> set[str]:
    return {one.kind for one in conditions(Facts(now_us=NOW, **facts), BY_KIND)}


# (what raises it, the facts at an age or number, the boundary, one step beyond it)
AGES: list[tuple[str, Any, int]] = [
    ("share_unsettled", lambda n: {"working": True, "waiting_us": (NOW - n,)}, 15 * MINUTE),
    ("payouts_late", lambda n: {"waiting_us": (NOW - n,)}, 24 * HOUR),
    ("poll_silent", lambda n: {"last_success_us": NOW - n}, 24 * HOUR),
    (
        "poll_late",
        lambda n: {"working": True, "poll_interval_s": 3600, "last_success_us": NOW - n},
        2 * HOUR + MINUTE,
    ),
    ("deposit_waits", lambda n: {"deposits_us": (NOW - n,)}, 48 * HOUR),
    ("deposit_overdue", lambda n: {"deposits_us": (NOW - n,)}, 7 * DAY),
    ("balance_high", lambda n: {"source_balance_sats": n}, 10_000_000),
    ("runway_low", lambda n: {"runway_days": 14 - n}, 7),  # fewer days, so counted down
    ("commission_anomaly", lambda n: {"wrong_commissions": (WrongCommission("c", "l", n),)}, 0),
    ("reconciliation_difference", lambda n: {"findings_sats": n}, 100),
    ("runbook_review", lambda n: {"review_from_us": NOW - n}, 92 * DAY),
]


@pytest.mark.parametrize(("kind", "facts", "boundary"), AGES, ids=[one[0] for one in AGES])
def test_at_below_and_above_each_boundary(kind: str, facts: Any, boundary: int) -> None:
    assert kind not in kinds(**facts(boundary - 1))
    assert kind not in kinds(**facts(boundary)), "at the threshold itself it is not more than it"
    assert kind in kinds(**facts(boundary + 1))


@pytest.mark.parametrize(("kind", "facts", "boundary"), AGES, ids=[one[0] for one in AGES])
def test_a_changed_threshold_moves_the_boundary(kind: str, facts: Any, boundary: int) -> None:
    rule = BY_KIND[kind]
    more = changed(rule, {"threshold": (rule.threshold or 0) + (-1 if kind == "runway_low" else 1)})
    found = conditions(Facts(now_us=NOW, **facts(boundary + 1)), {**BY_KIND, kind: more})
    assert kind not in {one.kind for one in found}


def test_what_is_no_alarm() -> None:
    assert kinds() == set(), "nothing known is no trouble"
    quiet = {"working": True, "last_success_us": NOW - MINUTE}
    assert kinds(**quiet) == set(), "a machine that sells nothing is not late"
    switched_off = {"working": False, "waiting_us": (NOW - HOUR,), "last_success_us": NOW - HOUR}
    assert kinds(**switched_off) == set(), "somebody stopped it and knows"
    just_on = {"working": True, "last_success_us": NOW - 3 * HOUR, "on_since_us": NOW - MINUTE}
    assert kinds(**just_on) == set(), "the first poll after a pause is not late"
    assert kinds(findings_of_more=1) == {"reconciliation_difference"}, "not in sats counts as more"


def test_each_wallet_by_itself() -> None:
    wallets = (WalletFact("source", None), WalletFact("commission", "the wallet was deleted"))
    (one,) = conditions(Facts(now_us=NOW, wallets=wallets), BY_KIND)
    assert (one.key, one.kind) == ("wallet:commission", "wallet_unusable")


def test_every_condition_has_a_rule_and_a_key_that_the_pass_knows() -> None:
    everything = {
        **{"working": True, "waiting_us": (0,), "last_success_us": 1, "runway_days": 0},
        **{"source_balance_sats": 10**9, "deposits_us": (0, 0), "findings_sats": 101},
        "review_from_us": 0,
        "wrong_commissions": (WrongCommission("c", "l", 5), WrongCommission("d", "m", 5)),
        "wallets": (WalletFact("source", "gone"), WalletFact("commission", "gone")),
    }
    found = conditions(Facts(now_us=NOW, **everything), BY_KIND)
    assert {one.key for one in found} == KEYS
    assert {one.kind for one in found} <= set(BY_KIND)
    assert all(one.words.message and one.words.hint for one in found)
    assert len(BY_KIND) == len(TABLE), "a kind has one rule"


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": "bad"},
        {"threshold": 0},
        {"threshold": 10**9},
        {"cooldown_s": -1},
        {"escalate_s": 10**9},
        {"kind": "halt"},
    ],
)
def test_a_rule_out_of_its_range_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        changed(BY_KIND["poll_silent"], changes)
    with pytest.raises(ValueError, match="no threshold"):
        changed(BY_KIND["halt"], {"threshold": 5})


def alert(**changes: Any) -> dict[str, Any]:
    return {
        **{"severity": "critical", "told_us": None, "told_severity": None, "escalations": 0},
        **{"escalated_us": None, "acknowledged_us": None, "resolved_us": None, "cleared_us": None},
        **changes,
    }


RULE = replace(BY_KIND["poll_late"], cooldown_s=3600, escalate_s=1800)


def event(row: dict[str, Any], now_us: int = NOW, before: int | None = None) -> Any:
    told = due(row, RULE, now_us, before)
    return told and (told.event.value, told.severity, told.level)


def test_an_alert_is_told_once_and_again_when_it_gets_worse_or_nobody_takes_it() -> None:
    assert event(alert(severity="info")) == ("raised", "info", 1)
    told = alert(severity="warning", told_us=NOW, told_severity="warning")
    assert event(told) is None
    assert event({**told, "severity": "critical"}) == ("worse", "critical", 1)
    assert event(told, NOW + 1800 * S - 1) is None
    assert event(told, NOW + 1800 * S) == ("escalated", "critical", 2)
    second = {**told, "escalations": 1, "escalated_us": NOW}
    assert event(second, NOW + 1800 * S) == ("escalated", "critical", 3)
    assert event({**second, "escalations": 2}, NOW + DAY) is None, "three levels, no more"
    assert event({**told, "acknowledged_us": NOW}, NOW + DAY) is None
    assert event({**told, "resolved_us": NOW}) == ("clear", "warning", 1)
    assert event({**second, "resolved_us": NOW}) == ("clear", "critical", 2), "who heard it hears"
    assert event({**told, "resolved_us": NOW, "cleared_us": NOW}) is None
    assert event(alert(resolved_us=NOW)) is None, "over before anybody was told"


def test_a_condition_that_comes_back_within_its_cooldown_is_not_told_again() -> None:
    assert event(alert(), before=NOW - 3600 * S + 1) is None
    assert event(alert(), before=NOW - 3600 * S) == ("raised", "critical", 1)
    assert due(alert(), replace(RULE, told=False), NOW, None) is None


def test_what_is_critical_and_comes_back_is_told_at_once() -> None:
    """A mended difference and another one minutes later are two (found by the drills)."""
    waits = {rule.kind for rule in TABLE if rule.severity == "critical" and rule.cooldown_s}
    assert waits == {"poll_silent", "settlement_waits"}
    for kind in ("reconciliation_difference", "share_failed", "wallet_unusable", "halt"):
        told = due(alert(), BY_KIND[kind], NOW, NOW - 1)
        assert told is not None, kind
        assert (told.event.value, told.severity) == ("raised", "critical"), kind


@given(st.lists(st.sampled_from(["look", "worse", "acknowledge", "resolve"]), max_size=30))
def test_no_order_of_events_tells_twice(steps: list[str]) -> None:
    """Law: raised at most once, at most two escalations, clear last and only after raised."""
    row, heard, now_us = alert(severity="info"), [], NOW
    for step in steps:
        now_us += 1000 * S
        if step == "worse":
            row["severity"] = worse(row["severity"], 1)
        if step == "acknowledge":
            row["acknowledged_us"] = row["acknowledged_us"] or now_us
        if step == "resolve":
            row["resolved_us"] = row["resolved_us"] or now_us
        told = due(row, RULE, now_us, None)
        if told is None:
            continue
        heard.append(told.event)
        if told.event is Event.CLEAR:
            row["cleared_us"] = now_us
        elif told.event is Event.ESCALATED:
            row["escalations"], row["escalated_us"] = row["escalations"] + 1, now_us
        else:
            row["told_us"], row["told_severity"] = now_us, row["severity"]
    assert heard.count(Event.RAISED) <= 1
    assert heard.count(Event.ESCALATED) <= 2
    assert heard.count(Event.WORSE) <= 2
    assert heard.count(Event.CLEAR) <= 1
    assert not heard or heard[0] is Event.RAISED
    assert Event.CLEAR not in heard[:-1]


def test_a_channel_hears_by_severity_and_level() -> None:
    told = due(alert(severity="warning"), RULE, NOW, None)
    assert told is not None
    channel = {"enabled": True, "min_severity": "warning", "level": 1}
    assert hears(channel, told)
    assert not hears({**channel, "min_severity": "critical"}, told)
    assert not hears({**channel, "level": 2}, told)
    assert not hears({**channel, "enabled": False}, told)
    assert rank("critical") > rank("warning") > rank("info")


def at(text: str) -> int:
    return instant_us(datetime.fromisoformat(text).replace(tzinfo=timezone.utc))


NIGHT = QuietHours(22 * 60, 7 * 60, "America/Guatemala")  # UTC-6 the whole year


@pytest.mark.parametrize(
    ("now", "sent"),
    [
        ("2026-03-01T03:59:59", "2026-03-01T03:59:59"),  # 21:59:59 there
        ("2026-03-01T04:00:00", "2026-03-01T13:00:00"),  # 22:00
        ("2026-03-01T07:00:00", "2026-03-01T13:00:00"),  # 01:00
        ("2026-03-01T12:59:59", "2026-03-01T13:00:00"),  # 06:59:59
        ("2026-03-01T13:00:00", "2026-03-01T13:00:00"),  # 07:00
    ],
)
def test_quiet_hours_of_the_operators_zone(now: str, sent: str) -> None:
    assert send_at_us(at(now), NIGHT, can_wait=True) == at(sent)
    assert send_at_us(at(now), NIGHT, can_wait=False) == at(now)
    assert send_at_us(at(now), QuietHours(0, 0, "UTC"), can_wait=True) == at(now)


@given(
    st.integers(0, 2 * 365 * 24 * 60),
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.sampled_from(["America/Guatemala", "Europe/Vienna", "America/New_York", "UTC"]),
)
def test_what_waits_comes_within_a_day_and_outside_quiet_hours(
    minute: int, begins: int, ends: int, zone: str
) -> None:
    quiet = QuietHours(begins, ends, zone)
    now_us = at("2026-01-01T00:00:00") + minute * MINUTE
    sent = send_at_us(now_us, quiet, can_wait=True)
    assert now_us <= sent <= now_us + 25 * HOUR
    assert send_at_us(sent, quiet, can_wait=True) - sent <= HOUR, "an hour that comes twice"


def test_five_attempts_further_and_further_apart() -> None:
    pauses = [next_attempt_us(n, 0) for n in range(1, ATTEMPTS_MAX + 1)]
    assert pauses[-1] is None
    known = [one for one in pauses if one is not None]
    assert known == sorted(known)
    assert len(known) == ATTEMPTS_MAX - 1


BODY = {
    **{"event": "raised", "severity": "critical", "kind": "halt", "hint": "Look.", "count": 1},
    **{"message": "A <b> & c", "alert_id": "a", "subject_id": None, "since": "x", "at": "y"},
}


def test_each_format_says_it_and_a_signature_covers_time_and_body() -> None:
    common = {"delivery_id": "d", "timestamp": "17"}
    plain = render("webhook", BODY, secret="s", **common)
    wanted = hmac.new(b"s", b"17." + plain.content, hashlib.sha256).hexdigest()
    assert plain.headers["X-Satm-Signature"] == f"sha256={wanted}"
    assert plain.headers["X-Satm-Timestamp"] == "17"
    assert signature("s", "18", plain.content) != plain.headers["X-Satm-Signature"]
    assert json.loads(plain.content)["message"] == "A <b> & c"
    slack = json.loads(render("slack", BODY, secret=None, **common).content)
    assert "A &lt;b&gt; &amp; c" in slack["text"]
    discord = json.loads(
        render("discord", {**BODY, "message": "@everyone " * 900}, secret=None, **common).content
    )
    assert discord["allowed_mentions"] == {"parse": []}
    assert len(discord["content"]) <= 2000
    ntfy = render("ntfy", BODY, secret="t", **common)
    assert (ntfy.headers["Priority"], ntfy.headers["Authorization"]) == ("urgent", "Bearer t")
    assert "X-Satm-Signature" not in render("webhook", BODY, secret=None, **common).headers
    assert text_of({**BODY, "count": 3}).startswith("[CRITICAL] A <b> & c (and 2 more")
    assert text_of({**BODY, "event": "clear"}) == "[CRITICAL] Over: A <b> & c"
