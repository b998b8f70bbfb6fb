"""Defects put into the product on purpose, each as one function that answers wrongly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from satmachineadmin.domain import plan
from satmachineadmin.services import intake, pool, retry, settle

Wrong = Callable[[Callable[..., Any]], Callable[..., Any]]


def _one_sat_from_first_to_last(real: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(amount: int, weights: dict[str, int]) -> dict[str, int]:
        parts = dict(real(amount, weights))
        names = sorted(parts)
        if len(names) > 1 and parts[names[0]] > 1:
            parts[names[0]] -= 1
            parts[names[-1]] += 1
        return parts

    return wrong


def _later_deposits_count(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda client: real(replace(client, later_credits_minor=0))


def _limit_forgets_today(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda client: real(replace(client, charged_same_day_minor=0))


def _rounded_up(real: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(rule: Any, given: Any) -> Any:
        found = real(rule, given)
        if not found.commission_sats:
            return found
        more = {"base_sats": found.base_sats + 1, "commission_sats": found.commission_sats - 1}
        return replace(found, **more)

    return wrong


BREAKS: dict[str, tuple[Any, str, Wrong]] = {
    "a sat moves between two clients": (plan, "largest_remainder", _one_sat_from_first_to_last),
    "later deposits count": (plan, "cap_minor", _later_deposits_count),
    "the daily limit forgets the day": (plan, "cap_minor", _limit_forgets_today),
    "base is rounded up": (plan, "split", _rounded_up),
    "the day is in UTC": (pool, "local_day", lambda real: lambda us, zone: real(us, "UTC")),
    "a changed sale is not noticed": (
        intake,
        "_facts",
        lambda real: lambda row: real(row)[:1],
    ),
    "errors of a sale are ignored": (
        intake,
        "classify",
        lambda real: lambda row, rule: real({**row, "error": None, "error_code": None}, rule),
    ),
    "a given-up share leaves its fiat charged": (
        retry,
        "_cancel_entries",
        lambda real: lambda share: real(share)[:2],
    ),
    "failed shares are never tried again": (retry, "failed_share_ids", lambda real: _nobody),
    "settled in the order of ids": (settle, "pending_ids", lambda real: _reversed(real)),
}


async def _nobody(*_: Any) -> list[str]:
    return []


def _reversed(real: Callable[..., Any]) -> Callable[..., Any]:
    async def wrong(limit: int) -> list[str]:
        return list(reversed(await real(limit)))

    return wrong


@contextmanager
def broken(name: str) -> Iterator[None]:
    """The product with this defect."""
    place, attribute, wrong = BREAKS[name]
    real = getattr(place, attribute)
    setattr(place, attribute, wrong(real))
    try:
        yield
    finally:
        setattr(place, attribute, real)
