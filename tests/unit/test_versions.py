"""Which LNbits money work is allowed on, and what is said on any other (README's table)."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from satmachineadmin import lnbits_version
from satmachineadmin.errors import NotReady

CHECKOUT = Path(__file__).resolve().parents[2]


def judged(monkeypatch: pytest.MonkeyPatch, found: str) -> str:
    """The line of the start-up check on such an LNbits."""
    monkeypatch.setattr(lnbits_version, "version", lambda _: found)
    return lnbits_version.require_supported()


@pytest.mark.parametrize(
    "found", ["1.4.2", "1.5.4", "1.6.0rc4", "1.7.0", "1.7.0rc1", "2.0", "10.6.2"]
)
def test_an_unsupported_version_is_refused_with_its_name(
    monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    """What was found, that it is not supported, and which one to use."""
    with pytest.raises(NotReady, match=f"LNbits {found} is not supported") as refused:
        judged(monkeypatch, found)
    assert "1.6.2" in refused.value.hint


@pytest.mark.parametrize("found", ["1.6.2", "1.6.3", "1.6.10"])
def test_a_supported_version_is_let_through(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    assert judged(monkeypatch, found) == f"LNbits {found}"


def test_the_locked_version_is_supported() -> None:
    assert lnbits_version.require_supported() == f"LNbits {version('lnbits')}"


def test_what_lnbits_is_told_is_what_is_checked() -> None:
    """LNbits offers the extension by config.json; the start-up check has the same bounds."""
    config = json.loads((CHECKOUT / "config.json").read_text())
    low = tuple(int(part) for part in config["min_lnbits_version"].split("."))
    high = tuple(int(part) for part in config["max_lnbits_version"].split("."))
    assert low == lnbits_version.SUPPORTED_FROM
    assert high[: len(lnbits_version.SUPPORTED_BELOW)] == lnbits_version.SUPPORTED_BELOW
    assert not any(high[len(lnbits_version.SUPPORTED_BELOW) :])


@pytest.mark.parametrize(
    ("found", "loads"), [("1.5.6", False), ("1.6.0", False), ("1.6.2", True), ("1.7.0", True)]
)
def test_one_that_is_too_old_is_named_where_lnbits_loads_extensions(
    monkeypatch: pytest.MonkeyPatch, found: str, loads: bool
) -> None:
    monkeypatch.setattr(lnbits_version, "version", lambda _: found)
    if loads:
        lnbits_version.require_loadable()
        return
    with pytest.raises(ImportError, match=f"LNbits {found} is not supported. Use LNbits 1.6.2"):
        lnbits_version.require_loadable()
