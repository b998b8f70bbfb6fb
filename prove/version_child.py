"""One LNbits release: what the product does in this very environment.

Started by versions.py with the Python of that release: `python -m prove.version_child ANSWER.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
TRIAL = "tests/proof/test_guards_retry.py::test_the_trial_leaves_nothing"
MAIN = ("tests/integration/test_main_flow.py", "tests/integration/test_crash.py")


class Watcher:
    """A pytest plugin: loads the product, lifts the bounds, counts."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {"loads": False, "accepted": False, "trial": False}
        self.facts |= {"passed": 0, "failed": 0, "why": ""}

    def pytest_collection(self) -> None:
        """After the harness has made LNbits' environment, before a test module is imported."""
        try:
            from satmachineadmin import lnbits_version
        except Exception as exc:  # noqa: BLE001 - whatever another release brings up
            self._wrong(f"{type(exc).__name__}: {exc}")
            pytest.exit("the product does not load", 3)
        self.facts["loads"] = True
        try:
            lnbits_version.require_supported()
            self.facts["accepted"] = True
        except Exception as exc:  # noqa: BLE001
            self._wrong(str(exc))
        lnbits_version.SUPPORTED_FROM, lnbits_version.SUPPORTED_BELOW = (0,), (99,)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        trial = report.nodeid == TRIAL
        if report.failed:
            self.facts["failed"] += 1
            crash = getattr(report.longrepr, "reprcrash", None)
            self._wrong(f"{report.nodeid.split('::')[-1]}: {crash.message if crash else 'failed'}")
        elif report.when == "call" and report.passed:
            self.facts["trial" if trial else "passed"] += 1

    def _wrong(self, what: str) -> None:
        self.facts["why"] = self.facts["why"] or " ".join(what.split())[:200]


def main() -> None:
    watcher = Watcher()
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore", "--rootdir", str(CHECKOUT)]
    places = [str(CHECKOUT / place) for place in (TRIAL, *MAIN)]
    pytest.main([*options, *places], plugins=[watcher])
    watcher.facts["trial"] = bool(watcher.facts["trial"])
    Path(sys.argv[1]).write_text(json.dumps(watcher.facts))


if __name__ == "__main__":
    main()
