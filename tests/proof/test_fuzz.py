"""Settings, rows of the source and our API under fuzz, with the same values every time.

`make prove` runs more of it and on both databases; the values do not depend on the database.
"""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from satmachineadmin.domain import eligibility
from satmachineadmin.prove import fuzz_api, fuzz_rows, fuzz_settings
from support.machine import our_routes
from support.operator import Operator

pytestmark = pytest.mark.sqlite_only


async def test_settings_and_connection(operator: Operator) -> None:
    assert await fuzz_settings.fuzz_settings(operator, examples=20) > 45


async def test_rules_on_any_text() -> None:
    assert await fuzz_rows.fuzz_rules(examples=400) >= 400


async def test_a_rule_less_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: each of the three looks at a row's numbers is needed."""
    for look in ("_atoms_problem", "_fiat_problem", "_rate_problem"):
        with monkeypatch.context() as patch:
            patch.setattr(eligibility, look, lambda *given: None)
            with pytest.raises((AssertionError, TypeError)):
                await fuzz_rows.fuzz_rules(examples=400)


async def test_rows_to_the_intake(operator: Operator) -> None:
    assert await fuzz_rows.fuzz_intake(operator, examples=15) >= 15


async def test_rows_of_a_real_lamassu(operator: Operator) -> None:
    taken, _ = await fuzz_rows.fuzz_source(operator, examples=6)
    assert taken > 10


async def test_every_operation_of_our_openapi(operator: Operator, lnbits_app: FastAPI) -> None:
    """All of them, few requests each."""
    seen = await fuzz_api.fuzz_api(operator, lnbits_app, examples=1)
    assert seen["operations"] == len(our_routes(lnbits_app)) - 1  # the page answers HTML
    assert seen["taken"] > 15
    assert seen["refused"] > 15
