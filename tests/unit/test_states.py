"""The words for where things stand, and which moves exist (design.md 2, SAT-43)."""

from __future__ import annotations

import re
from enum import Enum

import pytest
from satmachineadmin.domain.states import (
    CASH_OUT_MOVES,
    HOLD_REASONS,
    OPEN_STATES,
    CashOutState,
    CommissionState,
    DcaMode,
    DepositState,
    FundingMode,
    HoldCode,
    ShareState,
    SplitRule,
)

ENTRY_STATES = {CashOutState.PENDING, CashOutState.WATCHING, CashOutState.HELD}
TERMINAL_STATES = {CashOutState.COMPLETED, CashOutState.SKIPPED}


def reachable(start: CashOutState) -> set[CashOutState]:
    """Every state that some sequence of moves leads to, with the start."""
    seen, open_ends = {start}, [start]
    while open_ends:
        for target in CASH_OUT_MOVES[open_ends.pop()] - seen:
            seen.add(target)
            open_ends.append(target)
    return seen


def test_cash_out_moves_cover_every_state_and_lead_to_states_only() -> None:
    assert set(CASH_OUT_MOVES) == set(CashOutState)
    for source, targets in CASH_OUT_MOVES.items():
        assert targets <= set(CashOutState)
        assert source not in targets


def test_cash_out_moves_end_where_the_design_says() -> None:
    assert {state for state, targets in CASH_OUT_MOVES.items() if not targets} == TERMINAL_STATES


@pytest.mark.parametrize("state", CashOutState)
def test_cash_out_moves_leave_no_state_stuck_or_unreachable(state: CashOutState) -> None:
    assert reachable(state) & TERMINAL_STATES
    assert any(state in reachable(entry) for entry in ENTRY_STATES)


def test_cash_out_moves_complete_only_through_a_settlement_of_a_pending_one() -> None:
    """A cash-out is paid inside one transaction that claimed it while it was pending."""
    into = {
        target: {source for source in CashOutState if target in CASH_OUT_MOVES[source]}
        for target in CashOutState
    }
    assert into[CashOutState.COMPLETED] == {CashOutState.PROCESSING}
    assert into[CashOutState.PROCESSING] == {CashOutState.PENDING}


def test_cash_out_moves_never_reopen_what_was_paid_or_refused() -> None:
    for state in TERMINAL_STATES:
        assert reachable(state) == {state}


def test_open_states_are_those_a_person_or_the_source_may_still_move() -> None:
    assert set(OPEN_STATES) == ENTRY_STATES
    assert len(OPEN_STATES) == len(set(OPEN_STATES))
    for state in OPEN_STATES:
        assert CashOutState.SKIPPED in CASH_OUT_MOVES[state]


@pytest.mark.parametrize("code", HoldCode)
def test_hold_reasons_tell_a_person_why(code: HoldCode) -> None:
    """Read after 'Cash-out ... waits for you:', so a clause and no sentence."""
    reason = HOLD_REASONS[code]
    assert 10 <= len(reason) <= 120
    assert reason == reason.strip()
    assert not reason.endswith((".", "!", ":"))


def test_hold_reasons_are_complete_and_tell_codes_apart() -> None:
    assert set(HOLD_REASONS) == set(HoldCode)
    assert len(set(HOLD_REASONS.values())) == len(HoldCode)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            CashOutState,
            {"pending", "watching", "held", "processing", "completed", "failed", "skipped"},
        ),
        (ShareState, {"confirmed", "failed", "cancelled"}),
        (DepositState, {"pending", "confirmed", "cancelled"}),
        (CommissionState, {"paid", "kept", "failed", "none"}),
        (FundingMode, {"credit", "prefunded"}),
        (SplitRule, {"markup", "margin", "ticker"}),
        (DcaMode, {"flow", "fixed"}),
    ],
)
def test_words_are_those_of_the_design(words: type[Enum], expected: set[str]) -> None:
    """The companion extension and old scripts read these words (design.md 2 and 6, SAT-43)."""
    assert {word.value for word in words} == expected


@pytest.mark.parametrize("words", [CashOutState, ShareState, HoldCode, CommissionState])
def test_words_are_stable_identifiers(words: type[Enum]) -> None:
    for word in words:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", word.value)
        assert word.value == word.name.lower()
