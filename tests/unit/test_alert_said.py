"""Alerts say the same by sentence and by code (SAT-50 to SAT-56)."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from satmachineadmin.domain.alert_said import SAID, Words, said, words_of
from satmachineadmin.errors import NotReady

FACTS: dict[str, int | str] = {
    **{"n": 3, "threshold": 15, "unit": "minutes", "sats": 101, "name": "ana"},
    **{"problem": "gone", "lamassu_id": "L1", "expected": "1", "actual": "2"},
    **{"hold": "because", "names": "fiat", "status": "completed"},
}


@pytest.mark.parametrize("code", SAID)
def test_every_sentence_is_filled(code: str) -> None:
    words = said(code, **FACTS)
    assert words.message
    assert words.hint
    assert not any(sign in words.message for sign in ("{", " | "))
    assert json.loads(words.stored or "") == {"code": code, **FACTS}


def test_one_and_many() -> None:
    time: dict[str, int | str] = {"threshold": 15, "unit": "minutes"}
    one, many = (said("share_unsettled", n=n, **time).message for n in (1, 2))
    assert one == "1 payout waits for more than 15 minutes"
    assert many == "2 payouts wait for more than 15 minutes"
    day = said("runway_low", threshold=1, unit="days").message
    assert day == "The source wallet lasts for fewer than 1 day"


def test_a_sum_of_postgresql_is_a_number() -> None:
    more: dict[str, int | str] = {"name": "ana", "problem": "gone", "n": 2}
    words = said("share_failed", sats=Decimal(86343), **more)  # type: ignore[arg-type]
    assert json.loads(words.stored or "")["sats"] == 86343


def test_what_an_error_says_has_no_code() -> None:
    words = words_of(NotReady("It is not ready", hint="Wait."))
    assert words == Words("It is not ready", "Wait.")
    assert words.stored is None


def test_a_fact_too_few_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError):
        said("runway_low")
