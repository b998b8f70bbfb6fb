"""Which LNbits this extension works on (README's table, `python -m prove.versions`)."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from .errors import NotReady

SUPPORTED_FROM = (1, 6, 2)  # tested in CI
SUPPORTED_BELOW = (1, 7)
HINT = "Use LNbits 1.6.2 or a later 1.6 release."


def require_loadable() -> None:
    """Raise ImportError, which LNbits logs, where something that is imported here is missing: of
    LNbits 1.6.0, too, which knows no scoped API tokens. A later one loads, to say what it refuses.
    """
    found = _found()
    if _numbers(found) < SUPPORTED_FROM:
        raise ImportError(f"LNbits {found} is not supported. {HINT}")


def require_supported() -> str:
    """The version. Raises NotReady where money work was never tried."""
    found = _found()
    if not SUPPORTED_FROM <= _numbers(found) < SUPPORTED_BELOW:
        raise NotReady(f"LNbits {found} is not supported", hint=HINT)
    return f"LNbits {found}"


def _found() -> str:
    try:
        return version("lnbits")
    except PackageNotFoundError:
        raise NotReady("The version of LNbits is not known") from None


def _numbers(found: str) -> tuple[int, ...]:
    return tuple(int(part) for part in found.split("rc")[0].split("-")[0].split(".")[:3])
