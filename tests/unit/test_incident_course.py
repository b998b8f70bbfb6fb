"""The course of an incident, and which failure a sign belongs to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from satmachineadmin.domain.alert_rules import BY_KIND
from satmachineadmin.domain.runbook import (
    FAILURES,
    LINES,
    PHASES,
    Course,
    failure_of_code,
    refusal,
    review_base_us,
    worst,
)
from support.environment import CHECKOUT

STEPS = st.one_of(
    st.tuples(st.just("phase"), st.sampled_from(PHASES), st.none()),
    st.tuples(st.just("note"), st.none(), st.none()),
    st.tuples(st.just("closed"), st.none(), st.sampled_from(("mended", "false_alarm"))),
)


@given(st.lists(STEPS, max_size=40))
def test_phases_go_in_their_order_once_and_nothing_follows_the_end(
    steps: list[tuple[str, int | None, str | None]],
) -> None:
    course, taken = Course(), list[tuple[str, int | None]]()
    for kind, phase, outcome in steps:
        if refusal(course, kind, phase=phase, outcome=outcome) is not None:
            continue
        taken.append((kind, phase))
        if phase is not None:
            course = Course(course.phases | {phase})
        if kind == "closed":
            course = Course(course.phases, True)
            assert outcome == "false_alarm" or course.phases == set(PHASES)
    phases = [phase for _, phase in taken if phase is not None]
    assert phases == list(PHASES[: len(phases)])
    assert "closed" not in [kind for kind, _ in taken[:-1]]


def test_there_is_always_a_next_step_until_the_end() -> None:
    course = Course()
    for phase in PHASES:
        assert refusal(course, "closed", outcome="mended") is not None
        assert refusal(course, "note") is None
        assert refusal(course, "phase", phase=phase) is None
        course = Course(course.phases | {phase})
        assert refusal(course, "phase", phase=phase) is not None
    assert refusal(course, "closed", outcome="mended") is None


def test_a_sign_belongs_to_one_failure() -> None:
    for name in ("checks", "alerts", "codes"):
        named = [one for failure in FAILURES for one in getattr(failure, name)]
        assert len(named) == len(set(named)), name
    known = {one for failure in FAILURES for one in failure.alerts}
    assert known <= set(BY_KIND), "an alert that nobody raises"
    assert failure_of_code("share_doubled") == "duplicate"
    assert failure_of_code("a code of tomorrow") == "balance", "never on no page at all"


def test_the_worst_counts_and_nobody_new_is_asked_to_sign() -> None:
    assert worst([]) == "ok"
    assert worst(["ok", "unknown", "warn"]) == "warn"
    assert (review_base_us(None, None), review_base_us(None, 5), review_base_us(7, 5)) == (
        None,
        5,
        7,
    )


def test_the_checklist_has_the_lines_of_the_printed_one() -> None:
    text = (CHECKOUT / "docs" / "runbook.md").read_text().split("## Incident checklist")[1]
    phases = text.split("\n## ")[0].split("\n### Phase ")[1:]
    assert {int(one[0]): one.count("- [ ]") for one in phases} == LINES
