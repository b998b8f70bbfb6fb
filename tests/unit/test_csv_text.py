"""No text can become a formula, and nothing else is changed (docs/export.md)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from satmachineadmin.domain.csv_text import FORMULA, QUOTES, safe_text

SKIPPED = list(" \t\r\n\u00a0\u200b\u2003" + QUOTES)


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n", " =1", '"=1"', "'=1", "' \"+1"),
        *("\u00a0=1", "\u200b=1", "\ufeff=1", "＝1", "`@x", "\ttext", "«-2»"),
    ],
)
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert safe_text(text) == "'" + text


@pytest.mark.parametrize("text", ["", "Ana", "a=b", "1-2", "ana@home", "'quoted'", "ﬀ", "5+5", "#"])
def test_the_rest_stays_as_it_is(text: str) -> None:
    assert safe_text(text) == text


@given(st.text(st.sampled_from(SKIPPED)), st.sampled_from(FORMULA), st.text())
def test_nothing_before_a_formula_hides_it(before: str, begin: str, rest: str) -> None:
    assert safe_text(before + begin + rest).startswith("'")


@given(st.text())
def test_the_text_is_never_lost(text: str) -> None:
    assert safe_text(text).removeprefix("'") == text.removeprefix("'") or (
        safe_text(text) == "'" + text
    )
    assert len(safe_text(text)) - len(text) in (0, 1)
