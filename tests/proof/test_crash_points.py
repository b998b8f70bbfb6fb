"""A small part of `make prove`: kills around what is written, and lost answers of a settlement."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.environment import CHECKOUT, Environment

LIMIT_S = 150  # seconds on a free machine, a minute beside much else


def _prove(result: Path, environment: Environment, part: str, *given: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", f"prove.{part}", str(result), *given],
        cwd=CHECKOUT,
        env={**os.environ, "SATM_TEST_DB": environment.database},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert result.exists(), done.stdout + done.stderr
    rows: list[dict[str, Any]] = json.loads(result.read_text())["rows"]
    assert rows
    assert not [row["first_failure"] for row in rows if row["failures"]]
    assert all(row["covered"] == row["total"] > 0 for row in rows)
    assert done.returncode == 0
    return rows


@pytest.mark.timeout(LIMIT_S)
def test_killed_around_every_commit(tmp_path: Path, environment: Environment) -> None:
    """SIGKILL before and after it; the same kills notice products that commit in the wrong way.

    A kill takes half a second on PostgreSQL, so there it is each sixth commit of a tick and the
    right product only; `make prove` does the rest.
    """
    given = ["--clients", "1", "--only", "COMMIT"]
    if environment.database == "postgres":
        given += ["--every", "6", "--broken"]
    else:
        given += ["--broken", "wallets_first", "claim_alone"]
    rows = _prove(tmp_path / "crashes.json", environment, "crash_points", *given)
    expected = ["points"] if environment.database == "postgres" else ["points", "mutants"]
    assert [row["unit"] for row in rows] == expected
