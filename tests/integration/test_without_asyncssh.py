"""LNbits does not bring asyncssh: without it the extension loads and says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest
from satmachineadmin.dev import sample_rows
from satmachineadmin.services import readiness
from support.operator import Operator

IMPORT_WITHOUT = """
import sys
sys.modules["asyncssh"] = None  # importing it fails from here on
import satmachineadmin
print(sorted(name for name in satmachineadmin.__all__))
"""


def test_the_extension_loads_without_it() -> None:
    """An import error would deactivate the extension for good (lnbits.md 0.10)."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT],
        env={**_environment(), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "satmachineadmin_ext" in done.stdout


def _environment() -> dict[str, str]:
    import os

    return dict(os.environ)


async def test_polls_say_what_to_install_and_stored_money_still_moves(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert([row])
    monkeypatch.setattr(readiness, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    readiness.forget()
    answer = await operator.api("POST", "manual-poll", expect=503)
    assert answer["code"] == "DEPENDENCY_MISSING"
    assert "pip install asyncssh" in answer["hint"]
    tested = await operator.api("POST", "test-connection")
    assert tested["success"] is False
    assert "asyncssh" in str(tested)
    lines = {line.name: line for line in readiness.last_lines()}
    assert lines["packages"].ok is False
    assert lines["trial_settlement"].ok is True
    monkeypatch.undo()
    readiness.forget()
    await operator.poll()
    assert (await operator.balances())[client] > 0
