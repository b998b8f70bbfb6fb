"""Metrics as Prometheus' text format; the only file that imports prometheus_client, lazily.

LNbits does not bring the package, and an import error while the extension is loaded would
deactivate it for good. A registry is made for each answer: nothing is kept between two scrapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import DependencyMissing

if TYPE_CHECKING:
    from prometheus_client.core import Metric

INSTALL = "pip install 'prometheus-client>=0.20,<1'"
GAUGE, COUNTER = "gauge", "counter"


Values = dict[tuple[str, ...], float | None]


@dataclass(frozen=True)
class Family:
    """One metric. `values`: by the values of its labels; None where it is not known, and left out.

    A counter's name has no `_total`: the format adds it.
    """

    name: str
    kind: str
    says: str
    labels: tuple[str, ...] = ()
    values: Values = field(default_factory=dict)


def gauge(name: str, says: str, value: float | None) -> Family:
    """A value that goes up and down."""
    return Family(name, GAUGE, says, (), {(): value})


def counter(name: str, says: str, value: float) -> Family:
    """A value that only grows while this process lives."""
    return Family(name, COUNTER, says, (), {(): value})


def by(name: str, says: str, label: str, values: Mapping[str, float | None]) -> Family:
    """A gauge with one label."""
    return Family(name, GAUGE, says, (label,), {(key,): value for key, value in values.items()})


def exposition(families: Iterable[Family]) -> tuple[str, str]:
    """(text, media type). Raises DependencyMissing with the command that installs the package."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.exposition import CONTENT_TYPE_LATEST
    except ImportError as exc:
        raise DependencyMissing(
            "The package prometheus-client is not installed",
            hint=f"In LNbits' environment: {INSTALL}, then restart LNbits.",
        ) from exc
    registry = CollectorRegistry()
    registry.register(_Once([_metric(one) for one in families]))
    return generate_latest(registry).decode(), CONTENT_TYPE_LATEST


class _Once:
    """What prometheus_client asks for metrics."""

    def __init__(self, metrics: list[Metric]):
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """All of them, as they were read."""
        return self._metrics


def _metric(one: Family) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    make: Any = CounterMetricFamily if one.kind == COUNTER else GaugeMetricFamily
    made: Metric = make(one.name, one.says, labels=list(one.labels))
    for labels, value in one.values.items():
        if value is not None:
            made.add_metric(list(labels), value)  # type: ignore[attr-defined]
    return made
